// Package webhook answers the TokenReviews of a kube-apiserver, v1 and v1beta1. It
// reads a request, asks for a decision about the token, and writes the answer.
package webhook

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"golang.org/x/time/rate"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/httpserver"
	"github.com/kube-iam/authenticator/internal/metrics"
)

// Config of [NewHandler]. Authenticate and Metrics must be set.
type Config struct {
	// Authenticate decides about a token for a cluster. It fails if there is no such
	// cluster any more.
	Authenticate func(ctx context.Context, clusterID, token string) (*authn.Decision, error)
	// Find returns the cluster ID for the one in a path, which is empty if the path has
	// none. Nil means that all paths are of one cluster.
	Find func(inPath string) (clusterID string, ok bool)
	// Fair keeps room for other clusters: the requests of one hold no more memory than
	// is free.
	Fair bool
	// Clients refuses clients, before anything of their request's body is read. Nil
	// refuses none.
	Clients *Clients
	// Metrics counts the requests in flight, and those that fail before a decision.
	Metrics *metrics.Metrics
	// Log gets a warning when requests are turned away. Nil discards it.
	Log *slog.Logger
}

// NewHandler returns the handler of TokenReviews.
func NewHandler(config Config) (http.Handler, error) {
	if config.Authenticate == nil || config.Metrics == nil {
		return nil, errors.New("serving the webhook: Authenticate and Metrics must be set")
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if config.Find == nil {
		config.Find = func(string) (string, bool) { return "", true }
	}
	return &handler{Config: config, budget: newBudget(maxHeld, config.Fair), warnings: rate.Sometimes{First: 1, Interval: time.Minute}}, nil
}

// PathCluster is the name of the cluster ID in the pattern of a path.
const PathCluster = "cluster"

// answerSize is enough for the answer to most reviews.
const answerSize = 768

type handler struct {
	Config
	budget *budget
	// warnings lets one through, and then one a minute: logs about a flood must not be one.
	warnings rate.Sometimes
}

// tokenReview is the body of a TokenReview. The longest token has 16 KiB.
func tokenReview() body { return body{"a TokenReview", 64 << 10} }

// ServeHTTP implements [http.Handler].
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer h.Metrics.Track()()
	clusterID, ok := h.Find(r.PathValue(PathCluster))
	if !ok {
		h.fail(w, noCluster(r))
		return
	}
	if bad := h.Clients.check(r, clusterID); bad != nil {
		bad.write(w)
		return
	}
	content, held, bad := tokenReview().receive(w, r, h.budget, clusterID)
	defer held.release()
	if bad != nil {
		h.fail(w, bad)
		return
	}
	review, err := decodeReview(content)
	if err != nil {
		h.fail(w, badRequest(err))
		return
	}
	h.decide(w, r, clusterID, review)
}

func (h *handler) decide(w http.ResponseWriter, r *http.Request, clusterID string, review review) {
	var decision *authn.Decision
	var err error
	httpserver.Busy(r.Context(), func() { decision, err = h.Authenticate(r.Context(), clusterID, review.token) })
	if err != nil {
		h.fail(w, noCluster(r))
		return
	}
	if decision.Outcome.Verdict() == authn.Undecided {
		undecided(decision).write(w)
		return
	}
	writeJSON(w, http.StatusOK, appendDecision(make([]byte, 0, answerSize), review.apiVersion, decision))
}

// fail answers a request that is not a TokenReview, or does not fit into the budget.
func (h *handler) fail(w http.ResponseWriter, bad *failure) {
	if bad.turnedAway() {
		h.Metrics.ObserveTurnedAway()
		h.warnings.Do(func() {
			h.Log.Warn("turning requests away: the requests in progress use all of their memory", "bytes", h.budget.max)
		})
	} else {
		h.Metrics.ObserveMalformedRequest()
	}
	bad.write(w)
}
