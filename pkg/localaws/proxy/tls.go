package proxy

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"strings"
)

// ListenTLS ends TLS on a listener as behind CONNECT, for clients that are led
// here by DNS. Whoever is not allowed, or asks for no name of AWS's, is hung up on.
func (p *Proxy) ListenTLS(listener net.Listener) net.Listener {
	return tls.NewListener(Only(listener, p.config.Allow, p.config.Log), p.tlsConfig(""))
}

// ServeTLS answers what comes through that listener, as behind CONNECT. Control
// endpoints are not there.
func (p *Proxy) ServeTLS(w http.ResponseWriter, r *http.Request) {
	// A connection that goes on with an older session was not asked for its name.
	name := hostname(r.Host)
	if r.TLS == nil || !IsAWS(name) || !strings.EqualFold(name, r.TLS.ServerName) {
		p.refuse(w, r, "the Host is not the name that TLS was begun for")
		return
	}
	p.config.AWS.ServeHTTP(w, r)
}

// tlsConfig has a certificate for the name that a client asks for; for host, if
// it asks for none, as clients do that dial an address.
func (p *Proxy) tlsConfig(host string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"http/1.1"},
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			name := hello.ServerName
			if name == "" {
				name = host
			}
			if !IsAWS(name) {
				p.config.Log.Warn("refused", "name", name, "from", hello.Conn.RemoteAddr(), "why", "TLS is for AWS's names only")
				return nil, fmt.Errorf("%q is not AWS's", name)
			}
			return p.config.CA.Certificate(name)
		},
	}
}
