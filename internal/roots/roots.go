// Package roots has the CAs that TLS trusts beside those of the system: the public ones, and
// those of $AWS_CA_BUNDLE.
package roots

import (
	"context"
	"crypto/x509"
	"net/http/httptrace"
	"sync"

	"golang.org/x/crypto/x509roots/fallback/bundle"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/file"
)

// TrustPublic makes TLS fall back to the public CAs where the system has none, as
// in a scratch image.
//
// Importing x509roots/fallback would do the same at the start of every command,
// and parsing the CAs takes longer than making a token.
func TrustPublic() { _ = trustPublic() }

// trustPublic acts once, since a process can set its fallback once. A command that makes
// a token and then verifies it has two reasons to.
var trustPublic = sync.OnceValue(func() *x509.CertPool {
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
	return pool
})

// WithPublic returns a context in which the first TLS handshake calls
// TrustPublic. Most tokens are made without a request.
func WithPublic(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{TLSHandshakeStart: sync.OnceFunc(TrustPublic)})
}

// Bundle returns the CAs of AWS_CA_BUNDLE, which every AWS tool honours; nil, for
// the system's CAs, if the variable is not set.
func Bundle(ctx context.Context, getenv func(string) string) (*x509.CertPool, error) {
	path := getenv("AWS_CA_BUNDLE")
	if path == "" {
		return nil, nil
	}
	content, err := file.Read(ctx, path, file.MaxSettings)
	if err != nil {
		return nil, cli.Usagef("reading $AWS_CA_BUNDLE: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(content) {
		return nil, cli.Usagef("reading $AWS_CA_BUNDLE: %q contains no certificate", path)
	}
	return pool, nil
}
