package server

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/kube-iam/authenticator/internal/explain"
	"github.com/kube-iam/authenticator/internal/httpserver"
	"github.com/kube-iam/authenticator/internal/unixsocket"
)

// socketRetry is how often the server tries to open a socket that it could not open: a
// server that still stops may use it.
const socketRetry = 10 * time.Second

// socketRoutes is the handler of the socket. It serves the operator of this machine,
// and nothing on it is for the network: every pod on the host's network reaches
// loopback.
//
//	GET /decisions  the last decisions
//	POST /explain   the explanation of a decision
func socketRoutes(decisions http.Handler, answer explainer) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/decisions", decisions)
	mux.Handle(explain.Path, explain.NewHandler(answer))
	return mux
}

// A socketServer serves the socket, if it can be opened. People can sign in without it.
type socketServer struct {
	path    string
	handler http.Handler
	log     *slog.Logger
	warn    sync.Once
}

// open opens the socket, and returns nil if that fails.
func (s *socketServer) open() net.Listener {
	// Without a certificate of its own, the server has not made the directory yet.
	err := os.MkdirAll(filepath.Dir(s.path), 0o755)
	var listener net.Listener
	if err == nil {
		listener, err = unixsocket.Listen(s.path)
	}
	if err != nil {
		s.warn.Do(func() {
			s.log.Warn("the server runs without its local socket, so authenticator why and explain cannot ask it", "error", err)
		})
		return nil
	}
	return listener
}

// serve serves an open socket, or opens it, until ctx is done.
func (s *socketServer) serve(ctx context.Context, listener net.Listener) {
	for {
		if listener != nil {
			server := httpserver.New(s.log, httpserver.Endpoint{Name: "local", Handler: endWith(ctx, s.handler), Listener: listener})
			if err := server.Serve(ctx); err != nil {
				s.log.Error("serving the local socket failed", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(socketRetry):
			listener = s.open()
		}
	}
}

// endWith returns a handler whose requests end when ctx is done, since a watch has no
// end of its own. They are never closed for others: whoever may connect is trusted.
func endWith(ctx context.Context, handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer context.AfterFunc(ctx, cancel)()
		httpserver.Busy(request, func() { handler.ServeHTTP(w, r.WithContext(request)) })
	})
}
