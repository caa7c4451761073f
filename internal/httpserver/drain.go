package httpserver

import "time"

// drainTimeout is how long unused connections of HTTP/1.1 stay open once the server
// stops, so that a client that uses one learns of it from an answer. HTTP/2 says so
// on its own.
const drainTimeout = 2 * time.Second

// drain returns once no connection of HTTP/1.1 is open, or after drainTimeout.
//
// A client of HTTP/1.1 cannot tell a connection that was closed before its request
// arrived from one that was closed after, so none may be closed that is in use:
// http.Server.Shutdown closes those that are idle, and drops a request that it
// reads after it was called.
func drain(listeners []*listener) {
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
