//go:build e2e

// Package e2e tests the whole product: a real kube-apiserver with the authenticator
// as its token webhook, a local AWS that checks every signature and policy, and the
// real AWS CLI and kubectl. PROVIDER selects what the cluster runs on.
package e2e

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/pkg/lab"
)

// Shorter than in production, so that tests can wait for the limits on how long a
// token outlives a change.
const (
	webhookCacheTTL      = 2 * time.Second
	verificationCacheTTL = 3 * time.Second
	// tokenCacheTTL is how long a kube-apiserver caches every accepted token; no
	// flag changes it.
	tokenCacheTTL = 10 * time.Second
)

// suite is the lab that the stories share. They run one at a time, except those that
// mostly wait or have their own lab: they run in parallel, at the end.
var suite *lab.Lab

func TestMain(m *testing.M) {
	os.Exit(func() int {
		code, err := run(m)
		if err != nil {
			fmt.Fprintf(os.Stderr, "e2e: %v\n", err)
			return 1
		}
		return code
	}())
}

func run(m *testing.M) (int, error) {
	config, err := newConfig("suite")
	if err != nil {
		return 0, err
	}
	config.Kind.Nodes = 1
	config.Accounts = []string{guestAccount}
	if suite, err = lab.Up(context.Background(), config); err != nil {
		return 0, err
	}
	code := m.Run()
	return code, suite.Close()
}

// newConfig returns the configuration of the lab with a name. Its directory is that
// of the previous lab of that name, so that its leftovers are cleaned up.
func newConfig(name string) (lab.Config, error) {
	bin, err := filepath.Abs(filepath.Join("..", "bin"))
	if err != nil {
		return lab.Config{}, err
	}
	return lab.Config{
		Dir:           filepath.Join(bin, "e2e", name),
		Provider:      os.Getenv("PROVIDER"),
		Assets:        cmp.Or(os.Getenv("KUBEBUILDER_ASSETS"), filepath.Join(bin, "k8s")),
		Authenticator: filepath.Join(bin, "authenticator"),
		Kind: lab.KindConfig{
			Image:    filepath.Join(bin, "images", "authenticator.tar"),
			LocalAWS: filepath.Join(bin, "localaws"),
		},
		WebhookCacheTTL:      webhookCacheTTL,
		VerificationCacheTTL: verificationCacheTTL,
		TrustEndpoint:        true,
		// Many tests break aws-auth. TestGuard installs the guard.
		NoAdmission: true,
		Progress:    os.Stderr,
	}, nil
}
