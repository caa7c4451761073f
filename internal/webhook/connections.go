package webhook

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/time/rate"
)

// patience is how long a connection may be quiet while others wait. It is long
// enough for a handshake, also of a kube-apiserver that makes a connection for each
// of many requests that it has at once.
const patience = time.Second

// connections is a listener that has so many connections open at most. Others wait
// in the kernel's queue until one is closed. A connection that is quiet for longer
// than patience is closed for them: whoever opens connections and says nothing, or
// says it slowly, keeps nobody out.
type connections struct {
	net.Listener
	max int
	log *slog.Logger
	// Logs about a flood must not be one.
	full, slow, failed rate.Sometimes
	// waiting are the requests of all connections that wait for their clients.
	waiting atomic.Int64

	mu   sync.Mutex
	open map[*connection]struct{}
	// room has an element if a connection was closed.
	room chan struct{}
	done chan struct{}
	once sync.Once
}

// A connection is quiet while nothing is decided for it.
type connection struct {
	net.Conn
	of         *connections
	quietSince atomic.Int64 // nanoseconds since 1970
	// Of the requests under way, deciding wait for a decision, and waiting for the
	// client: to send the rest, or to take the answer.
	deciding, waiting atomic.Int64
	// used is set with the first decision, http2 with the first request.
	used, http2 atomic.Bool
}

func newConnections(listener net.Listener, limit int, log *slog.Logger) *connections {
	return &connections{
		Listener: listener, max: limit, log: log.With("address", listener.Addr().String()),
		full: seldom(), slow: seldom(), failed: seldom(),
		open: map[*connection]struct{}{}, room: make(chan struct{}, 1), done: make(chan struct{}),
	}
}

// seldom lets one message through, and then one a minute.
func seldom() rate.Sometimes { return rate.Sometimes{First: 1, Interval: time.Minute} }

// Accept implements [net.Listener]. The caller repeats it after a temporary error.
func (c *connections) Accept() (net.Conn, error) {
	accepted, err := c.Listener.Accept()
	if err != nil {
		c.logFailure(err)
		return nil, err
	}
	conn := &connection{Conn: accepted, of: c}
	for !c.admit(conn) {
		if err := c.makeRoom(); err != nil {
			return nil, errors.Join(err, accepted.Close())
		}
	}
	return conn, nil
}

func (c *connections) logFailure(err error) {
	if !errors.Is(err, syscall.EMFILE) && !errors.Is(err, syscall.ENFILE) {
		return
	}
	c.failed.Do(func() {
		c.log.Error("accepting connections: out of file descriptors; whoever connects now gets no answer (raise the limit of open files: LimitNOFILE= of systemd, ulimit -n)", "error", err)
	})
}

func (c *connections) admit(conn *connection) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.open) >= c.max {
		return false
	}
	conn.quietSince.Store(time.Now().UnixNano())
	c.open[conn] = struct{}{}
	return true
}

// makeRoom closes the quietest connection, or waits until one is closed or has
// been quiet for long enough.
func (c *connections) makeRoom() error {
	c.full.Do(func() {
		c.log.Warn("too many connections: new ones wait, and quiet ones are closed for them", "limit", c.max)
	})
	wait := patience
	if quiet := c.quietest(); quiet != nil {
		if wait -= time.Duration(time.Now().UnixNano() - quiet.quietSince.Load()); wait <= 0 {
			_ = quiet.Close() // net/http learns of it when it reads
			return nil
		}
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-c.room:
	case <-timer.C:
	case <-c.done:
		return net.ErrClosed
	}
	return nil
}

// quietest returns the connection that can best be missed: the oldest for which
// nothing was ever decided, else the one that is quiet for longest, else nil.
func (c *connections) quietest() *connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	var best *connection
	for conn := range c.open {
		if conn.deciding.Load() == 0 && (best == nil || conn.isQuieterThan(best)) {
			best = conn
		}
	}
	return best
}

func (c *connection) isQuieterThan(other *connection) bool {
	if used := c.used.Load(); used != other.used.Load() {
		return !used
	}
	return c.quietSince.Load() < other.quietSince.Load()
}

// anyHTTP1 reports whether a connection is open that has had no request of HTTP/2.
func (c *connections) anyHTTP1() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.open {
		if !conn.http2.Load() {
			return true
		}
	}
	return false
}

// Close implements [net.Listener].
func (c *connections) Close() error {
	c.once.Do(func() { close(c.done) })
	return c.Listener.Close()
}

// Close implements [net.Conn].
func (c *connection) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	select {
	case c.of.room <- struct{}{}:
	default:
	}
	return c.Conn.Close()
}

// CloseWrite has net/http end an answer gently, as it does without the wrapper.
func (c *connection) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

// connectionKey is the key of a request's connection in its context.
type connectionKey struct{}

// withConnection fits [http.Server].ConnContext.
func withConnection(ctx context.Context, conn net.Conn) context.Context {
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn()
	}
	return context.WithValue(ctx, connectionKey{}, conn)
}

// connectionOf returns the connection of a request; nil if it came by none that
// is counted.
func connectionOf(ctx context.Context) *connection {
	conn, _ := ctx.Value(connectionKey{}).(*connection)
	return conn
}
