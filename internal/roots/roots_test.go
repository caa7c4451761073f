package roots_test

import (
	"testing"

	"github.com/kube-iam/authenticator/internal/roots"
)

// TestTrustPublicTwice: a command may make a token with a role, which calls STS, and then
// verify it.
func TestTrustPublicTwice(t *testing.T) {
	t.Parallel()
	roots.TrustPublic()
	roots.TrustPublic()
}
