package proxy

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"
)

// ListenTLS terminates TLS on a listener, as behind CONNECT, for clients that DNS
// sends here. It closes connections of clients that are not allowed, or that ask for
// another name than AWS's.
func (p *Proxy) ListenTLS(listener net.Listener) net.Listener {
	return &tlsListener{Only(listener, p.config.Allow, p.config.Log), p.tlsConfig("")}
}

// A tlsListener terminates TLS on the connections of a listener.
type tlsListener struct {
	net.Listener
	config *tls.Config
}

func (l *tlsListener) Accept() (net.Conn, error) {
	connection, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return secure(connection, l.config), nil
}

// handshakeTimeout bounds a handshake. net/http alone would give it as long as a
// connection may wait for its first request.
const handshakeTimeout = 10 * time.Second

// A handshake is a connection that closes unless its TLS handshake is done in time.
type handshake struct {
	net.Conn
	late *time.Timer
}

// secure returns the server's side of a TLS connection, with a config of tlsConfig.
func secure(connection net.Conn, config *tls.Config) net.Conn {
	return tls.Server(&handshake{connection, time.AfterFunc(handshakeTimeout, func() { _ = connection.Close() })}, config)
}

// ServeTLS serves such a listener, as behind CONNECT. It does not serve control
// endpoints.
func (p *Proxy) ServeTLS(w http.ResponseWriter, r *http.Request) {
	// A resumed session may be for another name, which nobody checked.
	name := hostname(r.Host)
	if r.TLS == nil || !IsAWS(name) || !strings.EqualFold(name, r.TLS.ServerName) {
		p.refuse(w, r, "the Host differs from the name in the TLS handshake")
		return
	}
	p.config.AWS.ServeHTTP(w, r)
}

// tlsConfig has a certificate for the name that a client asks for; for host if it
// asks for none, as clients that dial an address do.
func (p *Proxy) tlsConfig(host string) *tls.Config {
	config := &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			name := hello.ServerName
			if name == "" {
				name = host
			}
			if !IsAWS(name) {
				p.config.Log.Warn("refused", "name", name, "from", hello.Conn.RemoteAddr(), "why", "expected the name of an AWS host")
				return nil, fmt.Errorf("%q is not the name of an AWS host", name)
			}
			return p.config.CA.Certificate(name)
		},
	}
	config.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		one := config.Clone()
		one.VerifyConnection = func(tls.ConnectionState) error {
			hello.Conn.(*handshake).late.Stop()
			return nil
		}
		return one, nil
	}
	return config
}
