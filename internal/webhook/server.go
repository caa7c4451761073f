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
	"sync"
	"time"
)

const (
	// ShutdownTimeout is how long requests under way may take once the server is
	// told to stop.
	ShutdownTimeout = 10 * time.Second

	// maxConnections and maxPlainConnections are of each listener with and without
	// TLS. A kube-apiserver keeps one.
	maxConnections      = 256
	maxPlainConnections = 32
)

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

// Serve serves until ctx is done; then it lets every request under way finish and
// returns nil. It closes the listeners.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	main := s.server(counted(ctx, s.Handler))
	main.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: s.Certificate}
	servers := []*http.Server{main}
	listeners := []*connections{newConnections(listener, maxConnections, s.Log)}
	for _, plain := range s.Plain {
		servers = append(servers, s.server(counted(ctx, plain.Handler)))
		listeners = append(listeners, newConnections(plain.Listener, maxPlainConnections, s.Log))
	}
	ended := make(chan error, len(servers))
	for i, server := range servers {
		go func() {
			if server.TLSConfig != nil {
				ended <- server.ServeTLS(listeners[i], "", "")
			} else {
				ended <- server.Serve(listeners[i])
			}
		}()
	}
	select {
	case err := <-ended:
		return errors.Join(fmt.Errorf("serving: %w", err), s.shutdown(servers))
	case <-ctx.Done():
	}
	// Whoever is sent away may come back until all others have been, too.
	drain(listeners)
	for _, listener := range listeners {
		_ = listener.Close() // it fails if it is closed already
	}
	for range servers {
		<-ended // what it has accepted is known now
	}
	drain(listeners)
	return s.shutdown(servers)
}

func (s *Server) server(handler http.Handler) *http.Server {
	return &http.Server{
		Handler:     handler,
		ConnContext: withConnection,
		// They bound a handshake too.
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       5 * time.Second,
		WriteTimeout:      20 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    8 << 10,
		HTTP2: &http.HTTP2Config{
			MaxConcurrentStreams: maxStreams,
			// What a client may send before it is read.
			MaxReceiveBufferPerStream:     maxBody,
			MaxReceiveBufferPerConnection: 4 * maxBody,
		},
		ErrorLog: slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
	}
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

func (s *Server) shutdown(servers []*http.Server) error {
	ctx, cancel := context.WithTimeout(context.Background(), cmp.Or(s.ShutdownTimeout, ShutdownTimeout))
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
