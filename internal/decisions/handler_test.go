package decisions_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/decisions"
)

// serve returns a client of a server, and a channel that receives at the end of each
// request.
func serve(t *testing.T, r *decisions.Recorder) (decisions.Client, <-chan struct{}) {
	t.Helper()
	handler, ended := decisions.NewHandler(r), make(chan struct{}, 16)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() { ended <- struct{}{} }()
		handler.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return decisions.Client{HTTP: server.Client(), URL: server.URL}, ended
}

// TestFind asks a server for each of the fields of an entry.
func TestFind(t *testing.T) {
	r := decisions.NewRecorder()
	r.Record("blue", about(t, authn.Mapped, "people", "alice"))
	r.Record("blue", about(t, authn.Unmapped, "people", "bob"))
	r.Record("blue", unproven(authn.Refused, "AKIABOB"))
	client, _ := serve(t, r)
	for name, query := range map[string]decisions.Query{
		"all":     {Limit: 10},
		"ARN":     {ARN: "arn:aws:iam::" + account + ":role/people", Limit: 10},
		"ID":      {ID: r.Find(decisions.Query{Outcomes: []authn.Outcome{authn.Refused}, Limit: 1})[0].ID, Limit: 10},
		"outcome": {Outcomes: []authn.Outcome{authn.Mapped, authn.Refused}, Limit: 1},
		"none":    {ID: "AAAAAAAA", Limit: 10},
	} {
		found, err := client.Find(t.Context(), query)
		if diff := cmp.Diff(r.Find(query), found); err != nil || diff != "" {
			t.Errorf("%s: %v (-kept +found)\n%s", name, err, diff)
		}
	}
}

func TestBadQueries(t *testing.T) {
	handler := decisions.NewHandler(decisions.NewRecorder())
	for query, want := range map[string]string{
		"since=1h":             `unknown parameter "since" (supported: id, arn, cluster, outcome, limit, watch)`,
		"outcome=unmaped":      `unknown outcome "unmaped" (supported: malformed, `,
		"limit=-1":             `parameter limit "-1": expected a number that is not negative`,
		"limit=x":              `parameter limit "x": expected`,
		"watch=maybe":          `parameter watch "maybe": expected true or false`,
		"id=A&id=B":            "parameter id is given twice",
		"watch=true&limit=1.5": "parameter limit",
	} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/decisions?"+query, nil))
		if w.Code != http.StatusBadRequest || !strings.HasPrefix(w.Body.String(), want) {
			t.Errorf("%s: %d %s, want %s", query, w.Code, w.Body, want)
		}
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, httptest.NewRequest(http.MethodPost, "/decisions?"+url.Values{"limit": {"1"}}.Encode(), nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", w.Code)
	}
}

// TestWatch follows the decisions of a server until the client stops, and until the
// server does.
func TestWatch(t *testing.T) {
	r := decisions.NewRecorder()
	r.Record("blue", about(t, authn.Unmapped, "people", "before"))
	client, ended := serve(t, r)
	query := decisions.Query{Outcomes: []authn.Outcome{authn.Unmapped}, Limit: 1}
	ctx, cancel := context.WithCancelCause(t.Context())
	stopped := errors.New("stopped")
	var seen []string
	err := client.Watch(ctx, query, func(e decisions.Entry, lost int) error {
		seen = append(seen, e.ARN[strings.LastIndexByte(e.ARN, '/')+1:])
		switch len(seen) {
		case 1: // only now the client surely watches
			r.Record("blue", about(t, authn.Mapped, "people", "alice"))
			r.Record("blue", about(t, authn.Unmapped, "people", "after"))
		case 2:
			cancel(stopped)
		}
		return nil
	})
	if diff := cmp.Diff([]string{"before", "after"}, seen); !errors.Is(err, stopped) || diff != "" {
		t.Errorf("%v, seen (-want +got)\n%s", err, diff)
	}
	failed := errors.New("failed")
	if err := client.Watch(t.Context(), query, func(decisions.Entry, int) error { return failed }); !errors.Is(err, failed) {
		t.Errorf("a failure of the caller: %v", err)
	}
	// Watchers that are gone make room.
	<-ended
	<-ended
	for range 8 {
		_, w, err := r.Watch(query)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Stop()
	}
	if err := client.Watch(t.Context(), query, nil); err == nil || !strings.Contains(err.Error(), "503 Service Unavailable: too many watch the decisions already") {
		t.Errorf("a ninth watcher: %v", err)
	}
}

// TestLost checks that a client learns how many decisions it lost.
func TestLost(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"decision":{"id":"A"}}` + "\n" + `{"lost":3}` + "\n" + `{"decision":{"id":"B"}}` + "\n"))
	}))
	defer server.Close()
	got := map[string]int{}
	err := decisions.Client{HTTP: server.Client(), URL: server.URL}.Watch(t.Context(), decisions.Query{}, func(e decisions.Entry, lost int) error {
		got[e.ID] = lost
		return nil
	})
	if diff := cmp.Diff(map[string]int{"A": 0, "B": 3}, got); err == nil || !strings.Contains(err.Error(), "the server has stopped") || diff != "" {
		t.Errorf("%v (-want +got)\n%s", err, diff)
	}
}
