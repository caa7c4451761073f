// Package health answers the probes of a kubelet or a load balancer.
package health

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// NewHandler serves /healthz, which answers ok while the process serves, and
// /readyz, which answers ok while ready returns nil, else the reason. For a cluster that
// readyOf knows, /clusters/{id}/readyz does the same.
func NewHandler(ready func() error, readyOf func(clusterID string) (known bool, err error)) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) { answer(w, ready()) })
	mux.HandleFunc("GET /clusters/{id}/readyz", func(w http.ResponseWriter, r *http.Request) {
		known, err := readyOf(r.PathValue("id"))
		if !known {
			http.Error(w, "this server has no such cluster", http.StatusNotFound)
			return
		}
		answer(w, err)
	})
	return mux
}

func answer(w http.ResponseWriter, err error) {
	if err != nil {
		http.Error(w, "not ready: "+err.Error(), http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

// ReadyUntil wraps a readiness check so that it fails once ctx is done, for load
// balancers to look elsewhere while the server answers its last requests.
func ReadyUntil(ctx context.Context, ready func() error) func() error {
	return func() error {
		if ctx.Err() != nil {
			return errors.New("the server is stopping")
		}
		return ready()
	}
}
