// Package proxy connects clients of AWS to a local AWS: it is an HTTP proxy that
// terminates TLS for AWS's names in process, with certificates of a CA that is
// constrained to them.
//
// A client needs two variables, HTTPS_PROXY and AWS_CA_BUNDLE; its host names,
// signatures and tokens are then the same, byte for byte, as with AWS. The same holds if
// DNS resolves AWS's names to a listener of [Proxy.ListenTLS]. The proxy dials only
// the API servers of registered clusters, so that a misconfigured client cannot
// reach the real AWS.
package proxy

import (
	"bufio"
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

	"github.com/kube-iam/authenticator/pkg/localaws/internal/httpserver"
)

// Config configures [New]. CA and AWS are required.
type Config struct {
	CA *CA
	// AWS answers API calls to any of AWS's hosts.
	AWS http.Handler
	// Control answers paths under /_localaws/, only for this machine and under a
	// loopback name. Nil means none.
	Control http.Handler
	// Endpoint returns where to dial for the host and port of a registered cluster.
	// Nil means no clusters.
	Endpoint func(hostPort string) (address string, ok bool)
	// Allow are the networks, besides loopback, of allowed clients.
	Allow []netip.Prefix
	// Log records rejected requests. Nil means no log.
	Log *slog.Logger
}

// ControlPrefix is the prefix of the control endpoints' paths.
const ControlPrefix = "/_localaws/"

// Proxy is a handler for CONNECT and plain requests.
type Proxy struct {
	config Config

	mu     sync.Mutex
	closed bool
	open   map[io.Closer]struct{}
	wait   sync.WaitGroup
}

// New returns a proxy.
func New(config Config) (*Proxy, error) {
	if config.CA == nil || config.AWS == nil {
		return nil, errors.New("creating the proxy: a CA and a handler are required")
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

// ServeHTTP answers CONNECT with a tunnel, and other requests as API calls, from
// clients with this proxy's URL as their endpoint.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case !allowed(r.RemoteAddr, p.config.Allow):
		p.refuse(w, r, notAllowed)
	case r.Method == http.MethodConnect:
		p.connect(w, r)
	case strings.HasPrefix(r.URL.Path, ControlPrefix):
		p.control(w, r)
	case !isLoopback(r.Host) && !IsAWS(hostname(r.Host)) && len(p.config.Allow) == 0:
		p.refuse(w, r, "the Host must be AWS's or loopback")
	default:
		p.config.AWS.ServeHTTP(w, r)
	}
}

func (p *Proxy) refuse(w http.ResponseWriter, r *http.Request, why string) {
	p.config.Log.Warn("refused", "method", r.Method, "host", r.Host, "from", r.RemoteAddr, "why", why)
	http.Error(w, "localaws: "+why, http.StatusForbidden)
}

// refuseTunnel rejects a CONNECT to a host that the proxy does not dial. Clients hide
// the body of such an answer but show its status line (Go, Python, curl -v), so that
// says how to leave.
func (p *Proxy) refuseTunnel(w http.ResponseWriter, r *http.Request) {
	why, body := refusal(r.Host)
	p.config.Log.Warn("refused", "method", r.Method, "host", r.Host, "from", r.RemoteAddr, "why", why)
	connection, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		p.config.Log.Error("hijacking a connection failed", "error", err)
		return
	}
	defer func() { _ = connection.Close() }()
	_ = connection.SetDeadline(time.Now().Add(5 * time.Second)) // a client that reads nothing must not hold it
	fmt.Fprintf(buffered, "HTTP/1.1 403 %s\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", why, len(body), body)
	_ = buffered.Flush() // the client may be gone
}

// NoServer is the domain of the endpoints of clusters without an API server. Its names
// resolve nowhere (RFC 6761).
const NoServer = ".localaws.invalid"

