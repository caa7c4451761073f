package main

import (
	"context"
	"crypto/x509"
	"net/http/httptrace"
	"sync"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// trustPublicCAs has TLS fall back on the public CAs where the system has none: a
// scratch image has no CA bundle. Call it once in a process.
//
// Importing x509roots/fallback would do the same at the start of every command,
// and parsing the CAs takes longer than making a token.
func trustPublicCAs() {
	pool := x509.NewCertPool()
	for root := range bundle.Roots() {
		certificate, err := x509.ParseCertificate(root.Certificate)
		switch {
		case err != nil: // the bundle's own tests hold that each parses
		case root.Constraint != nil:
			pool.AddCertWithConstraint(certificate, root.Constraint)
		default:
			pool.AddCert(certificate)
		}
	}
	x509.SetFallbackRoots(pool)
}

// withPublicCAs has the first request over TLS that is made with the context call
// trustPublicCAs: most tokens need none.
func withPublicCAs(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{TLSHandshakeStart: sync.OnceFunc(trustPublicCAs)})
}
