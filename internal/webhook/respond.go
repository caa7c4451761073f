package webhook

import (
	"encoding/json"
	"fmt"
	"net/http"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-iam/authenticator/internal/authn"
)

// A failure is an answer other than a TokenReview: the request was not a TokenReview,
// or the token could not be decided.
type failure struct {
	status  int
	reason  metav1.StatusReason
	message string
}

func badRequest(err error) *failure {
	return &failure{http.StatusBadRequest, metav1.StatusReasonBadRequest, err.Error()}
}

// noCluster returns the answer to a request for a cluster that this server does not serve.
func noCluster(r *http.Request) *failure {
	message := fmt.Sprintf("this server has no default cluster (expected /clusters/ID%.100s)", r.URL.Path)
	if id := r.PathValue(PathCluster); id != "" {
		message = fmt.Sprintf("this server has no cluster %.100q", id)
	}
	return &failure{http.StatusNotFound, metav1.StatusReasonNotFound, message}
}

// noRoom returns the answer to a request that is turned away unread.
func noRoom() *failure {
	return &failure{http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, "too many requests are in progress"}
}

// turnedAway reports whether the failure is that of [noRoom].
func (f *failure) turnedAway() bool { return f.status == http.StatusServiceUnavailable }

// undecided returns the answer to a token that could not be decided. It names the
// decision and no identity. A kube-apiserver logs it, and neither caches nor retries a
// 503. It would retry a 429 five times, each time with a call to STS, and it logs a 403
// as an outage.
func undecided(d *authn.Decision) *failure {
	message := "the token could not be verified: AWS STS is not reachable"
	switch d.Outcome {
	case authn.Throttled:
		message = "the token could not be verified: AWS STS throttles requests"
	case authn.Saturated:
		message = "the token could not be verified: too many verifications are in progress"
	case authn.MappingUnknown:
		message = "the identity could not be mapped: the mappings or EC2 cannot be read, or EC2 does not know the instance"
	}
	if d.ID != "" {
		message += " (decision " + d.ID + ")"
	}
	return &failure{http.StatusServiceUnavailable, metav1.StatusReasonServiceUnavailable, message}
}

func (f *failure) write(w http.ResponseWriter) {
	// Encoding a Status cannot fail.
	body, _ := json.Marshal(&metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
		Status:   metav1.StatusFailure,
		Code:     int32(f.status),
		Reason:   f.reason,
		Message:  f.message,
	})
	writeJSON(w, f.status, append(body, '\n'))
}

// appendDecision appends the answer to a review: yes or no. The answer has the
// apiVersion of the request. Its status.audiences stays empty, so that the
// kube-apiserver accepts the token for its own audiences only.
//
// A kube-apiserver caches a "no" without an error, but not one with an error. So a
// decision has a reason if and only if it can change.
//
// The result is byte for byte that of encoding/json, in a fifth of the time.
func appendDecision(b []byte, apiVersion string, d *authn.Decision) []byte {
	b = append(b, `{"kind":"TokenReview","apiVersion":`...)
	b = appendText(b, apiVersion)
	b = append(b, `,"metadata":{},"spec":{},"status":{`...)
	if d.Outcome.Verdict() == authn.Yes {
		b = append(b, `"authenticated":true,"user":`...)
		b = appendUser(b, d.User)
	} else {
		b = append(b, `"user":{}`...)
		if d.Reason != "" {
			b = append(b, `,"error":`...)
			b = appendText(b, d.Reason)
		}
	}
	return append(b, "}}\n"...)
}

func appendUser(b []byte, u authn.User) []byte {
	open := len(b)
	if u.Username != "" {
		b = appendText(append(b, `,"username":`...), u.Username)
	}
	if u.UID != "" {
		b = appendText(append(b, `,"uid":`...), u.UID)
	}
	if len(u.Groups) > 0 {
		b = appendTexts(append(b, `,"groups":`...), u.Groups)
	}
	if len(u.Extra) > 0 {
		b = append(b, `,"extra":`...)
		first := len(b)
		for _, extra := range u.Extra {
			b = appendText(append(b, ','), extra.Key)
			b = append(appendText(append(b, ":["...), extra.Value), ']')
		}
		b[first] = '{' // in place of the first comma
		b = append(b, '}')
	}
	if len(b) == open {
		return append(b, "{}"...)
	}
	b[open] = '{'
	return append(b, '}')
}

func appendTexts(b []byte, texts []string) []byte {
	b = append(b, '[')
	for i, text := range texts {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendText(b, text)
	}
	return append(b, ']')
}

// appendText appends a JSON string. encoding/json encodes all that is not plain ASCII.
func appendText(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			quoted, _ := json.Marshal(text) // never fails
			return append(b, quoted...)
		}
	}
	b = append(b, '"')
	b = append(b, text...)
	return append(b, '"')
}

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	header := w.Header()
	header.Set("Content-Type", "application/json")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// An error means that the client has closed the connection.
	_, _ = w.Write(body)
}
