package explain

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/kube-iam/authenticator/pkg/identity"
)

// Path is the path of the handler on a server's socket.
const Path = "/explain"

const (
	// maxQuestion is more than the longest token as JSON.
	maxQuestion = 64 << 10
	// maxAnswer is more than the rules of an explanation as JSON.
	maxAnswer = 64 << 20
	// maxRefusal is more than the names of some clusters.
	maxRefusal = 4 << 10
)

// Question is what an explanation is about: a token, or else a principal.
type Question struct {
	// Token is a credential.
	Token     string             `json:"token,omitempty"`
	Principal identity.Principal `json:"principal"`
	// Cluster is the ID of a cluster; empty for the default one of the server.
	Cluster string `json:"cluster,omitempty"`
	// Note and SessionUnknown are those of [Facts].
	Note           string `json:"note,omitempty"`
	SessionUnknown bool   `json:"sessionUnknown,omitempty"`
	// Asked are the flags of the question.
	Asked Asked `json:"asked,omitzero"`
}

// NewHandler returns a handler that answers questions of this machine's operator, who
// may see everything. It must not be served on a network.
func NewHandler(answer func(context.Context, Question) (Explanation, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "expected POST", http.StatusMethodNotAllowed)
			return
		}
		var q Question
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxQuestion))
		decoder.DisallowUnknownFields()
		// The error of a decoder may quote the question, and so a token.
		if err := decoder.Decode(&q); err != nil || q.Token == "" && q.Principal.CanonicalARN == "" {
			http.Error(w, "expected a token or a principal, as JSON of at most 64 KiB", http.StatusBadRequest)
			return
		}
		explanation, err := answer(r.Context(), q)
		if err != nil { // there is no such cluster
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(explanation) // the asker may be gone
	})
}

// Ask asks the server at a URL. A server of another version may reject a question with
// fields that it does not know. It is then asked without the flags of the question, which
// are only for the commands in its answer.
func Ask(ctx context.Context, client *http.Client, url string, q Question) (Explanation, error) {
	e, err := ask(ctx, client, url, q)
	if other, ok := errors.AsType[*otherVersionError](err); ok && other.code == http.StatusBadRequest {
		q.Asked = Asked{}
		e, err = ask(ctx, client, url, q)
		e.Mappings.Because += "; it is of another version, so its commands may lack flags that you gave"
	}
	return e, err
}

// An otherVersionError is about a server that does not understand the question.
type otherVersionError struct {
	code   int
	status string
}

func (e *otherVersionError) Error() string {
	return "asking the server: it responds " + e.status +
		", so it is most likely of another version than this program (ask with the server's own program, or restart the server with this one)"
}

func ask(ctx context.Context, client *http.Client, url string, q Question) (Explanation, error) {
	body, err := json.Marshal(q)
	if err != nil {
		return Explanation{}, fmt.Errorf("asking the server: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+Path, bytes.NewReader(body))
	if err != nil {
		return Explanation{}, fmt.Errorf("asking the server: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return Explanation{}, fmt.Errorf("asking the server: %w", err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusUnprocessableEntity {
		why, _ := io.ReadAll(io.LimitReader(response.Body, maxRefusal))
		return Explanation{}, fmt.Errorf("asking the server: %s", bytes.TrimSpace(why))
	}
	if response.StatusCode != http.StatusOK {
		return Explanation{}, &otherVersionError{response.StatusCode, response.Status}
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err == nil && len(text) > maxAnswer {
		err = errors.New("the answer is larger than 64 MiB")
	}
	var e Explanation
	if err == nil {
		err = json.Unmarshal(text, &e)
	}
	if err != nil {
		return Explanation{}, fmt.Errorf("reading the answer of the server: %w", err)
	}
	return e, nil
}
