// Package verify asks AWS STS who signed a token.
package verify

import (
	"context"

	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/token"
)

// A Verifier finds out who signed a token for a cluster. Caches, coalescing and
// limits are Verifiers around a Verifier: they must tell clusters apart, since a
// token proves its signer to the cluster that it was signed for, and to no other.
//
// The error is one of [*RefusedError], [*ThrottledError], [*UnreachableError]
// and [*AnswerError], or one that a limit defines; only the first means "no",
// the others mean that the answer is not known.
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
