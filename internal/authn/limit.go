package authn

import (
	"context"
	"errors"

	"github.com/kube-iam/authenticator/pkg/token"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

// ErrSaturated means that too many verifications were under way for as long as
// the request could wait.
var ErrSaturated = errors.New("too many verifications are under way")

// Limit lets so many verifications run at once; others wait their turn for as
// long as their contexts allow.
func Limit(verifier verify.Verifier, concurrent int) verify.Verifier {
	turns := make(chan struct{}, concurrent)
	return verify.Func(func(ctx context.Context, clusterID string, req token.Request) (verify.Result, error) {
		select {
		case turns <- struct{}{}:
			defer func() { <-turns }()
			return verifier.Verify(ctx, clusterID, req)
		case <-ctx.Done():
			return verify.Result{}, ErrSaturated
		}
	})
}
