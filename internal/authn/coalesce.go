package authn

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/kube-iam/authenticator/internal/limit"
	"github.com/kube-iam/authenticator/pkg/identity"
)

const (
	// maxFollowingOne and maxFollowingAll bound the memory of the requests that wait
	// for another request's verification, for one token and for all tokens.
	maxFollowingOne = 1 << 20
	maxFollowingAll = 4 << 20
	// followerBytes is the memory that a request holds in addition to its token.
	followerBytes = 4 << 10
)

// flights are the verifications under way. Requests for a token that is being
// verified wait for the first request's result.
type flights struct {
	mu        sync.Mutex
	byKey     map[cacheKey]*flight
	following int // bytes
}

// A flight is one verification under way.
type flight struct {
	following int // bytes
	// landed is closed once the result is set.
	landed chan struct{}
	result identity.Identity
	err    error
}

func newFlights() *flights { return &flights{byKey: map[cacheKey]*flight{}} }

// do verifies a token, or waits for the result if another request verifies it. A
// caller who hangs up does not fail the others: a verification goes on, bounded in
// time by the verifier, and a follower stops waiting. With too many followers, do
// returns limit.ErrSaturated at once.
func (f *flights) do(ctx context.Context, key cacheKey, bytes int, verification func(context.Context) (identity.Identity, error)) (identity.Identity, error) {
	bytes += followerBytes
	f.mu.Lock()
	if current, ok := f.byKey[key]; ok {
		if current.following+bytes > maxFollowingOne || f.following+bytes > maxFollowingAll {
			f.mu.Unlock()
			return identity.Identity{}, fmt.Errorf("%w: too many requests wait for this token", limit.ErrSaturated)
		}
		current.following += bytes
		f.following += bytes
		f.mu.Unlock()
		return f.follow(ctx, current, bytes)
	}
	own := &flight{landed: make(chan struct{}), err: errNotFinished}
	f.byKey[key] = own
	f.mu.Unlock()
	defer f.land(key, own)
	own.result, own.err = verification(context.WithoutCancel(ctx))
	return own.result, own.err
}

// errNotFinished is the followers' error when a verification panics.
var errNotFinished = errors.New("the verification did not finish")

func (f *flights) land(key cacheKey, own *flight) {
	f.mu.Lock()
	delete(f.byKey, key)
	f.mu.Unlock()
	close(own.landed)
}

func (f *flights) follow(ctx context.Context, leader *flight, bytes int) (identity.Identity, error) {
	defer func() {
		f.mu.Lock()
		leader.following -= bytes
		f.following -= bytes
		f.mu.Unlock()
	}()
	select {
	case <-leader.landed:
		return leader.result, leader.err
	case <-ctx.Done():
		// Not an outage of STS: only this caller stopped waiting.
		return identity.Identity{}, fmt.Errorf("%w: waiting for the answer to another request: %w", limit.ErrSaturated, context.Cause(ctx))
	}
}
