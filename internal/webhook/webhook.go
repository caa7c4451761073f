// Package webhook serves the authenticator to a kube-apiserver: TokenReview v1
// and v1beta1 over TLS, health, readiness and metrics.
//
//	POST /authenticate  a TokenReview, answered by what became of its token
//	GET  /healthz       ok while the process serves
//	GET  /readyz        ok once the mappings are read; says what is missing until then
//	GET  /metrics       Prometheus
package webhook

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/kube-iam/authenticator/internal/authn"
)

// Config of [NewHandler]. Authenticate and Metrics must be set.
type Config struct {
	// Authenticate decides about a token.
	Authenticate func(ctx context.Context, token string) authn.Decision
	// Ready says what is missing; nil means that nothing is. A nil Ready means
	// always ready.
	Ready func() error
	// Metrics of the server.
	Metrics *Metrics
}

// NewHandler serves the webhook.
func NewHandler(config Config) (http.Handler, error) {
	if config.Authenticate == nil || config.Metrics == nil {
		return nil, errors.New("serving the webhook: a decision and metrics must be given")
	}
	if config.Ready == nil {
		config.Ready = func() error { return nil }
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/authenticate", config.authenticate)
	mux.HandleFunc("GET /healthz", healthz)
	mux.HandleFunc("GET /readyz", config.readyz)
	mux.Handle("GET /metrics", config.Metrics.Handler())
	return mux, nil
}

func (c *Config) authenticate(w http.ResponseWriter, r *http.Request) {
	defer c.Metrics.track()()
	review, bad := readReview(w, r)
	if bad != nil {
		c.Metrics.observeMalformedRequest()
		writeError(w, bad)
		return
	}
	decision := c.Authenticate(r.Context(), review.Spec.Token)
	c.Metrics.observe(decision)
	if decision.Outcome.Verdict() == authn.Undecided {
		writeError(w, undecided(decision.Outcome))
		return
	}
	writeJSON(w, http.StatusOK, respond(review, decision))
}

func healthz(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") }

func (c *Config) readyz(w http.ResponseWriter, _ *http.Request) {
	if err := c.Ready(); err != nil {
		http.Error(w, "not ready: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// NewHealthHandler serves /healthz and /readyz alone, for a listener without
// TLS that a kubelet can probe.
func NewHealthHandler(ready func() error) http.Handler {
	config := Config{Ready: ready}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", healthz)
	mux.HandleFunc("GET /readyz", config.readyz)
	return mux
}

// NewMetricsHandler serves /metrics alone, for a listener without TLS that a
// Prometheus on another node can reach.
func NewMetricsHandler(metrics *Metrics) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics.Handler())
	return mux
}
