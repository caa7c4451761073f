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
	"strings"
	"time"

	"github.com/kube-iam/authenticator/internal/httpclient"
	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/token"
)

// maxAnswer bounds what is read of an answer. Answers of STS are below 1 KiB.
const maxAnswer = 64 * 1024

// retryWithin is how quickly a try must fail to be retried. A retry helps when an
// idle connection had died. After a time-out it would only double the wait.
const retryWithin = time.Second

// Config of [New]. The zero value is ready for use.
type Config struct {
	// Transport sends the requests. Nil means a new one with a pool of connections,
	// which honours HTTPS_PROXY.
	Transport http.RoundTripper
	// RootCAs verify the certificate of STS if Transport is nil. Nil means the
	// system's.
	RootCAs *x509.CertPool
	// Dial maps a host and port to the one to connect to instead, if Transport is nil.
	// It does not change what is sent.
	Dial map[string]string
	// MaxIdleConnections to each STS host: as many as one host has requests at once.
	// Zero means 64.
	MaxIdleConnections int
	// Timeout of a verification, including its retry. Zero means 4 s.
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
	// Throttled reports whether STS answered that it throttles.
	Throttled bool
	// Date is the time of the answer by the clock of STS. It is zero if there was no
	// answer, or it is not from STS.
	Date     time.Time
	Duration time.Duration
}

// STS asks AWS STS. It is safe for concurrent use.
type STS struct {
	config Config
	// own is the transport that New made; nil if the caller gave one.
	own   *httpclient.Transport
	dates dateParser
}

// New returns a verifier that asks AWS STS.
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

// newTransport returns a transport that keeps as many idle connections to a host as
// it has requests at once. With net/http's default of two, every burst would pay for
// TLS handshakes. The number of connections in use is not limited here, because the
// limit on requests bounds it. HTTP/2 is off, because STS does not speak it.
func newTransport(config Config) *httpclient.Transport {
	dialer := &net.Dialer{Timeout: 3 * time.Second, KeepAlive: 30 * time.Second}
	return httpclient.New(&http.Transport{
		Proxy: http.ProxyFromEnvironment,
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, cmp.Or(config.Dial[address], address))
		},
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: config.RootCAs},
		TLSHandshakeTimeout: 3 * time.Second,
		// Junk for some hosts must not evict the connections to others.
		MaxIdleConns:        4 * config.MaxIdleConnections,
		MaxIdleConnsPerHost: config.MaxIdleConnections,
		IdleConnTimeout:     90 * time.Second,
		DisableCompression:  true,
	}, maxAnswer)
}

// Close closes the idle connections.
func (s *STS) Close() {
	if s.own != nil {
		s.own.CloseIdleConnections()
	}
}

// Verify sends the request to STS and returns who signed it. It sends the cluster's
// ID in the signed header, so that a token for another cluster fails the signature
// check of STS. It retries once if a try fails quickly with no answer or a 5xx.
func (s *STS) Verify(ctx context.Context, clusterID string, req token.Request) (identity.Identity, error) {
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	started := time.Now()
	id, err := s.try(ctx, clusterID, req)
	if isTemporary(err) && time.Since(started) < retryWithin && ctx.Err() == nil {
		id, err = s.try(ctx, clusterID, req)
	}
	return id, err
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
	answer, err := s.send(ctx, clusterID, req)
	observed := Observation{Region: req.Region(), Status: answer.status, Duration: time.Since(started)}
	if err != nil {
		s.config.Observe(observed)
		return identity.Identity{}, &UnreachableError{err}
	}
	id, err := understand(req, answer.status, answer.body)
	_, observed.Throttled = errors.AsType[*ThrottledError](err)
	refused, isRefused := errors.AsType[*RefusedError](err)
	if err == nil || isRefused || observed.Throttled {
		observed.Date = answer.date
	}
	if isRefused {
		refused.Date = answer.date
	}
	s.config.Observe(observed)
	return id, err
}

// An answer is what STS, or something in its place, sent.
type answer struct {
	status int
	body   []byte
	date   time.Time
}

// send returns the answer to a token. It does not use http.Client: after a redirect
// another host would decide who the caller is, and a Client's errors contain the
// presigned URL, which is a credential.
func (s *STS) send(ctx context.Context, clusterID string, req token.Request) (answer, error) {
	request := &http.Request{
		Method: http.MethodGet, URL: urlOf(req),
		Header: http.Header{clusterIDHeader: {clusterID}, "Accept": {"application/json"}},
	}
	return s.exchange(request.WithContext(ctx))
}

// urlOf returns the URL of a token. It needs no url.Parse, since [token.Parse] accepts only
// ORIGIN/?QUERY. The origin is a copy, because a connection keeps it, and a part of the token
// would keep all of it in memory.
func urlOf(req token.Request) *url.URL {
	origin, query, _ := strings.Cut(req.URL(), "/?")
	scheme, host, _ := strings.Cut(strings.Clone(origin), "://")
	return &url.URL{Scheme: scheme, Host: host, Path: "/", RawQuery: query}
}

// clusterIDHeader is the canonical form of [token.ClusterIDHeader].
const clusterIDHeader = "X-K8s-Aws-Id"

func (s *STS) exchange(request *http.Request) (answer, error) {
	request.Header.Set("User-Agent", s.config.UserAgent)
	response, err := s.config.Transport.RoundTrip(request)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return answer{}, fmt.Errorf("reading the answer: %w", err)
	}
	return answer{response.StatusCode, body, s.dates.parse(response.Header.Get("Date"))}, nil
}

// Date returns the time of STS at an origin, such as https://sts.eu-west-2.amazonaws.com.
// It sends no token.
func (s *STS) Date(ctx context.Context, origin string) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, s.config.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, origin+"/", nil)
	if err != nil {
		return time.Time{}, fmt.Errorf("asking STS for its time: %w", err)
	}
	answer, err := s.exchange(request)
	if err != nil {
		return time.Time{}, fmt.Errorf("asking STS for its time: %w", err)
	}
	if answer.date.IsZero() {
		return time.Time{}, errors.New("asking STS for its time: the answer has no date")
	}
	return answer.date, nil
}
