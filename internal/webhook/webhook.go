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
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/time/rate"

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
	// Log gets a warning when requests are turned away. Nil means nowhere.
	Log *slog.Logger
}

// NewHandler serves the webhook.
func NewHandler(config Config) (http.Handler, error) {
	if config.Authenticate == nil || config.Metrics == nil {
		return nil, errors.New("serving the webhook: a decision and metrics must be given")
	}
	if config.Ready == nil {
		config.Ready = func() error { return nil }
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	h := &handler{Config: config, admission: admission{max: maxHeld}, warnings: seldom()}
	mux := http.NewServeMux()
	mux.HandleFunc("/authenticate", h.authenticate)
	mux.HandleFunc("GET /healthz", healthz)
	mux.HandleFunc("GET /readyz", readyz(config.Ready))
	mux.Handle("GET /metrics", config.Metrics.Handler())
	return mux, nil
}

type handler struct {
	Config
	admission admission
	warnings  rate.Sometimes
}

func (h *handler) authenticate(w http.ResponseWriter, r *http.Request) {
	defer h.Metrics.track()()
	size, bad := bodySize(w, r)
	if bad != nil {
		h.reject(w, bad)
		return
	}
	abort := func() {
		// It fails where there is no connection whose reading could be ended.
		_ = http.NewResponseController(w).SetReadDeadline(time.Unix(1, 0))
	}
	admitted := h.admission.admit(size, abort)
	if admitted == nil {
		h.turnAway(w)
		return
	}
	defer admitted.done()
	body, bad := readBody(r)
	if !admitted.read() {
		h.turnAway(w)
		return
	}
	if bad != nil {
		h.reject(w, bad)
		return
	}
	review, err := decodeReview(body)
	if err != nil {
		h.reject(w, badRequest(err))
		return
	}
	h.decide(w, r, review)
}

func (h *handler) decide(w http.ResponseWriter, r *http.Request, review review) {
	var decision authn.Decision
	connectionOf(r.Context()).decide(func() { decision = h.Authenticate(r.Context(), review.token) })
	h.Metrics.observe(decision)
	if decision.Outcome.Verdict() == authn.Undecided {
		undecided(decision.Outcome).write(w)
		return
	}
	writeJSON(w, http.StatusOK, appendDecision(make([]byte, 0, 1024), review.apiVersion, decision))
}

func (h *handler) reject(w http.ResponseWriter, bad *failure) {
	h.Metrics.observeMalformedRequest()
	bad.write(w)
}

func (h *handler) turnAway(w http.ResponseWriter) {
	h.Metrics.observe(authn.Decision{Outcome: authn.Saturated})
	h.warnings.Do(func() {
		h.Log.Warn("turning requests away: those under way hold as much memory as they may", "bytes", h.admission.max)
	})
	noRoom().write(w)
}

func healthz(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") }

func readyz(ready func() error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if err := ready(); err != nil {
			http.Error(w, "not ready: "+err.Error(), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	}
}

// NewHealthHandler serves /healthz and /readyz alone, for a listener without
// TLS that a kubelet can probe.
func NewHealthHandler(ready func() error) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", healthz)
	mux.HandleFunc("GET /readyz", readyz(ready))
	return mux
}

// NewMetricsHandler serves /metrics alone, for a listener without TLS that a
// Prometheus on another node can reach.
func NewMetricsHandler(metrics *Metrics) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics.Handler())
	return mux
}
