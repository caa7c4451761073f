package webhook

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-iam/authenticator/internal/authn"
)

// maxBody is how much of a request is read: a token of 16 KiB and room to spare.
const maxBody = 64 * 1024

// A requestError is a request that is no TokenReview.
type requestError struct {
	status  int
	reason  metav1.StatusReason
	message string
}

func (e *requestError) Error() string { return e.message }

func badRequest(format string, args ...any) *requestError {
	return &requestError{http.StatusBadRequest, metav1.StatusReasonBadRequest, fmt.Sprintf(format, args...)}
}

// readReview reads the TokenReview of a request. Versions v1 and v1beta1 have
// the same fields.
func readReview(w http.ResponseWriter, r *http.Request) (*authenticationv1.TokenReview, *requestError) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, &requestError{http.StatusMethodNotAllowed, metav1.StatusReasonMethodNotAllowed, "a TokenReview must be sent by POST"}
	}
	if mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mediaType != "application/json" {
		return nil, &requestError{http.StatusUnsupportedMediaType, metav1.StatusReasonUnsupportedMediaType, "a TokenReview must be sent as application/json"}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return nil, &requestError{http.StatusRequestEntityTooLarge, metav1.StatusReasonRequestEntityTooLarge, "the request is longer than 64 KiB"}
	}
	if err != nil {
		return nil, badRequest("the request could not be read")
	}
	return decodeReview(body)
}

// decodeReview decodes one TokenReview and nothing else. Its errors do not
// quote the body, which may hold a token.
func decodeReview(body []byte) (*authenticationv1.TokenReview, *requestError) {
	var review authenticationv1.TokenReview
	decoder := json.NewDecoder(bytes.NewReader(body))
	if err := decoder.Decode(&review); err != nil {
		return nil, badRequest("the request is not the JSON of a TokenReview")
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, badRequest("there is something behind the end of the TokenReview")
	}
	if review.Kind != "TokenReview" {
		return nil, badRequest("the request's kind is not TokenReview")
	}
	switch review.APIVersion {
	case "authentication.k8s.io/v1", "authentication.k8s.io/v1beta1":
		return &review, nil
	}
	return nil, badRequest("the request's apiVersion is neither authentication.k8s.io/v1 nor authentication.k8s.io/v1beta1")
}

// respond makes the answer to a review: a yes, or a no. It carries the request's
// version and kind; status.audiences stays empty, so that the kube-apiserver
// takes the token for its own audiences only.
//
// A kube-apiserver caches a no without an error, and not one with an error: the
// decision has a reason just if it could change.
func respond(review *authenticationv1.TokenReview, d authn.Decision) *authenticationv1.TokenReview {
	response := &authenticationv1.TokenReview{TypeMeta: review.TypeMeta}
	if d.Outcome.Verdict() == authn.Yes {
		response.Status = authenticationv1.TokenReviewStatus{Authenticated: true, User: d.User}
	} else {
		response.Status.Error = d.Reason
	}
	return response
}

// undecided is the answer to a token that could not be decided, in words that
// name nobody. A kube-apiserver neither caches nor repeats a 503; it would repeat
// a 429 five times, each time with a call to STS, and logs a 403 as an outage.
func undecided(outcome authn.Outcome) *requestError {
	message := "the token could not be verified: AWS STS is not reachable"
	switch outcome {
	case authn.Throttled:
		message = "the token could not be verified: AWS STS throttles requests"
	case authn.Saturated:
		message = "the token could not be verified: too many verifications are under way"
	case authn.MappingUnknown:
		message = "the identity could not be mapped: the mappings or EC2 cannot be read, or EC2 knows no such instance"
	}
	return &requestError{http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, message}
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// An error means that the client has gone: there is nobody to tell.
	_ = json.NewEncoder(w).Encode(value)
}

func writeError(w http.ResponseWriter, e *requestError) {
	writeJSON(w, e.status, &metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   metav1.StatusFailure,
		Code:     int32(e.status),
		Reason:   e.reason,
		Message:  e.message,
	})
}
