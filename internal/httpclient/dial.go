package httpclient

import (
	"bufio"
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
)

var errOtherProxy = errors.New("only the base transport can use the proxy")

// connect makes a connection for a request, through a proxy if there is one.
func (t *Transport) connect(r *http.Request) (*connection, error) {
	ctx := r.Context()
	proxy, err := t.base.Proxy(r)
	switch {
	case err != nil:
		return nil, fmt.Errorf("finding the proxy: %w", err)
	case proxy == nil:
		return t.dial(ctx, r.URL)
	case r.URL.Scheme != "https" || proxy.Scheme != "http" && proxy.Scheme != "https":
		return nil, errOtherProxy
	}
	c, err := t.dial(ctx, proxy)
	if err != nil {
		return nil, fmt.Errorf("connecting to proxy %s: %w", proxy.Host, err)
	}
	if err := interruptible(ctx, c, func() error { return tunnel(c, proxy, address(r.URL)) }); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("sending CONNECT to proxy %s: %w", proxy.Host, err)
	}
	return t.over(ctx, c.Conn, c.socket, r.URL)
}

// dial connects to the host of a URL.
func (t *Transport) dial(ctx context.Context, to *url.URL) (*connection, error) {
	conn, err := t.base.DialContext(ctx, "tcp", address(to))
	if err != nil {
		return nil, err
	}
	s := newSocket(conn)
	return t.over(ctx, s, s, to)
}

// over returns a connection over conn, which leads to the host of a URL, with TLS if the
// scheme is https.
func (t *Transport) over(ctx context.Context, conn net.Conn, s *socket, to *url.URL) (*connection, error) {
	if to.Scheme != "https" {
		return newConnection(originOf(to), conn, s), nil
	}
	config := t.base.TLSClientConfig.Clone()
	config.NextProtos = []string{"http/1.1"}
	config.ServerName = cmp.Or(config.ServerName, to.Hostname())
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // the handshake may have closed it
		return nil, err
	}
	return newConnection(originOf(to), secure, s), nil
}

// tunnel has the proxy at the other end of a connection connect it to an address.
func tunnel(conn net.Conn, proxy *url.URL, to string) error {
	request := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: to}, Host: to, Header: http.Header{}}
	if proxy.User != nil {
		password, _ := proxy.User.Password()
		credentials := proxy.User.Username() + ":" + password
		request.Header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(credentials)))
	}
	if err := request.Write(conn); err != nil {
		return err
	}
	in := bufio.NewReader(io.LimitReader(conn, maxHeaders))
	answer, err := readAnswer(in, request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	switch {
	case answer.StatusCode != http.StatusOK:
		return fmt.Errorf("the answer is HTTP %d", answer.StatusCode)
	case in.Buffered() > 0:
		return errors.New("trailing data after the answer")
	}
	return nil
}

// An origin identifies connections that can serve the same requests.
type origin struct{ scheme, host string }

// originOf returns the origin of a URL.
func originOf(u *url.URL) origin { return origin{u.Scheme, u.Host} }

// address returns the host and port of a URL.
func address(u *url.URL) string {
	port := "80"
	if u.Scheme == "https" {
		port = "443"
	}
	return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port))
}
