package webhook

import (
	"net/http"
	"runtime"
	"time"
)

const (
	// maxStreams is how many requests a client may have under way at once on one
	// connection of HTTP/2. It is high, so that all kubelets of a cluster may sign
	// in at once: a kube-apiserver makes a connection for each request that it may
	// not send on the one that it has.
	maxStreams = 500
	// maxWaiting is how many requests wait for their clients at most, to send the
	// rest or to take the answer. Each takes 20 KiB, whatever it waits for.
	maxWaiting = 2 * maxStreams
	// manyGoroutines are more than there are without a flood.
	manyGoroutines = 500
)

// serve has a handler serve a request of the connection, which counts as waiting
// for its client. If too many wait, the connection with most of them is closed.
func (c *connection) serve(handler http.Handler, w http.ResponseWriter, r *http.Request) {
	growStack(0)
	c.http2.Store(r.ProtoMajor == 2)
	c.wait(1)
	defer c.wait(-1)
	handler.ServeHTTP(w, r)
	if runtime.NumGoroutine() > manyGoroutines {
		// Over HTTP/2 net/http writes a short answer after the handler has returned,
		// and keeps a goroutine until the client takes it. Here it is counted.
		_ = http.NewResponseController(w).Flush()
	}
}

// decide has a request of the connection count as one that does not wait for its
// client, while f runs. The receiver may be nil.
func (c *connection) decide(f func()) {
	if c == nil {
		f()
		return
	}
	c.used.Store(true)
	c.deciding.Add(1)
	c.wait(-1)
	defer func() {
		c.quietSince.Store(time.Now().UnixNano())
		c.deciding.Add(-1)
		c.wait(1)
	}()
	f()
}

func (c *connection) wait(n int64) {
	c.waiting.Add(n)
	if c.of.waiting.Add(n) > maxWaiting && n > 0 {
		c.of.closeSlowest()
	}
}

// closeSlowest closes the connection on which most requests wait for the client,
// if they are too many without those of connections that were closed already.
func (c *connections) closeSlowest() {
	var slowest *connection
	var all, most int64
	c.mu.Lock()
	for conn := range c.open {
		waiting := conn.waiting.Load()
		if all += waiting; waiting > most {
			slowest, most = conn, waiting
		}
	}
	c.mu.Unlock()
	if all <= maxWaiting {
		return
	}
	_ = slowest.Close()
	c.slow.Do(func() {
		c.log.Warn("too many requests wait for their clients: closing the connection with most of them", "limit", maxWaiting)
	})
}
