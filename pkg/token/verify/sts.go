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
	"net/url"
	"time"

	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/token"
)

// maxAnswer is how much of an answer is read. STS's have less than 1 KiB.
const maxAnswer = 64 * 1024

// Config of [New]. The zero value is ready for use.
type Config struct {
	// Client sends the requests. Nil means one of its own with a pool of
	// connections, which honours HTTPS_PROXY. Redirects are never followed.
	Client *http.Client
	// RootCAs that vouch for STS, if Client is nil. Nil means the system's.
	RootCAs *x509.CertPool
	// Dial has what to connect to in place of a host and port, by that, if Client
	// is nil. What is sent is the same.
	Dial map[string]string
	// MaxConnections to each STS host, idle ones too. Zero means 64.
	MaxConnections int
	// TryTimeout of one try; there are two. Zero means 4 s.
	TryTimeout time.Duration
	// UserAgent that STS sees. Empty means kube-iam-authenticator.
	UserAgent string
	// Observe is told of every answer and every failure to get one. Nil means nobody.
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
	client *http.Client
}

// New makes a verifier that asks AWS STS.
func New(config Config) *STS {
	config.MaxConnections = cmp.Or(config.MaxConnections, 64)
	config.TryTimeout = cmp.Or(config.TryTimeout, 4*time.Second)
	config.UserAgent = cmp.Or(config.UserAgent, "kube-iam-authenticator")
	if config.Observe == nil {
		config.Observe = func(Observation) {}
	}
	client := http.Client{Transport: newTransport(config)}
	if config.Client != nil {
		client = *config.Client
	}
	// A redirect would have somebody else vouch for the caller.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &STS{config, &client}
}

// newTransport keeps as many connections as are used at once: with net/http's
// two, every burst pays for TLS handshakes.
func newTransport(config Config) *http.Transport {
	dialer := &net.Dialer{Timeout: 3 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, cmp.Or(config.Dial[address], address))
		},
		TLSClientConfig:       &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: config.RootCAs},
		TLSHandshakeTimeout:   3 * time.Second,
		MaxConnsPerHost:       config.MaxConnections,
		MaxIdleConns:          config.MaxConnections,
		MaxIdleConnsPerHost:   config.MaxConnections,
		IdleConnTimeout:       90 * time.Second,
		ForceAttemptHTTP2:     true,
		DisableCompression:    true,
		ExpectContinueTimeout: time.Second,
	}
}

// Close closes the connections that are idle.
func (s *STS) Close() { s.client.CloseIdleConnections() }

// Verify sends the request to STS and returns who signed it. The cluster's ID is
// sent in the signed header: a token that was made for another cluster fails
// STS's signature check. A try that gets no answer, or a 5xx, is repeated once.
func (s *STS) Verify(ctx context.Context, clusterID string, req token.Request) (Result, error) {
	id, err := s.try(ctx, clusterID, req)
	if isTemporary(err) && ctx.Err() == nil {
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
	ctx, cancel := context.WithTimeout(ctx, s.config.TryTimeout)
	defer cancel()
	started := time.Now()
	status, body, err := s.send(ctx, clusterID, req)
	observed := Observation{Region: req.Region(), Status: status, Duration: time.Since(started)}
	defer func() { s.config.Observe(observed) }()
	if err != nil {
		return identity.Identity{}, &UnreachableError{err}
	}
	id, err := understand(req, status, body)
	_, observed.Throttled = errors.AsType[*ThrottledError](err)
	return id, err
}

// send returns the status and the body. Its error holds no part of the URL.
func (s *STS) send(ctx context.Context, clusterID string, req token.Request) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, req.URL(), nil)
	if err != nil {
		return 0, nil, errors.New("the URL is not valid")
	}
	request.Header.Set(token.ClusterIDHeader, clusterID)
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", s.config.UserAgent)
	answer, err := s.client.Do(request)
	if err != nil {
		return 0, nil, withoutURL(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return 0, nil, fmt.Errorf("reading the answer: %w", withoutURL(err))
	}
	return answer.StatusCode, body, nil
}

// withoutURL takes the presigned URL, which is a credential, off an error of
// net/http.
func withoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}
