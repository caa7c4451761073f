package mapper

import (
	"context"

	"github.com/kube-iam/authenticator/pkg/identity"
)

// Denies returns the rule that denies a principal, and reports whether there is one.
type Denies func(principal identity.Principal) (Rule, bool)

// Deny returns a mapper that denies principals whatever m maps them to. It maps those
// that are not denied with m.
func Deny(denies Denies, m Mapper) Mapper {
	return Func(func(ctx context.Context, principal identity.Principal, trace *Trace) (Match, bool, error) {
		if rule, denied := denies(principal); denied {
			err := &DeniedError{Reason: "it is denied by the deny file", Rule: rule}
			trace.add(Tried{Rule: rule, For: principal.CanonicalARN, Miss: MissDenyFile, Reason: err.Error()})
			return Match{}, false, err
		}
		return m.Map(ctx, principal, trace)
	})
}
