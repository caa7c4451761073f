package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestRoutes holds which handler answers which path of the webhook's port.
func TestRoutes(t *testing.T) {
	named := func(name string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) })
	}
	routes := handlers{webhook: named("webhook"), health: named("health"), metrics: named("metrics")}.routes()
	for path, want := range map[string]string{
		"/authenticate": "webhook", "/healthz": "health", "/readyz": "health", "/metrics": "metrics",
		"/": "404 page not found\n", "/authenticate/more": "404 page not found\n",
	} {
		w := httptest.NewRecorder()
		if routes.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, nil)); w.Body.String() != want {
			t.Errorf("%s is answered by %q, want %q", path, w.Body, want)
		}
	}
}
