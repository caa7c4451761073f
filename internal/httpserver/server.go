// Package httpserver serves HTTP to clients that it does not trust. The connections,
// the requests under way and their memory are bounded, so that no client keeps others
// out, and stopping loses no request.
package httpserver

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// shutdownTimeout is how long requests under way may take once the server stops.
	shutdownTimeout = 10 * time.Second

	// maxConnections and maxPlainConnections are the limits of an endpoint with and
	// without TLS. A kube-apiserver keeps one connection.
	maxConnections      = 256
	maxPlainConnections = 128

	// maxReceived is how much of a request's body a client may send before it is read:
	// the whole body of the longest TokenReview, so that it needs no second round trip.
	maxReceived = 64 << 10
)

// An Endpoint is a handler on a listener.
type Endpoint struct {
	// Name of the endpoint in its [Status].
	Name     string
	Handler  http.Handler
	Listener net.Listener
	// MaxConnections is the limit of open connections. Zero means that of an endpoint
	// for one kube-apiserver.
	MaxConnections int
	// Certificate is asked for at every handshake. Nil means no TLS.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// AsksClients has clients send a certificate if they have one. Only the handler
	// verifies it, so that it can let some requests through without one.
	AsksClients bool
}

// A Server serves endpoints until it is stopped.
type Server struct {
	endpoints []Endpoint
	listeners []*listener // one for each endpoint
	log       *slog.Logger
}

// New returns a server of some endpoints. The log gets what goes wrong below HTTP;
// nil discards it.
func New(log *slog.Logger, endpoints ...Endpoint) *Server {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Server{endpoints: endpoints, log: log}
	for _, e := range endpoints {
		limit, patience := maxConnections, patience
		if e.Certificate == nil {
			limit, patience = maxPlainConnections, plainPatience
		}
		limit = cmp.Or(e.MaxConnections, limit)
		s.listeners = append(s.listeners, newListener(e.Listener, limit, patience, log))
	}
	return s
}

// Serve serves until ctx is done; then it lets every request under way finish and
// returns nil. It closes the listeners. It must be called once.
func (s *Server) Serve(ctx context.Context) error {
	var servers []*http.Server
	ended := make(chan error, len(s.endpoints))
	for i, endpoint := range s.endpoints {
		server := s.newHTTP(ctx, endpoint)
		servers = append(servers, server)
		go func() {
			if server.TLSConfig != nil {
				ended <- server.ServeTLS(s.listeners[i], "", "")
			} else {
				ended <- server.Serve(s.listeners[i])
			}
		}()
	}
	select {
	case err := <-ended:
		return errors.Join(fmt.Errorf("serving: %w", err), shutdown(servers))
	case <-ctx.Done():
	}
	// A client that is sent away may come back until all others have been, too.
	drain(s.listeners)
	for _, listener := range s.listeners {
		_ = listener.Close() // it fails if it is closed already
	}
	for range servers {
		<-ended // what it has accepted is known now
	}
	drain(s.listeners)
	return shutdown(servers)
}

func (s *Server) newHTTP(ctx context.Context, endpoint Endpoint) *http.Server {
	server := &http.Server{
		Handler:     counted(ctx, endpoint.Handler),
		ConnContext: withConnection,
		// They bound a handshake too.
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       5 * time.Second,
		WriteTimeout:      20 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    8 << 10,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams:          maxStreams,
			MaxReceiveBufferPerStream:     maxReceived,
			MaxReceiveBufferPerConnection: 4 * maxReceived,
		},
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	if endpoint.Certificate != nil {
		server.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: endpoint.Certificate}
		if endpoint.AsksClients {
			server.TLSConfig.ClientAuth = tls.RequestClientCert
		}
	}
	return server
}

// counted wraps a handler so that its requests count as those of their connections.
// Once ctx is done, every answer is the last of its connection.
func counted(ctx context.Context, handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ctx.Err() != nil {
			w.Header().Set("Connection", "close") // over HTTP/2 it is sent as GOAWAY
		}
		connectionOf(r.Context()).serve(handler, w, r)
	})
}

func shutdown(servers []*http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), shutdownTimeout)
	defer cancel()
	errs := make([]error, len(servers))
	var stopping sync.WaitGroup
	for i, server := range servers {
		stopping.Go(func() {
			if err := server.Shutdown(ctx); err != nil {
				errs[i] = errors.Join(fmt.Errorf("stopping: requests were still under way: %w", err), server.Close())
			}
		})
	}
	stopping.Wait()
	return errors.Join(errs...)
}
