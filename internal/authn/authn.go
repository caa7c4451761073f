// Package authn decides who a bearer token signs in as.
//
// A token passes these steps: it is looked up in the cache, parsed, coalesced with
// equal tokens, queued for STS and verified there, and its identity is mapped. The
// cache holds verified identities, never mappings, so that an edit of the mappings
// takes effect on the next request.
package authn

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/kube-iam/authenticator/internal/limit"
	"github.com/kube-iam/authenticator/internal/skew"
	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/token"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

// Decision is the decision about a token, with its reason. Once returned, it does not change.
// It is passed by its address: with copies on every level, a request needs a larger stack.
type Decision struct {
	Outcome Outcome
	// User is the user that the token signs in as. It is set if Outcome is Mapped.
	User User
	// Reason is a sentence for the caller. It is set if STS refused the token, or
	// the mappings refused its identity: then it has the canonical ARN, the reason
	// and the ID, unless the account is scrubbed. It is empty for a token that is
	// malformed or expired. Such a token never becomes valid, so that the caller
	// may cache the denial.
	Reason string
	// ID identifies the decision in the log and in Reason. It is empty if Outcome is
	// Mapped.
	ID string

	// The rest is for the log. Time is when the decision was made.
	Time time.Time
	// Identity is zero until STS has proven one.
	Identity identity.Identity
	// Claim is what the token claims if STS refused or did not verify it, or its time is
	// not valid; otherwise nil.
	Claim *Claim
	// Clocks says whose clock is wrong if the time of the token is not valid; otherwise
	// nil.
	Clocks *skew.Reading
	// Foreign means that no mapping matches the identity or names its account.
	Foreign bool
	Rule    mapper.Rule
	// Cached means that the result of STS came from the cache.
	Cached bool
	// Scrubbed means that nothing about the identity may be logged.
	Scrubbed bool
	Duration time.Duration
	// Err is the reason for all outcomes except Mapped. It contains no credential.
	Err error
}

