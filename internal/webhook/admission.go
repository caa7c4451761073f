package webhook

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime"

	"golang.org/x/time/rate"

	"github.com/kube-iam/authenticator/internal/admission"
	"github.com/kube-iam/authenticator/internal/httpserver"
)

// AdmissionConfig is the configuration of [NewAdmissionHandler]. Guard must be set.
type AdmissionConfig struct {
	// Guard returns the guard of a cluster; nil if there is no such cluster any more.
	Guard func(clusterID string) *admission.Guard
	// Find, Fair and Clients are those of [Config].
	Find    func(inPath string) (clusterID string, ok bool)
	Fair    bool
	Clients *Clients
	// Observe is called with the result of every review for a cluster. Nil means never.
	Observe func(clusterID string, result admission.Result)
	// Log gets what is refused, overridden or failed. Nil discards it.
	Log *slog.Logger
}

// maxReviews is how many bytes the AdmissionReviews under way hold at most: that is room
// for largeReviews of the largest. Only one is judged at a time, so that reviews of edits,
// which are rare, leave the processors to those of tokens.
const (
	largeReviews = 2
	maxReviews   = largeReviews*maxReview + 1<<20
)

// NewAdmissionHandler returns the handler of the AdmissionReviews of edits.
func NewAdmissionHandler(config AdmissionConfig) (http.Handler, error) {
	if config.Guard == nil {
		return nil, errors.New("serving the webhook of admission: Guard must be set")
	}
	if config.Find == nil {
		config.Find = func(string) (string, bool) { return "", true }
	}
	if config.Observe == nil {
		config.Observe = func(string, admission.Result) {}
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	budget := newBudget(maxReviews, config.Fair)
	budget.large = newBuffers(largeReviews)
	return &admissionHandler{
		AdmissionConfig: config, budget: budget, judging: make(chan struct{}, 1),
		refusals: rate.NewLimiter(refusalsPerSecond, refusalBurst),
	}, nil
}

// Refusals are logged up to a rate: whoever may edit may try again and again.
const (
	refusalsPerSecond = 1
	refusalBurst      = 20
)

type admissionHandler struct {
	AdmissionConfig
	budget   *budget
	judging  chan struct{}
	refusals *rate.Limiter
}

func admissionReview() body { return body{"an AdmissionReview", maxReview} }

// ServeHTTP implements [http.Handler].
func (h *admissionHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	clusterID, ok := h.Find(r.PathValue(PathCluster))
	if !ok {
		noCluster(r).write(w)
		return
	}
	answer, bad := h.serve(w, r, clusterID)
	if bad != nil {
		if !bad.refusesClient() {
			h.Observe(clusterID, admission.Failed)
		}
		bad.write(w)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

func (h *admissionHandler) serve(w http.ResponseWriter, r *http.Request, clusterID string) (answer []byte, bad *failure) {
	if bad := h.Clients.check(r, clusterID); bad != nil {
		return nil, bad
	}
	content, held, bad := admissionReview().receive(w, r, h.budget, clusterID)
	defer held.release()
	if bad != nil {
		return nil, bad
	}
	httpserver.Busy(r.Context(), func() { answer, bad = h.review(r, clusterID, content) })
	return answer, bad
}

// review returns the answer to a review. The kube-apiserver gives up after the timeout
// of its configuration.
func (h *admissionHandler) review(r *http.Request, clusterID string, content []byte) ([]byte, *failure) {
	ctx := r.Context()
	select {
	case h.judging <- struct{}{}:
		defer func() { <-h.judging }()
	case <-ctx.Done():
		return nil, noRoom()
	}
	guard := h.Guard(clusterID)
	if guard == nil {
		return nil, noCluster(r)
	}
	answer, err := guard.Review(content)
	if err != nil {
		return nil, badRequest(err)
	}
	if len(content) > largeReview {
		// It leaves several times its text behind. With the buffers in use, the heap would
		// grow to twice all that before the next collection.
		runtime.GC()
	}
	text, err := answer.JSON()
	if err != nil {
		return nil, &failure{http.StatusInternalServerError, "InternalError", err.Error()}
	}
	h.Observe(clusterID, answer.Result)
	h.record(ctx, answer)
	return text, nil
}

func (h *admissionHandler) record(ctx context.Context, a admission.Answer) {
	if a.Result == admission.Allowed || !h.refusals.Allow() {
		return
	}
	attributes := []any{"object", a.Name, "operation", a.Operation, "user", a.User, "dryRun", a.DryRun}
	if a.Err != nil {
		h.Log.ErrorContext(ctx, "an edit was allowed unchecked", append(attributes, "error", a.Err)...)
		return
	}
	message := "refused an edit"
	if a.Result == admission.Overridden {
		message = "allowed an edit in spite of its losses, by its annotation"
	}
	h.Log.WarnContext(ctx, message, append(attributes, "losses", a.Losses, "hash", a.Hash)...)
}
