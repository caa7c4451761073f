package httpserver

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"sync/atomic"
)

// A connection is quiet while none of its requests is busy.
type connection struct {
	net.Conn
	listener   *listener
	quietSince atomic.Int64 // nanoseconds since 1970
	// busy and waiting count the requests under way. Those that wait for the client
	// wait for it to send the rest, or to take the answer.
	busy, waiting atomic.Int64
	// used is set with the first busy request, http2 with the first request.
	used, http2 atomic.Bool
	closed      atomic.Bool
}

// Read implements [net.Conn]. It waits while too many requests wait for their clients:
// the requests of a closed connection hold memory until net/http has ended them, and
// no connection may start others in the meantime.
func (c *connection) Read(p []byte) (int, error) {
	c.listener.awaitRoomFor(c)
	return c.Conn.Read(p)
}

func (c *connection) isQuieterThan(other *connection) bool {
	if used := c.used.Load(); used != other.used.Load() {
		return !used
	}
	return c.quietSince.Load() < other.quietSince.Load()
}

// Close implements [net.Conn].
func (c *connection) Close() error {
	c.listener.mu.Lock()
	c.closed.Store(true)
	delete(c.listener.open, c)
	c.listener.fewer.Broadcast() // its Read may wait
	c.listener.mu.Unlock()
	select {
	case c.listener.room <- struct{}{}:
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

// connectionOf returns the connection of a request, or nil if a [Server] did not
// accept it.
func connectionOf(ctx context.Context) *connection {
	conn, _ := ctx.Value(connectionKey{}).(*connection)
	return conn
}
