package proxy

import (
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"sync"
)

// A singleListener accepts one connection, and ends when it closes.
type singleListener struct {
	address  net.Addr
	accepted chan net.Conn
	closed   chan struct{}
	close    func()
}

// newSingleListener wraps a connection before it is accepted: net/http recognises a
// TLS connection only by its type.
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

// A closingConn closes its listener when it closes.
type closingConn struct {
	net.Conn
	end func()
}

func (c *closingConn) Close() error {
	c.end()
	return c.Conn.Close()
}

// notAllowed is the reason for rejecting a client's address.
const notAllowed = "clients at this address are not allowed (serve --allow adds networks)"

// allowed reports whether a client is on this machine or in one of the networks.
func allowed(remote string, networks []netip.Prefix) bool {
	address, err := netip.ParseAddrPort(remote)
	if err != nil {
		return false
	}
	ip := address.Addr().Unmap()
	return ip.IsLoopback() || slices.ContainsFunc(networks, func(network netip.Prefix) bool { return network.Contains(ip) })
}

// An onlyListener accepts allowed clients only.
type onlyListener struct {
	net.Listener
	networks []netip.Prefix
	log      *slog.Logger
}

// Only closes connections from clients that are neither on this machine nor in one
// of the networks.
func Only(listener net.Listener, networks []netip.Prefix, log *slog.Logger) net.Listener {
	return &onlyListener{listener, networks, log}
}

func (l *onlyListener) Accept() (net.Conn, error) {
	for {
		connection, err := l.Listener.Accept()
		if err != nil || allowed(connection.RemoteAddr().String(), l.networks) {
			return connection, err
		}
		l.log.Warn("refused", "from", connection.RemoteAddr(), "why", notAllowed)
		_ = connection.Close()
	}
}
