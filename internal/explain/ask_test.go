package explain_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-iam/authenticator/internal/explain"
	"github.com/kube-iam/authenticator/pkg/mapper/mappertest"
)

// TestAsk checks that a question and its answer arrive unchanged.
func TestAsk(t *testing.T) {
	bob := mappertest.User(t, account, "bob")
	want := setting{}.explain(t, user(users+"rob"), bob)
	for _, question := range []explain.Question{
		{Principal: bob, Note: "a note", SessionUnknown: true, Cluster: "blue", Asked: explain.Asked{Place: []string{"--state-dir", "state"}, Profile: "work"}},
		{Token: "k8s-aws-v1." + strings.Repeat("A", 16<<10)},
	} {
		server := httptest.NewServer(explain.NewHandler(func(_ context.Context, asked explain.Question) (explain.Explanation, error) {
			if diff := cmp.Diff(question, asked); diff != "" {
				t.Errorf("asked (-want +got)\n%s", diff)
			}
			return want, nil
		}))
		got, err := explain.Ask(t.Context(), server.Client(), server.URL, question)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%v (-want +got)\n%s", err, diff)
		}
		server.Close()
	}
}

// TestHandlerRefuses checks questions that are none, and that no error quotes them.
func TestHandlerRefuses(t *testing.T) {
	handler := explain.NewHandler(func(context.Context, explain.Question) (explain.Explanation, error) {
		t.Error("a question that is none is answered")
		return explain.Explanation{}, nil
	})
	for _, test := range []struct {
		method, body string
		status       int
	}{
		{http.MethodGet, "", http.StatusMethodNotAllowed},
		{http.MethodPost, "", http.StatusBadRequest},
		{http.MethodPost, "{}", http.StatusBadRequest},
		{http.MethodPost, `{"token": 1}`, http.StatusBadRequest},
		{http.MethodPost, `{"token": "secret", "more": 1}`, http.StatusBadRequest},
		{http.MethodPost, `{"token": "secret` + strings.Repeat("x", 64<<10) + `"}`, http.StatusBadRequest},
	} {
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, httptest.NewRequest(test.method, explain.Path, strings.NewReader(test.body)))
		if response.Code != test.status || strings.Contains(response.Body.String(), "secret") {
			t.Errorf("%s %.40s: %d %s", test.method, test.body, response.Code, response.Body)
		}
	}
}

// TestAskOlder checks that a server without the field asked still answers, and that the
// answer says what it may lack.
func TestAskOlder(t *testing.T) {
	bob := mappertest.User(t, account, "bob")
	handler := explain.NewHandler(func(_ context.Context, asked explain.Question) (explain.Explanation, error) {
		if diff := cmp.Diff(explain.Question{Principal: bob, Cluster: "blue"}, asked); diff != "" {
			t.Errorf("asked (-want +got)\n%s", diff)
		}
		return setting{}.explain(t, user(users+"rob"), bob), nil
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || strings.Contains(string(body), `"asked"`) { // an unknown field
			http.Error(w, "expected a token or a principal", http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		handler.ServeHTTP(w, r)
	}))
	defer server.Close()
	got, err := explain.Ask(t.Context(), server.Client(), server.URL, explain.Question{Principal: bob, Cluster: "blue", Asked: explain.Asked{Profile: "work"}})
	if err != nil || got.Sentence == "" || !strings.HasSuffix(got.Mappings.Because, "; it is of another version, so its commands may lack flags that you gave") {
		t.Errorf("%v, %+v", err, got.Mappings)
	}
}

// TestAskFails checks a server that is another, or gone.
func TestAskFails(t *testing.T) {
	bob := explain.Question{Principal: mappertest.User(t, account, "bob")}
	for want, handler := range map[string]http.HandlerFunc{
		"asking the server: it responds 404 Not Found, so it is most likely of another version than this program (ask with the server's own program": http.NotFound,
		"asking the server: the server has no cluster green": explain.NewHandler(func(context.Context, explain.Question) (explain.Explanation, error) {
			return explain.Explanation{}, errors.New("the server has no cluster green")
		}).ServeHTTP,
		"reading the answer of the server: ": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) },
	} {
		server := httptest.NewServer(handler)
		if _, err := explain.Ask(t.Context(), server.Client(), server.URL, bob); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		server.Close()
		if _, err := explain.Ask(t.Context(), server.Client(), server.URL, bob); err == nil || !strings.HasPrefix(err.Error(), "asking the server: ") {
			t.Errorf("a server that is gone: %v", err)
		}
	}
}
