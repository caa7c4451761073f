package httpserver

import (
	"context"
	"net/http"
	"runtime"
	"time"

	"github.com/kube-iam/authenticator/internal/stack"
)

const (
	// maxStreams is how many requests a client may have under way at once on one
	// connection of HTTP/2. It is high, so that all kubelets of a cluster may sign
	// in at once: a kube-apiserver makes a connection for each request that it may
	// not send on the one that it has.
	maxStreams = 250
	// maxWaiting is how many requests of an endpoint wait for their clients at most, to
	// send the rest or to take the answer. Each takes up to 60 KiB, and the garbage
	// collector as much again.
	maxWaiting = 2 * maxStreams
	// manyGoroutines are more than there are without a flood.
	manyGoroutines = 500
)

// Busy calls f for the request of ctx. While f runs, the request counts as busy: it
// does not wait for its client, and its connection is not closed for others. A handler
// calls it with the work between reading a request and answering it.
func Busy(ctx context.Context, f func()) {
	c := connectionOf(ctx)
	if c == nil {
		f()
		return
	}
	c.used.Store(true)
	c.busy.Add(1)
	c.wait(-1)
	defer func() {
		c.quietSince.Store(time.Now().UnixNano())
		c.busy.Add(-1)
		c.wait(1)
	}()
	f()
}

// serve serves a request of the connection with a handler. The request waits for its
// client while it is not [Busy].
func (c *connection) serve(handler http.Handler, w http.ResponseWriter, r *http.Request) {
	c.http2.Store(r.ProtoMajor == 2)
	c.wait(1)
	defer c.wait(-1)
	if c.closed.Load() {
		return // net/http had read the request already
	}
	stack.Grow8() // a decision needs that much: growing in steps would take a tenth of its time
	handler.ServeHTTP(w, r)
	if runtime.NumGoroutine() > manyGoroutines {
		// Over HTTP/2 net/http writes a short answer after the handler has returned,
		// and keeps a goroutine until the client takes it. Here it is counted.
		_ = http.NewResponseController(w).Flush()
	}
}

// wait adds n to the requests that wait for the client. If too many of all
// connections wait, it closes the connection with most of them.
func (c *connection) wait(n int64) {
	c.waiting.Add(n)
	switch all := c.listener.waiting.Add(n); {
	case n > 0 && all > maxWaiting:
		c.listener.closeSlowest()
	case n < 0 && all == maxWaiting:
		c.listener.mu.Lock()
		c.listener.fewer.Broadcast()
		c.listener.mu.Unlock()
	}
}

// awaitRoomFor returns once no more requests wait for their clients than may, or the
// connection is closed.
func (l *listener) awaitRoomFor(c *connection) {
	if l.waiting.Load() <= maxWaiting {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.waiting.Load() > maxWaiting && !c.closed.Load() {
		l.fewer.Wait()
	}
}

// closeSlowest closes the connection on which most requests wait for the client,
// if they are too many without those of connections that were closed already.
func (l *listener) closeSlowest() {
	var slowest *connection
	var all, most int64
	l.mu.Lock()
	for conn := range l.open {
		waiting := conn.waiting.Load()
		if all += waiting; waiting > most {
			slowest, most = conn, waiting
		}
	}
	l.mu.Unlock()
	if all <= maxWaiting {
		return
	}
	l.closedSlow.Add(1)
	l.slow.Do(func() {
		l.log.Warn("too many requests wait for their clients: closing the connection with most of them", "limit", maxWaiting)
	})
	_ = slowest.Close() // last, so that it is counted before its client notices
}
