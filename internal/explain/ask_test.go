package explain_test

import (
	"context"
	"errors"
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

// TestAskFails checks a server that is another, or gone.
func TestAskFails(t *testing.T) {
	bob := explain.Question{Principal: mappertest.User(t, account, "bob")}
	for want, handler := range map[string]http.HandlerFunc{
		"it answers 404 Not Found (is it of the same version?)": http.NotFound,
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
