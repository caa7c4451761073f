// Package httpserver makes the HTTP servers of a local AWS.
package httpserver

import (
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"
)

// RequestTimeout bounds the time to read a request and the time to answer it.
const RequestTimeout = 30 * time.Second

// New returns a server for a handler. A panic of the handler is an error in the log; the
// mistakes of clients, which net/http reports as well, are for debugging.
func New(handler http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: recovered(handler, log),
		// Clients open connections that they use only later. A request on a new one that
		// the server has closed is not sent again.
		ReadHeaderTimeout: time.Minute,
		ReadTimeout:       time.Minute + RequestTimeout,
		WriteTimeout:      RequestTimeout,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    64 * 1024,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
}

// recovered logs a panic of a handler and answers 500.
func recovered(handler http.Handler, log *slog.Logger) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			if why := recover(); why != nil {
				log.Error("answering a request panicked", "method", r.Method, "host", r.Host, "path", r.URL.Path, "panic", why, "stack", string(debug.Stack()))
				http.Error(w, "localaws: answering the request panicked: the log of localaws says more", http.StatusInternalServerError)
			}
		}()
		handler.ServeHTTP(w, r)
	})
}