// Config of [New]. ClusterID, Hosts, Verifier and Mapper must be set.
type Config struct {
	// ClusterID is the cluster ID that tokens must be signed for.
	ClusterID string
	// Hosts are the STS hosts that tokens may name.
	Hosts token.Hosts
	// Verifier verifies who signed a token.
	Verifier verify.Verifier
	// Mapper maps the identity to a Kubernetes user.
	Mapper mapper.Mapper
	// Cache configures the cache of verified identities.
	Cache CacheConfig
	// SignedIn is called when a token that STS has just verified is mapped, so that
	// limits can favor its access key. Nil means never.
	SignedIn func(clusterID string, req token.Request)
	// NamesAccount reports whether a mapping names an account. Nil means that all are
	// named.
	NamesAccount func(accountID string) bool
	// ScrubbedAccounts are the accounts whose identities appear in no log or answer.
	ScrubbedAccounts []string
	// Audit gets a line for every recorded decision, but not all of a flood. Nil discards it.
	Audit *slog.Logger
	// Suppressed is called for every recorded decision of a flood without a line. Nil means
	// never.
	Suppressed func()
	// Clocks compares this machine's clock with that of STS. Nil means that they are never
	// compared.
	Clocks *skew.Meter
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Authenticator decides who a token signs in as. It is safe for concurrent use.
type Authenticator struct {
	config  Config
	keys    *keyer
	cache   *cache
	flights *flights
	audit   *audit
}

// New returns an authenticator.
func New(config Config) (*Authenticator, error) {
	if config.ClusterID == "" || config.Hosts.Partition() == "" || config.Verifier == nil || config.Mapper == nil {
		return nil, errors.New("creating an authenticator: ClusterID, Hosts, Verifier and Mapper are required")
	}
	if config.Audit == nil {
		config.Audit = slog.New(slog.DiscardHandler)
	}
	if config.SignedIn == nil {
		config.SignedIn = func(string, token.Request) {}
	}
	if config.NamesAccount == nil {
		config.NamesAccount = func(string) bool { return true }
	}
	if config.Suppressed == nil {
		config.Suppressed = func() {}
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Authenticator{
		config: config, keys: newKeyer(config.ClusterID), cache: newCache(config.Cache, config.Now), flights: newFlights(),
		audit: newAudit(config),
	}, nil
}

// Authenticate decides about a token. It does not record the decision; the caller calls
// Record.
func (a *Authenticator) Authenticate(ctx context.Context, bearer string) *Decision {
	started := a.config.Now()
	decision := a.decide(ctx, bearer, started, nil)
	decision.Time = a.config.Now()
	decision.Duration = decision.Time.Sub(started)
	if decision.Outcome != Mapped {
		decision.identify()
	}
	return decision
}

// Record writes a line about a decision to the log, unless a flood has used up the quota.
func (a *Authenticator) Record(d *Decision) { a.audit.write(d) }

// Flush logs how many recorded decisions have no line, if the log does not say it yet.
func (a *Authenticator) Flush() { a.audit.quota.summarize() }

// decide decides about a token. A trace makes it ask STS even about a token in the
// cache, but changes nothing else.
func (a *Authenticator) decide(ctx context.Context, bearer string, now time.Time, trace *mapper.Trace) *Decision {
	// A token in the cache was already parsed, and leaves the cache when it expires.
	key := a.keys.key(bearer)
	if trace == nil {
		if id, err, found := a.cache.get(key); found {
			decision := a.conclude(ctx, id, err, nil)
			decision.Cached = true
			if err != nil { // the cache has only the refusal
				if request, err := token.Parse(bearer, a.config.Hosts, now); err == nil {
					a.describe(decision, request, now)
				}
			}
			return decision
		}
	}
	// A malformed or expired token never reaches STS.
	request, err := token.Parse(bearer, a.config.Hosts, now)
	if err != nil {
		return a.reject(bearer, err, now)
	}
	id, err := a.verify(ctx, key, request)
	decision := a.conclude(ctx, id, err, trace)
	if decision.Outcome == Mapped {
		a.config.SignedIn(a.config.ClusterID, request)
	}
	if err != nil {
		a.describe(decision, request, now)
	}
	return decision
}

// conclude returns the decision for the result of a verification.
func (a *Authenticator) conclude(ctx context.Context, id identity.Identity, err error, trace *mapper.Trace) *Decision {
	if err != nil {
		return &Decision{Outcome: verifyOutcome(err), Err: err, Reason: verifyReason(err)}
	}
	d := a.resolve(ctx, id.Principal(), trace)
	d.Identity = id
	return d
}

// verify calls STS, or waits for the result of another request for the same token.
func (a *Authenticator) verify(ctx context.Context, key cacheKey, request token.Request) (identity.Identity, error) {
	return a.flights.do(ctx, key, len(request.URL()), func(ctx context.Context) (identity.Identity, error) {
		id, err := a.config.Verifier.Verify(ctx, a.config.ClusterID, request)
		a.cache.add(key, request.Expires(), id, err)
		return id, err
	})
}

// resolve maps a principal.
func (a *Authenticator) resolve(ctx context.Context, id identity.Principal, trace *mapper.Trace) *Decision {
	scrubbed := slices.Contains(a.config.ScrubbedAccounts, id.AccountID)
	match, ok, err := a.config.Mapper.Map(ctx, id, trace)
	denied, isDenied := errors.AsType[*mapper.DeniedError](err)
	switch {
	case isDenied:
		return &Decision{Outcome: Denied, Scrubbed: scrubbed, Rule: denied.Rule, Err: err, Reason: reason(id, scrubbed, denied.Reason)}
	case err != nil:
		return &Decision{Outcome: MappingUnknown, Scrubbed: scrubbed, Err: err}
	case !ok:
		return &Decision{Outcome: Unmapped, Scrubbed: scrubbed, Foreign: !a.config.NamesAccount(id.AccountID), Err: errUnmapped, Reason: reason(id, scrubbed, errUnmapped.Error())}
	case match.Username == "":
		return &Decision{Outcome: Denied, Scrubbed: scrubbed, Rule: match.Rule, Err: errNoUsername, Reason: reason(id, scrubbed, errNoUsername.Error())}
	}
	return &Decision{Outcome: Mapped, Scrubbed: scrubbed, Rule: match.Rule, User: newUser(id, match, scrubbed)}
}

var (
	errUnmapped   = errors.New("it is not mapped to a Kubernetes user")
	errNoUsername = errors.New("its mapping has an empty username")
)

// reason returns the reason for the caller.
func reason(id identity.Principal, scrubbed bool, why string) string {
	if scrubbed {
		return "the AWS identity is not allowed to sign in to this cluster"
	}
	return id.CanonicalARN + ": " + why
}

// verifyReason returns the reason for the caller if STS refused the token. STS's own
// message is only for the log.
func verifyReason(err error) string {
	if verifyOutcome(err) == Refused {
		return "AWS STS does not accept the token"
	}
	return ""
}

func parseOutcome(err error) Outcome {
	if errors.Is(err, token.ErrExpired) {
		return Expired
	}
	return Malformed
}

func verifyOutcome(err error) Outcome {
	if _, ok := errors.AsType[*verify.RefusedError](err); ok {
		return Refused
	}
	if _, ok := errors.AsType[*verify.ThrottledError](err); ok {
		return Throttled
	}
	if errors.Is(err, limit.ErrSaturated) {
		return Saturated
	}
	return Unreachable
}
