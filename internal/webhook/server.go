package webhook

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// ShutdownTimeout is how long requests under way may take once the server is
// told to stop.
const ShutdownTimeout = 10 * time.Second

// Server serves a handler over TLS until it is told to stop.
type Server struct {
	// Handler of the requests.
	Handler http.Handler
	// Certificate is asked for at every handshake.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// Plain are served beside it without TLS: health, metrics.
	Plain []Plain
	// Log of what goes wrong below HTTP. Nil means nowhere.
	Log *slog.Logger
	// ShutdownTimeout. Zero means the constant of that name.
	ShutdownTimeout time.Duration
}

// Plain is a handler that is served without TLS, on a listener of its own.
type Plain struct {
	Handler  http.Handler
	Listener net.Listener
}

// Serve serves until ctx is done; then it takes no new connections, lets every
// request under way finish, and returns nil. It closes the listeners.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	main := s.server(s.Handler)
	main.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: s.Certificate}
	failed := make(chan error, 1+len(s.Plain))
	go func() { failed <- main.ServeTLS(listener, "", "") }()
	servers := []*http.Server{main}
	for _, plain := range s.Plain {
		server := s.server(plain.Handler)
		servers = append(servers, server)
		go func() { failed <- server.Serve(plain.Listener) }()
	}
	var err error
	select {
	case err = <-failed:
		err = fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	return errors.Join(err, s.shutdown(servers))
}

func (s *Server) server(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 * 1024,
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
	}
}

func (s *Server) shutdown(servers []*http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), cmp.Or(s.ShutdownTimeout, ShutdownTimeout))
	defer cancel()
	var errs []error
	for _, server := range servers {
		if err := server.Shutdown(ctx); err != nil {
			errs = append(errs, fmt.Errorf("stopping: requests were still under way: %w", err), server.Close())
		}
	}
	return errors.Join(errs...)
}

// Draining wraps a readiness check so that it fails once ctx is done, for load
// balancers to look elsewhere while the last requests are answered.
func Draining(ctx context.Context, ready func() error) func() error {
	var stopping atomic.Bool
	context.AfterFunc(ctx, func() { stopping.Store(true) })
	return func() error {
		if stopping.Load() {
			return errors.New("the server is stopping")
		}
		return ready()
	}
}
