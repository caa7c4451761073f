// Package review builds the TokenReviews that a kube-apiserver sends, and reads the
// answers.
package review

import (
	"bytes"
	"encoding/json"
	"net/http"
)

// Body returns a TokenReview as a current kube-apiserver sends it by default.
func Body(token string) []byte {
	return []byte(`{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1beta1","metadata":{"creationTimestamp":null},"spec":{"token":"` +
		token + `"},"status":{"user":{}}}` + "\n")
}

// Token returns the token in a TokenReview from Body.
func Token(body []byte) (string, bool) {
	_, rest, found := bytes.Cut(body, []byte(`"token":"`))
	token, _, ended := bytes.Cut(rest, []byte(`"`))
	return string(token), found && ended
}

// An Answer is the outcome of a TokenReview.
type Answer int

const (
	// Yes lets the caller in.
	Yes Answer = iota
	// No does not: HTTP 200, or aws-iam-authenticator's 403.
	No
	// Undecided is any other HTTP response.
	Undecided
	// Failed means no response in time.
	Failed

	// Answers is the number of answers.
	Answers = iota
)

func (a Answer) String() string { return [Answers]string{"yes", "no", "undecided", "failed"}[a] }

// Read returns the answer in a response.
func Read(status int, body []byte) Answer {
	switch {
	case status == http.StatusOK && bytes.Contains(body, []byte(`"authenticated":true`)):
		return Yes
	case status == http.StatusOK, status == http.StatusForbidden:
		return No
	default:
		return Undecided
	}
}

// Username returns the username in a response; none if there is none.
func Username(body []byte) string {
	var review struct {
		Status struct {
			User struct {
				Username string `json:"username"`
			} `json:"user"`
		} `json:"status"`
	}
	if err := json.Unmarshal(body, &review); err != nil {
		return ""
	}
	return review.Status.User.Username
}
