package proxy

import (
	"net"
	"sync"
)

// A singleListener accepts one connection, and ends when that one is closed.
type singleListener struct {
	address  net.Addr
	accepted chan net.Conn
	closed   chan struct{}
	close    func()
}

// newSingleListener wraps a connection before it is accepted: net/http sees that
// one is TLS's by its type alone.
func newSingleListener(connection net.Conn, wrap func(net.Conn) net.Conn) *singleListener {
	l := &singleListener{address: connection.LocalAddr(), accepted: make(chan net.Conn, 1), closed: make(chan struct{})}
	l.close = sync.OnceFunc(func() { close(l.closed) })
	l.accepted <- wrap(&closingConn{connection, l.close})
	return l
}

func (l *singleListener) Accept() (net.Conn, error) {
	select {
	case connection := <-l.accepted:
		return connection, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *singleListener) Close() error   { l.close(); return nil }
func (l *singleListener) Addr() net.Addr { return l.address }

// A closingConn ends its listener with itself.
type closingConn struct {
	net.Conn
	end func()
}

func (c *closingConn) Close() error {
	c.end()
	return c.Conn.Close()
}
