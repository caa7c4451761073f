// Package verify asks AWS STS who signed a token.
package verify

import (
	"context"

	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/token"
)

// A Verifier finds out who signed a request. Caches, coalescing and limits are
// Verifiers around a Verifier.
//
// The error is one of [*RefusedError], [*ThrottledError], [*UnreachableError]
// and [*AnswerError]; only the first means "no", the others mean that it could
// not be told.
type Verifier interface {
	Verify(ctx context.Context, req token.Request) (identity.Identity, error)
}

// Func adapts a function to a [Verifier].
type Func func(ctx context.Context, req token.Request) (identity.Identity, error)

// Verify calls f.
func (f Func) Verify(ctx context.Context, req token.Request) (identity.Identity, error) {
	return f(ctx, req)
}
