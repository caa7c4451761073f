package sts

import (
	"context"
	"crypto/sha1"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/jwt"
)

const (
	// keysLast is how long an issuer's keys are cached.
	keysLast = time.Minute
	// keysFresh is the minimum age of cached keys before a token with an unknown key
	// ID makes localaws fetch them again.
	keysFresh = 5 * time.Second
	// issuerPatience is the timeout of all requests to an issuer.
	issuerPatience = 5 * time.Second
	// maxIssuerAnswer bounds a response in bytes.
	maxIssuerAnswer = 256 << 10
)

// issuers caches the keys of identity providers. Its zero value is ready to use.
type issuers struct {
	mu   sync.Mutex
	keys map[string]issuerKeys // by URL
}

// issuerKeys are the keys of an issuer at a time.
type issuerKeys struct {
	jwt.Keys
	at time.Time
}

// unreachableError means that an identity provider did not answer.
type unreachableError struct{ error }

func (e *unreachableError) Unwrap() error { return e.error }

// verify verifies that the provider signed a token, with cached keys or, if those do
// not match, with new ones.
func (i *issuers) verify(ctx context.Context, provider account.Provider, token *jwt.Token) error {
	i.mu.Lock()
	known, ok := i.keys[provider.URL]
	i.mu.Unlock()
	// The emulated clock may stand still.
	if age := time.Since(known.at); ok && age < keysLast {
		if err := token.Verify(known.Keys); !errors.Is(err, jwt.ErrKey) || age < keysFresh {
			return err
		}
	}
	keys, err := fetchKeys(ctx, provider)
	if err != nil {
		return err
	}
	i.keep(provider.URL, issuerKeys{keys, time.Now()})
	return token.Verify(keys)
}

// keep caches the keys of an issuer and drops expired ones.
func (i *issuers) keep(url string, keys issuerKeys) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.keys == nil {
		i.keys = map[string]issuerKeys{}
	}
	maps.DeleteFunc(i.keys, func(_ string, old issuerKeys) bool { return keys.at.Sub(old.at) >= keysLast })
	i.keys[url] = keys
}

// fetchKeys fetches a provider's keys through OpenID Connect Discovery.
func fetchKeys(ctx context.Context, provider account.Provider) (jwt.Keys, error) {
	ctx, cancel := context.WithTimeout(ctx, issuerPatience)
	defer cancel()
	client := &http.Client{
		// Ignore proxies in the environment.
		Transport: &http.Transport{
			DialContext: dialLoopback, DialTLSContext: dialTLS(provider), DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	var discovered struct {
		Issuer  string `json:"issuer"`
		JWKSURI string `json:"jwks_uri"`
	}
	text, err := get(ctx, client, strings.TrimSuffix(provider.URL, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &discovered); err != nil {
		return nil, fmt.Errorf("reading the discovery document of %s: %w", provider.URL, err)
	}
	if discovered.Issuer != provider.URL {
		return nil, fmt.Errorf("the discovery document of %s names another issuer, %q", provider.URL, discovered.Issuer)
	}
	if text, err = get(ctx, client, discovered.JWKSURI); err != nil {
		return nil, err
	}
	return jwt.ParseKeys(text)
}

func get(ctx context.Context, client *http.Client, url string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, err
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, &unreachableError{err}
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxIssuerAnswer+1))
	switch {
	case err != nil:
		return nil, &unreachableError{fmt.Errorf("reading the response of %s: %w", url, err)}
	case answer.StatusCode >= http.StatusInternalServerError:
		return nil, &unreachableError{fmt.Errorf("%s answers %s", url, answer.Status)}
	case answer.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s answers %s", url, answer.Status)
	case len(text) > maxIssuerAnswer:
		return nil, fmt.Errorf("the response of %s is longer than %d bytes", url, maxIssuerAnswer)
	}
	return text, nil
}

// errNotLoopback means that an identity provider is on another machine.
var errNotLoopback = errors.New("localaws reaches identity providers only at localhost or a loopback address")

// dialLoopback connects to this machine only. It does not resolve names, because
// that would use the network.
func dialLoopback(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	hosts := []string{host}
	if name := strings.TrimSuffix(strings.ToLower(host), "."); name == "localhost" || strings.HasSuffix(name, ".localhost") {
		hosts = []string{"127.0.0.1", "::1"}
	}
	for _, host := range hosts {
		ip, notIP := netip.ParseAddr(host)
		if notIP != nil || !ip.Unmap().IsLoopback() {
			return nil, errNotLoopback
		}
		var connection net.Conn
		if connection, err = (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort(host, port)); err == nil {
			return connection, nil
		}
	}
	return nil, err
}

// dialTLS returns a function that trusts the provider's certificate if a thumbprint
// matches it, or matches a certificate in its chain that signed it; otherwise the
// system's roots decide.
func dialTLS(to account.Provider) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		connection, err := dialLoopback(ctx, network, address)
		if err != nil {
			return nil, err
		}
		host, _, _ := net.SplitHostPort(address) // the host that was dialled
		secured := tls.Client(connection, &tls.Config{
			ServerName: host, MinVersion: tls.VersionTLS12,
			InsecureSkipVerify: true, // VerifyConnection replaces it
			VerifyConnection: func(state tls.ConnectionState) error {
				options := x509.VerifyOptions{DNSName: host, Intermediates: x509.NewCertPool()}
				for _, certificate := range state.PeerCertificates {
					options.Intermediates.AddCert(certificate)
					if thumbed(to, certificate) {
						options.Roots = x509.NewCertPool()
						options.Roots.AddCert(certificate)
					}
				}
				_, err := state.PeerCertificates[0].Verify(options)
				return err
			},
		})
		if err := secured.HandshakeContext(ctx); err != nil {
			_ = connection.Close()
			return nil, err
		}
		return secured, nil
	}
}

// thumbed reports whether a thumbprint matches the certificate.
func thumbed(of account.Provider, certificate *x509.Certificate) bool {
	sum := sha1.Sum(certificate.Raw)
	return slices.ContainsFunc(of.Thumbprints, func(thumbprint string) bool {
		return strings.EqualFold(thumbprint, hex.EncodeToString(sum[:]))
	})
}
