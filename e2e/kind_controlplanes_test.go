//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/pkg/lab"
)

// TestOneOfTwoAuthenticatorsDown: each kube-apiserver asks only the authenticator of
// its own node. While that is down, the kube-apiserver answers 401 to new tokens; it
// is healthy otherwise, so the load balancer keeps using it. About every other
// sign-in fails then, and a retry succeeds. Certificates work everywhere. Once the
// authenticator is back, all sign-ins succeed.
func TestOneOfTwoAuthenticatorsDown(t *testing.T) {
	onKind(t)
	t.Parallel()
	config, err := newConfig("two")
	if err != nil {
		t.Fatal(err)
	}
	config.Kind.ControlPlanes = 2
	two, err := lab.Up(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := two.Close(); err != nil {
			t.Error(err)
		}
	})
	planes, _ := nodesOf(t, two)
	up, down := planes[0], planes[1]

	s := newShellIn(t, two, awsCLIs(t)[0])
	s.run("aws eks update-kubeconfig --name kubedemy --role-arn " + two.Info().OwnerARN)
	// Each has its own session, and so a token that no cache has.
	token := func() string {
		return strings.TrimSpace(s.run(two.Info().Authenticator + " token --cluster-id kubedemy --token-only --role " + two.Info().OwnerARN))
	}
	// balanced signs in through the load balancer.
	balanced := func() error {
		if r := s.try("kubectl auth whoami " + as(token())); r.err != nil {
			return fmt.Errorf("%w: %s", r.err, r.stderr)
		}
		return nil
	}
	// at sends a request to the kube-apiserver of a node.
	at := func(n node, arguments ...string) error {
		_, err := n.try(append([]string{"kubectl", "--server=https://localhost:6443"}, arguments...)...)
		return err
	}
	byToken := func(n node) error {
		return at(n, "--kubeconfig=/dev/null", "--certificate-authority=/etc/kubernetes/pki/ca.crt", "--token="+token(), "auth", "whoami")
	}
	byCertificate := func(n node) error {
		return at(n, "--kubeconfig=/etc/kubernetes/admin.conf", "auth", "whoami")
	}
	everybody := func() {
		t.Helper()
		for range 10 {
			if err := balanced(); err != nil {
				t.Errorf("by way of the load balancer: %v", err)
			}
		}
		for _, n := range planes {
			if err := byToken(n); err != nil {
				t.Errorf("at %s: %v", n.name, err)
			}
		}
	}
	everybody()

	down.run("systemctl", "stop", "kubelet") // the kubelet would start it again
	t.Cleanup(func() { down.run("systemctl", "start", "kubelet") })
	down.killAuthenticator()
	for range 5 {
		if err := byToken(up); err != nil {
			t.Errorf("where the authenticator runs: %v", err)
		}
		if err := byToken(down); !unauthorized(err) {
			t.Errorf("where it does not: %v, want 401", err)
		}
	}
	for _, n := range planes {
		if err := byCertificate(n); err != nil {
			t.Errorf("with a certificate at %s: %v", n.name, err)
		}
	}
	signedIn, refused := 0, 0
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for (signedIn == 0 || refused == 0 || signedIn+refused < 10) && ctx.Err() == nil {
		switch err := balanced(); {
		case err == nil:
			signedIn++
		case unauthorized(err):
			refused++
		default:
			t.Fatalf("by way of the load balancer: %v", err)
		}
	}
	t.Logf("by way of the load balancer %d signed in, %d were refused", signedIn, refused)
	if signedIn == 0 || refused == 0 {
		t.Error("they all went to one kube-apiserver")
	}

	down.run("systemctl", "start", "kubelet")
	eventually(t, 2*time.Minute, "the authenticator back", down.authenticatorServes)
	everybody()
}

func unauthorized(err error) bool { return err != nil && strings.Contains(err.Error(), "Unauthorized") }
