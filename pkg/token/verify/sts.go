package verify

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/token"
)

// maxAnswer is how much of an answer is read. STS's have less than 1 KiB.
const maxAnswer = 64 * 1024

// retryWithin is how soon a try must have failed to be repeated. A repeat mends a
// connection that had died while idle; after a time-out it would hold up others
// for as long again.
const retryWithin = time.Second

// Config of [New]. The zero value is ready for use.
type Config struct {
	// Transport sends the requests. Nil means one of its own with a pool of
	// connections, which honours HTTPS_PROXY.
	Transport http.RoundTripper
	// RootCAs that vouch for STS, if Transport is nil. Nil means the system's.
	RootCAs *x509.CertPool
	// Dial has what to connect to in place of a host and port, by that, if Transport
	// is nil. What is sent is the same.
	Dial map[string]string
	// MaxIdleConnections to each STS host: as many as there are requests to one host
	// at once. Zero means 64.
	MaxIdleConnections int
	// Timeout of a verification, its repeat included. Zero means 4 s.
	Timeout time.Duration
	// UserAgent that STS sees. Empty means kube-iam-authenticator.
	UserAgent string
	// Observe is called after every try. Nil means never.
	Observe func(Observation)
}

// Observation is one try at STS.
type Observation struct {
	Region string
	// Status is the HTTP status; 0 means that there was no answer.
	Status int
	// Throttled: STS said that it has too many requests.
	Throttled bool
	Duration  time.Duration
}

// STS asks AWS STS. It is safe for concurrent use.
type STS struct {
	config Config
	// own is the transport that New made; nil if it was given one.
	own *http.Transport
}

// New makes a verifier that asks AWS STS.
func New(config Config) *STS {
	config.MaxIdleConnections = cmp.Or(config.MaxIdleConnections, 64)
	config.Timeout = cmp.Or(config.Timeout, 4*time.Second)
	config.UserAgent = cmp.Or(config.UserAgent, "kube-iam-authenticator")
	if config.Observe == nil {
		config.Observe = func(Observation) {}
	}
	s := &STS{config: config}
	if config.Transport == nil {
		s.own = newTransport(config)
		s.config.Transport = s.own
	}
	return s
}

// newTransport keeps as many connections to a host as are used at once: with
// net/http's two, every burst pays for TLS handshakes. A request never waits for
// a connection of another: their number has no limit, since whoever limits
// requests limits them too, and HTTP/2, which STS does not speak, is off.
func newTransport(config Config) *http.Transport {
	dialer := &net.Dialer{Timeout: 3 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, cmp.Or(config.Dial[address], address))
		},
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: config.RootCAs},
		TLSHandshakeTimeout: 3 * time.Second,
		// Junk for some hosts does not push out the connections to others.
		MaxIdleConns:        4 * config.MaxIdleConnections,
		MaxIdleConnsPerHost: config.MaxIdleConnections,
		IdleConnTimeout:     90 * time.Second,
		DisableCompression:  true,
	}
}

// Close closes the connections that are idle.
func (s *STS) Close() {
	if s.own != nil {
		s.own.CloseIdleConnections()
	}
}

// Verify sends the request to STS and returns who signed it. The cluster's ID is
// sent in the signed header: a token that was made for another cluster fails
// STS's signature check. A try that gets no answer, or a 5xx, is repeated once if
// it failed quickly.
func (s *STS) Verify(ctx context.Context, clusterID string, req token.Request) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	started := time.Now()
	id, err := s.try(ctx, clusterID, req)
	if isTemporary(err) && time.Since(started) < retryWithin && ctx.Err() == nil {
		id, err = s.try(ctx, clusterID, req)
	}
	return Result{Identity: id}, err
}

func isTemporary(err error) bool {
	if _, ok := errors.AsType[*UnreachableError](err); ok {
		return true
	}
	answer, ok := errors.AsType[*AnswerError](err)
	return ok && answer.Status >= http.StatusInternalServerError
}

func (s *STS) try(ctx context.Context, clusterID string, req token.Request) (identity.Identity, error) {
	started := time.Now()
	status, body, err := s.send(ctx, clusterID, req)
	observed := Observation{Region: req.Region(), Status: status, Duration: time.Since(started)}
	var id identity.Identity
	if err != nil {
		err = &UnreachableError{err}
	} else {
		id, err = understand(req, status, body)
		_, observed.Throttled = errors.AsType[*ThrottledError](err)
	}
	s.config.Observe(observed)
	return id, err
}

// send returns the status and the body. It goes without http.Client: a redirect
// would have somebody else vouch for the caller, and the errors of a Client hold
// the presigned URL, which is a credential.
func (s *STS) send(ctx context.Context, clusterID string, req token.Request) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, req.URL(), nil)
	if err != nil {
		return 0, nil, errors.New("the URL is not valid")
	}
	request.Header.Set(token.ClusterIDHeader, clusterID)
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", s.config.UserAgent)
	answer, err := s.config.Transport.RoundTrip(request)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return 0, nil, fmt.Errorf("reading the answer: %w", err)
	}
	return answer.StatusCode, body, nil
}
