package sts

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// maxSilent bounds the open connections to the dead region; further ones are closed.
const maxSilent = 8192

// Proxy opens a CONNECT proxy for one client and returns its URL. Each client has
// its own, so that none waits for another's connections.
func (s *Standin) Proxy() (string, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("opening a proxy: %w", err)
	}
	p := &proxy{Listener: listener, tunnels: s.tunnels, silent: map[net.Conn]bool{}}
	s.mu.Lock()
	s.proxies = append(s.proxies, p)
	s.mu.Unlock()
	s.serving.Go(p.serve)
	return "http://" + listener.Addr().String(), nil
}

// proxy ends the tunnels itself, to avoid a second hop.
type proxy struct {
	net.Listener
	tunnels *tunnels

	mu     sync.Mutex
	closed bool
	silent map[net.Conn]bool
}

func (p *proxy) serve() {
	for {
		conn, err := p.Accept()
		if err != nil {
			return
		}
		go p.connect(conn)
	}
}

func (p *proxy) connect(conn net.Conn) {
	_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
	request, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil || request.Method != http.MethodConnect {
		_ = conn.Close()
		return
	}
	_ = conn.SetReadDeadline(time.Time{})
	switch request.Host {
	case Host(Region) + ":443":
		// The client sends nothing before this response, so the reader above holds
		// no bytes of the tunnel.
		if _, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n"); err != nil {
			_ = conn.Close()
			return
		}
		p.tunnels.add(conn)
	case Host(DeadRegion) + ":443":
		p.staySilent(conn)
	default:
		_, _ = io.WriteString(conn, "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")
		_ = conn.Close()
	}
}

// staySilent holds a connection until the client gives up.
func (p *proxy) staySilent(conn net.Conn) {
	defer conn.Close()
	if !p.hold(conn) {
		return
	}
	_, _ = io.Copy(io.Discard, conn)
	p.mu.Lock()
	delete(p.silent, conn)
	p.mu.Unlock()
}

func (p *proxy) hold(conn net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.silent) >= maxSilent {
		return false
	}
	p.silent[conn] = true
	return true
}

func (p *proxy) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for conn := range p.silent {
		_ = conn.Close()
	}
	return p.Listener.Close()
}

// tunnels is a listener whose connections have come through a proxy.
type tunnels struct {
	config *tls.Config
	opened chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newTunnels(config *tls.Config) *tunnels {
	return &tunnels{config: config, opened: make(chan net.Conn), closed: make(chan struct{})}
}

func (t *tunnels) add(conn net.Conn) {
	select {
	case t.opened <- tls.Server(conn, t.config):
	case <-t.closed:
		_ = conn.Close()
	}
}

func (t *tunnels) Accept() (net.Conn, error) {
	select {
	case conn := <-t.opened:
		return conn, nil
	case <-t.closed:
		return nil, net.ErrClosed
	}
}

func (t *tunnels) Close() error {
	t.once.Do(func() { close(t.closed) })
	return nil
}

func (t *tunnels) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 443} }
