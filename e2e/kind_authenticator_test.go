//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// interruption calls happen while a user signs in repeatedly, with a new token each
// time, until it is over and a token is accepted again. It returns the longest time
// between two tokens that were accepted: in between others were refused, or waited, since
// kube-apiserver calls a webhook again whose connection was lost. An administrator with a
// certificate must not notice.
func interruption(t *testing.T, user accessKey, happen func(), within time.Duration, what string, over func() bool) time.Duration {
	t.Helper()
	byToken, byCertificate := newBearer(t, user), controlPlane(t).client
	accepted, longest := time.Now(), time.Duration(0)
	ctx, stop := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	asking.Go(func() {
		for ctx.Err() == nil {
			err := byToken.signIn(t.Context())
			if err == nil {
				longest = max(longest, time.Since(accepted))
				accepted = time.Now()
			} else if !apierrors.IsUnauthorized(err) {
				t.Errorf("by token: %v", err)
				return
			}
			if _, err := byCertificate.CoreV1().Namespaces().Get(t.Context(), metav1.NamespaceSystem, metav1.GetOptions{}); err != nil {
				t.Errorf("by certificate: %v", err)
				return
			}
		}
	})
	defer asking.Wait()
	defer stop()
	happen()
	eventually(t, within, what, func() bool { return over() && byToken.signIn(t.Context()) == nil })
	stop()
	asking.Wait()
	return max(longest, time.Since(accepted))
}

// TestAuthenticatorKilled checks that the kubelet restarts it without help. Until then
// new tokens wait or are refused, and certificates are accepted.
func TestAuthenticatorKilled(t *testing.T) {
	onKind(t)
	plane := controlPlane(t)
	_, user := mapped(t, "patient")
	var killed string
	took := interruption(t, user, func() { killed = plane.killAuthenticator() }, 2*time.Minute, "signed in again", func() bool {
		return plane.authenticatorServes() && !slices.Contains([]string{"", killed}, plane.authenticatorContainer())
	})
	t.Logf("no token was accepted for %.1f s", took.Seconds())
}

// TestControlPlaneRestarted restarts the control plane's node: etcd, kube-apiserver
// and the authenticator come back, people sign in, and the worker becomes ready, for
// which its kubelet must sign in too.
func TestControlPlaneRestarted(t *testing.T) {
	onKind(t)
	plane, worker := controlPlane(t), worker(t)
	_, user := mapped(t, "insistent")
	person := newBearer(t, user)
	docker(t, "restart", plane.name)
	restarted := time.Now()
	eventually(t, 5*time.Minute, "signed in again", func() bool { return person.signIn(t.Context()) == nil })
	t.Logf("signed in %.1f s after the restart", time.Since(restarted).Seconds())
	eventually(t, 3*time.Minute, "the nodes ready", func() bool {
		return plane.readySince(restarted) && worker.readySince(restarted)
	})
	t.Logf("all ready %.1f s after the restart", time.Since(restarted).Seconds())
}

// rolls is how long the kubelet may take to replace the static pod. It checks the file
// every 20 s.
const rolls = 20*time.Second + 2*time.Minute

// mounted returns the path on this machine of a file or directory of the node.
func (n node) mounted(path string) string {
	n.t.Helper()
	return docker(n.t, "inspect", "--format", fmt.Sprintf("{{range .Mounts}}{{if eq .Destination %q}}{{.Source}}{{end}}{{end}}", path), n.name)
}

// editManifest replaces texts in the manifest of the node's static pod, each of which
// it has once.
func (n node) editManifest(pairs ...string) {
	n.t.Helper()
	path := n.mounted("/etc/kubernetes/manifests/aws-iam-authenticator.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		n.t.Fatal(err)
	}
	for i := 0; i < len(pairs); i += 2 {
		if strings.Count(string(text), pairs[i]) != 1 {
			n.t.Fatalf("the manifest does not have %q once:\n%s", pairs[i], text)
		}
	}
	if err := os.WriteFile(path, []byte(strings.NewReplacer(pairs...).Replace(string(text))), 0o644); err != nil {
		n.t.Fatal(err)
	}
}

// TestAuthenticatorUpgraded sets another image in the static pod, as an operator who
// upgrades does; the stories after it use that image.
func TestAuthenticatorUpgraded(t *testing.T) {
	onKind(t)
	plane := controlPlane(t)
	_, user := mapped(t, "upgraded")
	image := func() string {
		pod, err := plane.authenticator()
		if err != nil {
			return ""
		}
		return pod.Spec.Containers[0].Image
	}
	before := image()
	after := before + "-next"
	plane.load(newImage(t, after))
	edit := func() { plane.editManifest("image: "+before+"\n", "image: "+after+"\n") }
	old := plane.authenticatorContainer()
	begun := time.Now()
	took := interruption(t, user, edit, rolls, "signed in by the new image", func() bool {
		return image() == after && plane.authenticatorServes() && !slices.Contains([]string{"", old}, plane.authenticatorContainer())
	})
	// The kubelet takes some time between the old pod and the new one.
	t.Logf("upgraded in %.1f s; no token was accepted for %.1f s", time.Since(begun).Seconds(), took.Seconds())
	if running := plane.run("crictl", "inspect", plane.authenticatorContainer()); !strings.Contains(running, after) {
		t.Errorf("it is not the new image that runs: %s", running)
	}
}

// TestRenewedCertificateOnNode has the node's authenticator sign new serving certificates
// while people sign in with a new token at each request: nobody is refused.
func TestRenewedCertificateOnNode(t *testing.T) {
	onKind(t)
	const clients, renewals = 4, 5
	plane := controlPlane(t)
	_, user := mapped(t, "renewed-on-node")
	person := newBearer(t, user)
	var container struct{ Info struct{ PID int } }
	plane.decode(&container, "crictl", "inspect", plane.authenticatorContainer())
	// The time has the precision of a second.
	expires := func() string {
		found := regexp.MustCompile(`(?m)^aws_iam_authenticator_certificate_expiration_timestamp_seconds (\S+)$`).
			FindStringSubmatch(plane.run("curl", "--silent", "--fail", "--insecure", "https://127.0.0.1:21362/metrics"))
		if found == nil {
			t.Fatal("the metrics do not say when the certificate expires")
		}
		return found[1]
	}

	person.signsIn(t, clients, func(signedIn *atomic.Int64) {
		for range renewals {
			old, before := expires(), signedIn.Load()
			eventually(t, watchDelay, "another certificate", func() bool {
				plane.run("sh", "-c", fmt.Sprintf("kill -HUP %d", container.Info.PID))
				return expires() != old
			})
			eventually(t, watchDelay, "people signing in", func() bool { return signedIn.Load() > before+10 })
		}
		t.Logf("%d renewals, %d signed in", renewals, signedIn.Load())
	})
}

// newImage returns an archive of the authenticator's image with another name and a
// different label.
func newImage(t *testing.T, name string) string {
	t.Helper()
	archive := filepath.Join(t.TempDir(), "image.tar")
	build := exec.Command(filepath.Join("..", "bin", "image"), "build", "--output", archive, "--name", name, "--platform", "linux/"+runtime.GOARCH,
		"--file", filepath.Join("..", "bin", "images", "authenticator-"+runtime.GOARCH)+"=/authenticator", "--entrypoint", "/authenticator",
		"--user", "10000:10000", "--label", "org.opencontainers.image.version=next")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("making image %s: %v: %s", name, err, output)
	}
	return archive
}
