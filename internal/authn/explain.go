package authn

import (
	"context"

	"github.com/kube-iam/authenticator/internal/skew"
	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/token"
)

// Explained is what a decision would be, and how it would be reached. It signs nobody
// in.
type Explained struct {
	Decision Decision
	// IsToken is set if the decision is about a token, and Token has its parts.
	IsToken bool
	Token   token.Parts
	// Principal is who the decision is about; zero if STS has not said it.
	Principal identity.Principal
	// Clocks says whose clock is wrong; nil if none is known to be.
	Clocks *skew.Reading
	// Trace has the rules that were tried.
	Trace mapper.Trace
}

// Explain decides about a token as Authenticate does, and returns how. It asks STS even
// about a token in the cache, and writes no line to the audit log, since nobody signs
// in.
func (a *Authenticator) Explain(ctx context.Context, bearer string) Explained {
	e := Explained{IsToken: true}
	now := a.config.Now()
	parts, err := token.Inspect(bearer, a.config.Hosts, now)
	origin := a.config.Hosts.Origin(parts.Host)
	if isTime(err) {
		a.config.Clocks.Compare(ctx, origin)
	}
	e.Token, e.Decision = parts, *a.decide(ctx, bearer, now, &e.Trace)
	if e.Clocks = e.Decision.Clocks; e.Clocks == nil && !parts.Signed.IsZero() {
		if reading := a.config.Clocks.Read(origin, parts.Signed, now); reading.Fault() != skew.None {
			e.Clocks = &reading
		}
	}
	e.Decision.Duration = a.config.Now().Sub(now)
	e.Principal = e.Decision.Identity.Principal()
	return e
}

// ExplainPrincipal decides about a principal as if it had sent a valid token. The
// principal is a claim: nobody has proven it.
func (a *Authenticator) ExplainPrincipal(ctx context.Context, principal identity.Principal) Explained {
	e := Explained{Principal: principal}
	now := a.config.Now()
	e.Decision = *a.resolve(ctx, principal, &e.Trace)
	e.Decision.Duration = a.config.Now().Sub(now)
	return e
}