// refusal returns why the proxy does not dial a host, in a line, and what to do.
func refusal(hostPort string) (why, body string) {
	if strings.HasSuffix(strings.ToLower(hostname(hostPort)), NoServer) {
		return "localaws: no API server is bound to this cluster, which is a record (localaws serve --cluster-endpoint binds one)",
			"localaws: " + hostPort + " is the endpoint of a cluster that is a record: no API server runs. Bind one:\n" +
				"  localaws serve --cluster-endpoint NAME=https://HOST:PORT --cluster-ca NAME=FILE\n"
	}
	return "localaws dials only AWS and its clusters; leave it with unset HTTPS_PROXY https_proxy",
		"localaws: " + hostPort + " is neither a host of AWS on port 443 nor a registered cluster, and this proxy dials no others.\n" +
			"To reach it, add it to NO_PROXY and no_proxy, or leave localaws in this shell:\n" +
			"  eval \"$(localaws env --unset)\"   # in a lab: eval \"$(lab env --unset)\"\n"
}

// control serves the control endpoints to this machine only, and to no browser. A
// browser that resolves a foreign name to loopback (DNS rebinding) still sends that
// name, and one that loads from a foreign page says so.
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
		p.refuse(w, r, "CONNECT requires host:port")
		return
	}
	// Clusters first: an endpoint may have one of AWS's names.
	if address, ok := p.config.Endpoint(r.Host); ok {
		p.tunnel(w, r, address)
		return
	}
	if port != "443" || !IsAWS(host) {
		p.refuseTunnel(w, r)
		return
	}
	connection, err := hijack(w)
	if err != nil {
		p.config.Log.Error("hijacking a connection failed", "error", err)
		return
	}
	p.terminate(connection, host)
}

// terminate terminates TLS and answers the API calls inside.
func (p *Proxy) terminate(connection net.Conn, host string) {
	server := httpserver.New(p.config.AWS, p.config.Log)
	if !p.track(server) {
		_ = connection.Close()
		return
	}
	defer p.untrack(server)
	overTLS := func(connection net.Conn) net.Conn { return secure(connection, p.tlsConfig(host)) }
	_ = server.Serve(newSingleListener(connection, overTLS)) // returns when the connection closes
}

// tunnel copies bytes between the client and a registered cluster.
func (p *Proxy) tunnel(w http.ResponseWriter, r *http.Request, address string) {
	upstream, err := (&net.Dialer{Timeout: 5 * time.Second}).DialContext(r.Context(), "tcp", address)
	if err != nil {
		http.Error(w, "localaws: dialling the cluster's endpoint: "+err.Error(), http.StatusBadGateway)
		return
	}
	client, err := hijack(w)
	if err != nil {
		_ = upstream.Close()
		p.config.Log.Error("hijacking a connection failed", "host", r.Host, "error", err)
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

// A pair of connections closes as one.
type pair struct{ client, upstream net.Conn }

func (p *pair) Close() error { return errors.Join(p.client.Close(), p.upstream.Close()) }

// track records what Close must close, and returns false after Close.
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

// Close closes all tunnels: the http.Server that accepted them no longer tracks
// them.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	for c := range p.open {
		_ = c.Close()
	}
	p.mu.Unlock()
	p.wait.Wait()
}

// hijack hijacks a connection and confirms the tunnel.
func hijack(w http.ResponseWriter) (net.Conn, error) {
	connection, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return nil, err
	}
	err = connection.SetDeadline(time.Time{}) // clear the request's deadline
	if err == nil {
		_, err = io.WriteString(connection, "HTTP/1.1 200 Connection established\r\n\r\n")
	}
	if err != nil {
		return nil, errors.Join(err, connection.Close())
	}
	return &bufferedConn{connection, buffered.Reader}, nil
}

// A bufferedConn begins with the bytes that net/http has already read.
type bufferedConn struct {
	net.Conn
	reader *bufio.Reader
}

func (c *bufferedConn) Read(b []byte) (int, error) { return c.reader.Read(b) }

// hostname returns a host without its port.
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
