// Package proxy leads clients that believe they talk to AWS to a local AWS: an
// HTTP proxy that ends TLS for AWS's names in process, with certificates of a CA
// that can vouch for nothing else.
//
// A client needs two variables, HTTPS_PROXY and AWS_CA_BUNDLE; its host names,
// signatures and tokens are then byte for byte what they are against AWS. So they
// are if DNS leads it to a listener of [Proxy.ListenTLS]. The proxy dials nobody
// but the API servers of registered clusters, so that a misconfigured client
// cannot reach the real AWS.
package proxy

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// Config of [New]. CA and AWS must be set.
type Config struct {
	CA *CA
	// AWS answers the API calls, whichever of AWS's hosts they are sent to.
	AWS http.Handler
	// Control answers what is under /_localaws/. It is reached from this machine
	// only, and under a loopback name. Nil means that there is nothing.
	Control http.Handler
	// Endpoint is where to dial for a host and port that is a registered
	// cluster's. Nil means that there is none.
	Endpoint func(hostPort string) (address string, ok bool)
	// Allow are the networks that clients may be in, besides loopback.
	Allow []netip.Prefix
	// Log of what is refused. Nil means nowhere.
	Log *slog.Logger
}

// ControlPrefix begins the paths of the control endpoints.
const ControlPrefix = "/_localaws/"

// Proxy is the handler to listen with: it answers CONNECT and plain requests.
type Proxy struct {
	config Config

	mu     sync.Mutex
	closed bool
	open   map[io.Closer]struct{}
	wait   sync.WaitGroup
}

// New makes a proxy.
func New(config Config) (*Proxy, error) {
	if config.CA == nil || config.AWS == nil {
		return nil, errors.New("making the proxy: a CA and a handler must be given")
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if config.Control == nil {
		config.Control = http.NotFoundHandler()
	}
	if config.Endpoint == nil {
		config.Endpoint = func(string) (string, bool) { return "", false }
	}
	return &Proxy{config: config, open: map[io.Closer]struct{}{}}, nil
}

// ServeHTTP answers CONNECT by a tunnel, and all else as an API call, as clients
// send it that are given a URL of ours for their endpoint.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case !allowed(r.RemoteAddr, p.config.Allow):
		p.refuse(w, r, notAllowed)
	case r.Method == http.MethodConnect:
		p.connect(w, r)
	case strings.HasPrefix(r.URL.Path, ControlPrefix):
		p.control(w, r)
	case !isLoopback(r.Host) && !IsAWS(hostname(r.Host)) && len(p.config.Allow) == 0:
		p.refuse(w, r, "the Host is neither AWS's nor loopback")
	default:
		p.config.AWS.ServeHTTP(w, r)
	}
}

func (p *Proxy) refuse(w http.ResponseWriter, r *http.Request, why string) {
	p.config.Log.Warn("refused", "method", r.Method, "host", r.Host, "from", r.RemoteAddr, "why", why)
	http.Error(w, "localaws: "+why, http.StatusForbidden)
}

// control serves the control endpoints to this machine alone, and to no browser:
// one that was made to resolve a stranger's name to loopback still sends that
// name, and one that asks for a page of a stranger's says so.
func (p *Proxy) control(w http.ResponseWriter, r *http.Request) {
	address, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !address.Addr().Unmap().IsLoopback() || !isLoopback(r.Host) {
		p.refuse(w, r, "control endpoints are for this machine, under a loopback name")
		return
	}
	if r.Header.Get("Origin") != "" {
		p.refuse(w, r, "control endpoints are not for browsers")
		return
	}
	p.config.Control.ServeHTTP(w, r)
}

func (p *Proxy) connect(w http.ResponseWriter, r *http.Request) {
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		p.refuse(w, r, "CONNECT wants host:port")
		return
	}
	// A registered cluster first: its endpoint may well have one of AWS's names.
	if address, ok := p.config.Endpoint(r.Host); ok {
		p.tunnel(w, r, address)
		return
	}
	if port != "443" || !IsAWS(host) {
		p.refuse(w, r, fmt.Sprintf("%s is neither AWS's nor a registered cluster's, and nobody else is dialled", r.Host))
		return
	}
	connection, err := hijack(w)
	if err != nil {
		p.config.Log.Error("taking over a connection failed", "error", err)
		return
	}
	p.terminate(connection, host)
}

// terminate ends TLS and answers the API calls that come through.
func (p *Proxy) terminate(connection net.Conn, host string) {
	server := &http.Server{
		Handler:           p.config.AWS,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 * 1024,
		ErrorLog:          slog.NewLogLogger(p.config.Log.Handler(), slog.LevelDebug),
	}
	if !p.track(server) {
		_ = connection.Close()
		return
	}
	defer p.untrack(server)
	secure := func(connection net.Conn) net.Conn { return tls.Server(connection, p.tlsConfig(host)) }
	_ = server.Serve(newSingleListener(connection, secure)) // ends when the connection does
}

// tunnel copies bytes to and from a registered cluster.
func (p *Proxy) tunnel(w http.ResponseWriter, r *http.Request, address string) {
	upstream, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(r.Context(), "tcp", address)
	if err != nil {
		http.Error(w, "localaws: dialling the cluster's endpoint: "+err.Error(), http.StatusBadGateway)
		return
	}
	client, err := hijack(w)
	if err != nil {
		_ = upstream.Close()
		p.config.Log.Error("taking over a connection failed", "host", r.Host, "error", err)
		return
	}
	both := &pair{client, upstream}
	defer func() { _ = both.Close() }()
	if !p.track(both) {
		return
	}
	defer p.untrack(both)
	Splice(client, upstream)
}

// A pair of connections is closed as one.
type pair struct{ client, upstream net.Conn }

func (p *pair) Close() error { return errors.Join(p.client.Close(), p.upstream.Close()) }

// track remembers what Close has to close; false means that it has been called.
func (p *Proxy) track(c io.Closer) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	p.open[c] = struct{}{}
	p.wait.Add(1)
	return true
}

func (p *Proxy) untrack(c io.Closer) {
	p.mu.Lock()
	delete(p.open, c)
	p.mu.Unlock()
	p.wait.Done()
}

// Close ends all tunnels: the http.Server that accepted them does not know of
// them any more.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	for c := range p.open {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.wait.Wait()
}

// hijack takes a connection over from net/http and says that the tunnel stands.
func hijack(w http.ResponseWriter) (net.Conn, error) {
	connection, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, err
	}
	err = connection.SetDeadline(time.Time{}) // that of the request does not hold for the tunnel
	if err == nil {
		_, err = io.WriteString(connection, "HTTP/1.1 200 Connection established\r\n\r\n")
	}
	if err != nil {
		return nil, errors.Join(err, connection.Close())
	}
	return &bufferedConn{connection, buffered.Reader}, nil
}

// A bufferedConn begins with what net/http had read already.
type bufferedConn struct {
	net.Conn
	reader *bufio.Reader
}

func (c *bufferedConn) Read(b []byte) (int, error) { return c.reader.Read(b) }

// hostname is a host without its port.
func hostname(hostPort string) string {
	if host, _, err := net.SplitHostPort(hostPort); err == nil {
		return host
	}
	return strings.Trim(hostPort, "[]")
}

func isLoopback(hostPort string) bool {
	host := hostname(hostPort)
	if host == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.IsLoopback()
}
