package localaws

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

	"github.com/kube-iam/authenticator/pkg/localaws/jwt"
)

const (
	// keysLast is how long an issuer's keys are good for without asking again.
	keysLast = time.Minute
	// keysFresh is how old they must be to be asked for again because of a token
	// that names a key which is not among them.
	keysFresh = 5 * time.Second
	// issuerPatience is how long an issuer may take to answer in all.
	issuerPatience = 5 * time.Second
	// maxIssuerAnswer is how long an answer may be in bytes.
	maxIssuerAnswer = 256 << 10
)

// issuers keeps what identity providers sign with, for a while. Its zero value is
// ready.
type issuers struct {
	mu   sync.Mutex
	keys map[string]issuerKeys // by URL
}

// issuerKeys are the keys of an issuer as they were at a time.
type issuerKeys struct {
	jwt.Keys
	at time.Time
}

// unreachableError means that an identity provider gave no answer.
type unreachableError struct{ error }

// verify that the provider signed a token: by the keys that it had a moment ago, or
// by those that it has now.
func (i *issuers) verify(ctx context.Context, provider oidcProvider, token *jwt.Token, now time.Time) error {
	i.mu.Lock()
	known, ok := i.keys[provider.URL]
	i.mu.Unlock()
	if age := now.Sub(known.at); ok && age >= 0 && age < keysLast {
		if err := token.Verify(known.Keys); !errors.Is(err, jwt.ErrKey) || age < keysFresh {
			return err
		}
	}
	keys, err := fetchKeys(ctx, provider)
	if err != nil {
		return err
	}
	i.keep(provider.URL, issuerKeys{keys, now})
	return token.Verify(keys)
}

// keep the keys of an issuer, and no longer those that are good for nothing more.
func (i *issuers) keep(url string, keys issuerKeys) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.keys == nil {
		i.keys = map[string]issuerKeys{}
	}
	maps.DeleteFunc(i.keys, func(_ string, old issuerKeys) bool { return keys.at.Sub(old.at) >= keysLast })
	i.keys[url] = keys
}

// fetchKeys asks a provider for its keys, as OpenID Connect Discovery has it.
func fetchKeys(ctx context.Context, provider oidcProvider) (jwt.Keys, error) {
	ctx, cancel := context.WithTimeout(ctx, issuerPatience)
	defer cancel()
	client := &http.Client{
		// No proxy, whatever the environment says.
		Transport: &http.Transport{
			DialContext: dialLoopback, DialTLSContext: provider.dialTLS, DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10,
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
		return nil, fmt.Errorf("the discovery document of %s is of the issuer %q", provider.URL, discovered.Issuer)
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
		return nil, &unreachableError{fmt.Errorf("reading the answer of %s: %w", url, err)}
	case answer.StatusCode >= http.StatusInternalServerError:
		return nil, &unreachableError{fmt.Errorf("%s answers %s", url, answer.Status)}
	case answer.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s answers %s", url, answer.Status)
	case len(text) > maxIssuerAnswer:
		return nil, fmt.Errorf("the answer of %s is longer than %d bytes", url, maxIssuerAnswer)
	}
	return text, nil
}

// errNotLoopback means that an identity provider is elsewhere.
var errNotLoopback = errors.New("localaws asks identity providers on this machine only: at localhost, or at a loopback address")

// dialLoopback connects to this machine alone. It looks up no names, for that would
// go over the network, too.
func dialLoopback(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	hosts := []string{host}
	if name := strings.TrimSuffix(lower(host), "."); name == "localhost" || strings.HasSuffix(name, ".localhost") {
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

// dialTLS trusts the provider's certificate if one of its thumbprints is that of the
// certificate, or of one that came along and vouches for it; else as the system does.
func (o *oidcProvider) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	connection, err := dialLoopback(ctx, network, address)
	if err != nil {
		return nil, err
	}
	host, _, _ := net.SplitHostPort(address) // which was dialled
	secured := tls.Client(connection, &tls.Config{
		ServerName: host, MinVersion: tls.VersionTLS12,
		InsecureSkipVerify: true, // in favour of what follows
		VerifyConnection: func(state tls.ConnectionState) error {
			options := x509.VerifyOptions{DNSName: host, Intermediates: x509.NewCertPool()}
			for _, certificate := range state.PeerCertificates {
				options.Intermediates.AddCert(certificate)
				if o.thumbed(certificate) {
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

// thumbed reports whether a thumbprint is the certificate's.
func (o *oidcProvider) thumbed(certificate *x509.Certificate) bool {
	sum := sha1.Sum(certificate.Raw)
	return slices.ContainsFunc(o.Thumbprints, func(thumbprint string) bool {
		return strings.EqualFold(thumbprint, hex.EncodeToString(sum[:]))
	})
}
