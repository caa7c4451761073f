// Package limit limits the requests to STS, so that junk for one host delays neither
// tokens for another host nor users who have signed in before.
//
//	pool     a proven host has its own slots and queue; all other hosts share a pool
//	reserved slots of a pool are for access keys that signed in within the last hour
//	breaker  a host that does not answer gets only probes and known keys
//
// A host is proven for an hour after a sign-in through it. Everything that uses
// memory is bounded: the requests under way and waiting in each pool, the pools,
// and the hosts and keys with state.
package limit

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/token"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

// maxWait is how long a request waits for a slot. Together with the time-out of a
// verification, it is below a kube-apiserver's time-out of 10 s.
const maxWait = 5 * time.Second

// ErrSaturated means that a request got no slot, because the queue was full or the
// request waited too long. STS was not called.
var ErrSaturated = errors.New("too many verifications are under way")

// ErrCircuitOpen means that a host was not called, since it has not answered other
// requests. It is wrapped in a [*verify.UnreachableError].
var ErrCircuitOpen = errors.New("it has not answered other requests")

// Limiter is a verifier that limits the requests to another verifier. It is safe for
// concurrent use.
type Limiter struct {
	verifier verify.Verifier

	mu    sync.Mutex
	hosts *hosts
	// probes has one slot for each host. It is separate from the pools, so that junk
	// that fills a pool does not block a probe.
	probes *gate
	// known are the keys that signed in within the last hour.
	known *keys
}

// New returns a limiter. The named hosts are those that the operator expects, the
// most important first. Up to maxOwnPools of them have their own pools from the
// start, so that junk for other hosts does not delay their first tokens.
func New(verifier verify.Verifier, named ...string) *Limiter {
	return newLimiter(verifier, false, named)
}

// NewFair returns a limiter that several clusters share. It keeps room for each of them:
// however many requests some send, a request of another finds a slot or a place.
func NewFair(verifier verify.Verifier, named ...string) *Limiter {
	return newLimiter(verifier, true, named)
}

func newLimiter(verifier verify.Verifier, fair bool, named []string) *Limiter {
	return &Limiter{
		verifier: verifier,
		hosts:    newHosts(fair, named),
		probes:   newGate(bounds{slots: maxHosts, share: maxHosts}),
		known:    newKeys(maxKeys),
	}
}

// knownKey is an access key that signed in.
type knownKey struct{ cluster, host, accessKeyID string }

// A pass is a slot of a gate. Its holder must return it.
type pass struct {
	host   *host
	gate   *gate
	member member
	// answers is the host's count of answers when the request began.
	answers int
}

// Verify calls the wrapped verifier once there is a slot. The error is ErrSaturated
// if there is none, or if ctx is done while the request waits. It is a
// [*verify.UnreachableError] if the circuit of the host is open.
func (l *Limiter) Verify(ctx context.Context, clusterID string, req token.Request) (identity.Identity, error) {
	key := knownKey{clusterID, req.Host(), req.AccessKeyID()}
	pass, err := l.enter(ctx, key, req)
	if err != nil {
		return identity.Identity{}, err
	}
	err = errPanic // unless the verifier returns
	defer func() { l.leave(ctx, pass, key.accessKeyID, err) }()
	result, err := l.verifier.Verify(ctx, clusterID, req)
	return result, err
}

var errPanic = errors.New("the verifier panicked")

// SignedIn records that a verified token was mapped to a user: for an hour, its
// access key may use reserved slots, and its host is proven. It is not enough that
// STS accepts a token, since STS accepts tokens of every AWS account.
func (l *Limiter) SignedIn(clusterID string, req token.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	host := l.hosts.get(req.Host(), req.Region(), now)
	if host == nil {
		return
	}
	l.hosts.prove(host, now)
	l.known.add(knownKey{clusterID, host.name, req.AccessKeyID()}, now)
}

func (l *Limiter) enter(ctx context.Context, key knownKey, req token.Request) (pass, error) {
	l.mu.Lock()
	pass, waiter, err := l.admit(key, req)
	l.mu.Unlock()
	if waiter != nil {
		err = l.wait(ctx, &pass, waiter)
	}
	return pass, err
}

