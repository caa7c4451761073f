package main

import (
	"context"
	"crypto/x509"
	"net/http/httptrace"
	"sync"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// trustPublicCAs makes TLS fall back to the public CAs where the system has none, as
// in a scratch image. Call it once per process.
//
// Importing x509roots/fallback would do the same at the start of every command,
// and parsing the CAs takes longer than making a token.
func trustPublicCAs() {
	pool := x509.NewCertPool()
	for root := range bundle.Roots() {
		certificate, err := x509.ParseCertificate(root.Certificate)
		switch {
		case err != nil: // the bundle's own tests check that each parses
		case root.Constraint != nil:
			pool.AddCertWithConstraint(certificate, root.Constraint)
		default:
			pool.AddCert(certificate)
		}
	}
	x509.SetFallbackRoots(pool)
}

// withPublicCAs returns a context in which the first TLS handshake calls
// trustPublicCAs. Most tokens are made without a request.
func withPublicCAs(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{TLSHandshakeStart: sync.OnceFunc(trustPublicCAs)})
}
