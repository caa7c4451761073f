package webhook

import (
	"context"
	"errors"
	"time"
)

// drainTimeout is how long connections of HTTP/1.1 that nobody uses stay open once
// the server is told to stop, so that whoever does use one learns of it from an
// answer. HTTP/2 says so on its own.
const drainTimeout = 2 * time.Second

// Draining wraps a readiness check so that it fails once ctx is done, for load
// balancers to look elsewhere while the last requests are answered.
func Draining(ctx context.Context, ready func() error) func() error {
	return func() error {
		if ctx.Err() != nil {
			return errors.New("the server is stopping")
		}
		return ready()
	}
}

// drain returns once no connection of HTTP/1.1 is open, or after drainTimeout.
//
// A client of HTTP/1.1 cannot tell a connection that was closed before its request
// arrived from one that was closed after, so none may be closed that is in use:
// http.Server.Shutdown closes those that are idle, and drops a request that it
// reads after it was called.
func drain(listeners []*connections) {
	timeout := time.After(drainTimeout)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for _, listener := range listeners {
		for listener.anyHTTP1() {
			select {
			case <-tick.C:
			case <-timeout:
				return
			}
		}
	}
}
