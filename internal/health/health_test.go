package health_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/kube-iam/authenticator/internal/health"
)

func TestHandler(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	missing := errors.New("something is missing")
	h := health.NewHandler(health.ReadyUntil(ctx, func() error { return missing }), func(id string) (bool, error) {
		return id != "unknown", map[string]error{"blue": errors.New("blue is not read yet")}[id]
	})
	expect := func(method, path string, status int, body string) {
		t.Helper()
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		if w.Code != status || w.Body.String() != body {
			t.Errorf("%s %s: HTTP %d %q, want %d %q", method, path, w.Code, w.Body, status, body)
		}
	}
	expect(http.MethodGet, "/healthz", 200, "ok\n")
	expect(http.MethodPost, "/healthz", 405, "Method Not Allowed\n")
	expect(http.MethodGet, "/readyz", 503, "not ready: something is missing\n")
	missing = nil
	expect(http.MethodGet, "/readyz", 200, "ok\n")
	expect(http.MethodGet, "/clusters/blue/readyz", 503, "not ready: blue is not read yet\n")
	expect(http.MethodGet, "/clusters/green/readyz", 200, "ok\n")
	expect(http.MethodGet, "/clusters/unknown/readyz", 404, "this server has no such cluster\n")
	stop()
	expect(http.MethodGet, "/readyz", 503, "not ready: the server is stopping\n")
	expect(http.MethodGet, "/healthz", 200, "ok\n")
}
