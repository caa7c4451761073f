package decisions_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/internal/decisions"
)

// TestHostileAnswers checks that a client reads a bounded part of an answer that no server
// gives, and says what is wrong with it.
func TestHostileAnswers(t *testing.T) {
	t.Parallel()
	start := func(text, rest string) io.Reader {
		return io.MultiReader(strings.NewReader(text), strings.NewReader(strings.Repeat(rest, decisions.MaxList)))
	}
	for name, test := range map[string]struct {
		answer      func() io.Reader
		find, watch string
	}{
		"no JSON":      {func() io.Reader { return strings.NewReader("\x1b[2J\n") }, "invalid character '\\x1b'", "invalid character '\\x1b'"},
		"nothing":      {func() io.Reader { return strings.NewReader("") }, "EOF", "unexpected EOF: the server has stopped"},
		"another type": {func() io.Reader { return strings.NewReader("{\"decisions\": {}, \"decision\": 1}\n") }, `expected a list of decisions, not "{}"`, "cannot unmarshal number"},
		"no decision":  {func() io.Reader { return strings.NewReader("{\"decisions\": [{}, 1]}\n") }, "decision 2: json: cannot unmarshal number", "unexpected EOF: the server has stopped"},
		"a long list": {func() io.Reader {
			return strings.NewReader("{\"decisions\": [{}" + strings.Repeat(",{}", 4096) + "]}\n")
		}, "too large", "the server has stopped"},
		"a list for all": {func() io.Reader { return start(`{"decisions": [{}`, ",{}") }, "too large", "too large"},
		"a long text":    {func() io.Reader { return start(`{"decision": {"error": "`, "A") }, "too large", "too large"},
		"a long line":    {func() io.Reader { return start("", " ") }, "too large", "too large"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.Copy(w, test.answer()) // until the client closes the connection
			}))
			defer server.Close()
			client := decisions.Client{HTTP: server.Client(), URL: server.URL}
			if found, err := client.Find(t.Context(), decisions.Query{}); err == nil || !strings.Contains(err.Error(), test.find) {
				t.Errorf("%d found, %v, want %s", len(found), err, test.find)
			}
			err := client.Watch(t.Context(), decisions.Query{}, func(decisions.Entry, int) error { return nil })
			if err == nil || !strings.Contains(err.Error(), test.watch) {
				t.Errorf("watch: %v, want %s", err, test.watch)
			}
		})
	}
}
