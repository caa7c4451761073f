// Package verify asks AWS STS who signed a token.
package verify

import (
	"context"

	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/token"
)

// A Verifier finds out who signed a token for a cluster. A limit is a Verifier that
// wraps another one.
//
// The error is [*RefusedError], [*ThrottledError], [*UnreachableError] or
// [*AnswerError], or one that a limit defines. Only the first means "no"; with the
// others the signer remains unknown.
type Verifier interface {
	Verify(ctx context.Context, clusterID string, req token.Request) (identity.Identity, error)
}

// Func adapts a function to a [Verifier].
type Func func(ctx context.Context, clusterID string, req token.Request) (identity.Identity, error)

// Verify calls f.
func (f Func) Verify(ctx context.Context, clusterID string, req token.Request) (identity.Identity, error) {
	return f(ctx, clusterID, req)
}
