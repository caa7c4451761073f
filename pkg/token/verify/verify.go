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
	Verify(ctx context.Context, clusterID string, req token.Request) (Result, error)
}

// Result of a verification.
type Result struct {
	// Identity that was proven; zero if there is an error.
	Identity identity.Identity
	// Cached: STS was not asked, neither for an identity nor for a refusal.
	Cached bool
}

// Func adapts a function to a [Verifier].
type Func func(ctx context.Context, clusterID string, req token.Request) (Result, error)

// Verify calls f.
func (f Func) Verify(ctx context.Context, clusterID string, req token.Request) (Result, error) {
	return f(ctx, clusterID, req)
}
