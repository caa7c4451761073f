package server

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/internal/admission"
	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/metrics"
	"github.com/kube-iam/authenticator/internal/webhook"
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
	refuse := &webhook.Clients{Verify: func(string, *tls.ConnectionState) error { return errors.New("no client") }, Refused: func(string) {}, Log: slog.New(slog.DiscardHandler)}
	ok := http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})
	for path, want := range map[string]int{
		"/authenticate": http.StatusUnauthorized, "/clusters/c/authenticate": http.StatusUnauthorized, "/validate": http.StatusUnauthorized, "/clusters/c/validate": http.StatusUnauthorized,
		"/clusters/c/readyz": http.StatusOK, "/healthz": http.StatusOK, "/readyz": http.StatusOK, "/metrics": http.StatusOK,
	} {
		for clients, want := range map[*webhook.Clients]int{refuse: want, nil: http.StatusOK} {
			reviews, err := webhook.NewHandler(webhook.Config{
				Authenticate: func(context.Context, string, string) (*authn.Decision, error) {
					return &authn.Decision{Outcome: authn.Malformed}, nil
				},
				Metrics: metrics.New(), Clients: clients,
			})
			if err != nil {
				t.Fatal(err)
			}
			edits, err := webhook.NewAdmissionHandler(webhook.AdmissionConfig{Guard: func(string) *admission.Guard { return admission.New(admission.Config{}) }, Clients: clients})
			if err != nil {
				t.Fatal(err)
			}
			body := `{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","spec":{"token":"x"}}`
			if strings.HasSuffix(path, "/validate") {
				body = `{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{"uid":"u"}}`
			}
			r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			handlers{webhook: reviews, admission: edits, health: ok, metrics: ok}.routes().ServeHTTP(w, r)
			if w.Code != want {
				t.Errorf("%s without a client certificate: %d, want %d: %s", path, w.Code, want, w.Body)
			}
		}
	}
}

// TestListenFails checks that an error names the flag to change.
func TestListenFails(t *testing.T) {
	for _, test := range []struct{ flag, address, want string }{
		{"--port", "192.0.2.1:0", "listening on 192.0.2.1:0: this machine does not have the address (name one that it has with --address)"},
		{"--metrics-bind-address", "192.0.2.1:0", "with --metrics-bind-address)"},
		{"--health-port", ":no-such-service", "listening: "},
	} {
		if _, err := listen(test.flag, test.address); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %s: %v, want %s", test.flag, test.address, err, test.want)
		}
	}
}
