package server

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/internal/certificate"
	"github.com/kube-iam/authenticator/internal/metrics"
)

// TestRoutes holds which handler answers which path of the webhook's port.
func TestRoutes(t *testing.T) {
	named := func(name string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, name) })
	}
	routes := handlers{webhook: named("webhook"), admission: named("admission"), health: named("health"), metrics: named("metrics")}.routes()
	for path, want := range map[string]string{
		"/authenticate": "webhook", "/validate": "admission", "/healthz": "health", "/readyz": "health", "/metrics": "metrics",
		"/": "404 page not found\n", "/authenticate/more": "404 page not found\n",
	} {
		w := httptest.NewRecorder()
		if routes.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, nil)); w.Body.String() != want {
			t.Errorf("%s is answered by %q, want %q", path, w.Body, want)
		}
	}
}

// TestOnlyReviewsNeedAClientCertificate checks which paths --client-ca-file protects.
func TestOnlyReviewsNeedAClientCertificate(t *testing.T) {
	ca := filepath.Join(t.TempDir(), "ca.pem")
	authority, err := certificate.StateFiles(t.TempDir()).LoadOrGenerate(t.Context(), "localhost", "127.0.0.1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ca, authority.Trusted(), 0o600); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	clients, err := certificate.NewClients(t.Context(), ca, nil, log)
	if err != nil {
		t.Fatal(err)
	}
	ok := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	needs := &certificates{clients: clients, metrics: metrics.New(), log: log}
	needsNone := &certificates{}
	for path, want := range map[string]int{"/authenticate": http.StatusUnauthorized, "/clusters/c/authenticate": http.StatusUnauthorized, "/validate": http.StatusUnauthorized, "/clusters/c/validate": http.StatusUnauthorized, "/clusters/c/readyz": http.StatusOK, "/healthz": http.StatusOK, "/readyz": http.StatusOK, "/metrics": http.StatusOK} {
		for c, want := range map[*certificates]int{needs: want, needsNone: http.StatusOK} {
			w := httptest.NewRecorder()
			handlers{webhook: c.protect(ok), admission: c.protect(ok), health: ok, metrics: ok}.routes().ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, nil))
			if w.Code != want {
				t.Errorf("%s without a client certificate: %d, want %d", path, w.Code, want)
			}
		}
	}
}