// admit returns a slot, or a place in a queue, or an error if there is neither.
func (l *Limiter) admit(key knownKey, req token.Request) (pass, *waiter, error) {
	now := time.Now()
	host := l.hosts.get(key.host, req.Region(), now)
	if host == nil {
		return pass{}, nil, fmt.Errorf("%w, at %d STS hosts", ErrSaturated, maxHosts)
	}
	general, reserved := pass{host: host, gate: host.pool.general, member: member{key.cluster, host.name}}, pass{host: host, gate: host.pool.reserved, member: member{key.cluster, key.accessKeyID}}
	if host.breaker.isOpen() {
		return l.admitToOpen(reserved, l.known.has(key, now), len(req.URL()), now)
	}
	if general.enter() {
		return general, nil, nil
	}
	if l.known.has(key, now) {
		if reserved.enter() {
			return reserved, nil, nil
		}
		if waiter := reserved.wait(len(req.URL())); waiter != nil {
			return reserved, waiter, nil
		}
	}
	if waiter := general.wait(len(req.URL())); waiter != nil {
		return general, waiter, nil
	}
	return pass{}, nil, saturated(host)
}

// admitToOpen admits requests while the circuit is open: known keys to the reserved
// slots, for which they may wait, and of all others one probe at a time. So junk that
// STS does not answer does not block known keys, and their answers close the circuit
// without a probe.
func (l *Limiter) admitToOpen(reserved pass, known bool, bytes int, now time.Time) (pass, *waiter, error) {
	if known {
		if reserved.enter() {
			return reserved, nil, nil
		}
		if waiter := reserved.wait(bytes); waiter != nil {
			return reserved, waiter, nil
		}
	}
	host := reserved.host
	probe := pass{host: host, gate: l.probes, member: member{name: host.name}}
	if host.breaker.isProbeDue(now) && probe.enter() {
		return probe, nil, nil
	}
	return pass{}, nil, &verify.UnreachableError{Err: fmt.Errorf("%s: %w", host.name, ErrCircuitOpen)}
}

func (p *pass) enter() bool {
	if !p.gate.enter(p.member) {
		return false
	}
	p.begin()
	return true
}

func (p *pass) begin() {
	p.host.running++
	p.answers = p.host.breaker.answers
}

func (p *pass) wait(bytes int) *waiter {
	waiter := p.gate.wait(p.member, bytes)
	if waiter != nil {
		p.host.waiting++
	}
	return waiter
}

// wait waits for the waiter's turn. It returns ErrSaturated if the turn does not come.
func (l *Limiter) wait(ctx context.Context, p *pass, w *waiter) error {
	timer := time.NewTimer(maxWait)
	defer timer.Stop()
	select {
	case <-w.done:
	case <-timer.C:
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	p.gate.release(w)
	p.host.waiting--
	if !w.admitted {
		return saturated(p.host)
	}
	p.begin()
	return nil
}

func saturated(h *host) error { return fmt.Errorf("%w at %s", ErrSaturated, h.name) }

// leave returns the slot, and records what the verification shows about the host.
func (l *Limiter) leave(ctx context.Context, p pass, accessKeyID string, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.learn(ctx, p, accessKeyID, err)
	p.host.running--
	p.gate.leave(p.member)
}

func (l *Limiter) learn(ctx context.Context, p pass, accessKeyID string, err error) {
	breaker := &p.host.breaker
	_, unanswered := errors.AsType[*verify.UnreachableError](err)
	switch {
	case errors.Is(err, errPanic):
	case !unanswered:
		breaker.answered()
	case ctx.Err() != nil:
		// The caller stopped waiting, which is not a failure of the host.
	case p.answers != breaker.answers:
		// The host has answered since the request began.
	case breaker.failed(accessKeyID, p.gate == l.probes, time.Now()):
		l.hosts.shared.general.turnAway(p.host.name)
		if own := p.host.own; own != nil {
			own.general.turnAway(p.host.name)
		}
	}
}
