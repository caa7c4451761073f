package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/metrics"
	"github.com/kube-iam/authenticator/internal/webhook"
)

// postTo sends a review to a path of a server of several clusters.
func postTo(h http.Handler, path, body string) *httptest.ResponseRecorder {
	mux := http.NewServeMux()
	mux.Handle("/authenticate", h)
	mux.Handle("/clusters/{"+webhook.PathCluster+"}/authenticate", h)
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	return w
}

// findIn returns a function that finds clusters by their exact IDs.
func findIn(ids ...string) func(string) (string, bool) {
	return func(inPath string) (string, bool) {
		for _, id := range ids {
			if id == inPath {
				return id, true
			}
		}
		return "", false
	}
}

// TestClusterOfPath checks that a review is decided by the cluster in its path, and that
// other clusters are not found.
func TestClusterOfPath(t *testing.T) {
	h, err := webhook.NewHandler(webhook.Config{
		Metrics: metrics.New(), Find: findIn("blue", "gone"),
		Authenticate: func(_ context.Context, id, _ string) (*authn.Decision, error) {
			if id == "gone" { // since it was found
				return nil, errors.New("unknown")
			}
			return &authn.Decision{Outcome: authn.Mapped, User: authn.User{Username: "user-of-" + id}}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]struct {
		status int
		body   string
	}{
		"/clusters/blue/authenticate":                             {200, `"username":"user-of-blue"`},
		"/clusters/Blue/authenticate":                             {404, `no cluster \"Blue\"`},
		"/clusters/green/authenticate":                            {404, `"kind":"Status"`},
		"/clusters/blue%2Fgreen/authenticate":                     {404, `no cluster \"blue/green\"`},
		"/clusters/gone/authenticate":                             {404, `no cluster \"gone\"`},
		"/clusters/" + strings.Repeat("x", 500) + "/authenticate": {404, `no cluster \"` + strings.Repeat("x", 100) + `\"`},
		"/authenticate":                                           {404, "this server has no default cluster"},
	} {
		w := postTo(h, path, review("v1", "any"))
		if w.Code != want.status || !strings.Contains(w.Body.String(), want.body) {
			t.Errorf("%s: HTTP %d %s, want %d with %s", path, w.Code, w.Body, want.status, want.body)
		}
		if isStatus := strings.Contains(w.Body.String(), `"kind":"Status"`); isStatus != (w.Code != http.StatusOK) {
			t.Errorf("%s: HTTP %d %s", path, w.Code, w.Body)
		}
	}
}

// TestMemoryIsFair has the requests of some clusters take all the memory that they get,
// and then asks for another cluster.
func TestMemoryIsFair(t *testing.T) {
	for flooded := range 3 {
		flooded++
		asked, release := make(chan struct{}, 2000), make(chan struct{})
		h, err := webhook.NewHandler(webhook.Config{
			Metrics: metrics.New(), Fair: true, Find: func(id string) (string, bool) { return id, true },
			Authenticate: func(_ context.Context, id, _ string) (*authn.Decision, error) {
				if id != "quiet" {
					asked <- struct{}{}
					<-release
				}
				return &authn.Decision{Outcome: authn.Malformed}, nil
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		body := review("v1", strings.Repeat("x", 60<<10))
		size := len(body) + 4<<10
		var all sync.WaitGroup
		for range maxHeld / size {
			for n := range flooded {
				turnedAway := make(chan struct{}, 1)
				all.Go(func() {
					if w := postTo(h, fmt.Sprintf("/clusters/flooded-%d/authenticate", n), body); w.Code != http.StatusOK {
						turnedAway <- struct{}{}
					}
				})
				select {
				case <-asked:
				case <-turnedAway:
				}
			}
		}
		// What is free is as much as one of them holds: room for another.
		for range 100 {
			if w := postTo(h, "/clusters/quiet/authenticate", body); w.Code != http.StatusOK {
				t.Fatalf("%d flooded clusters: the other gets HTTP %d %s", flooded, w.Code, w.Body)
			}
		}
		if w := postTo(h, "/clusters/flooded-0/authenticate", body); w.Code != http.StatusServiceUnavailable {
			t.Errorf("%d flooded clusters: one of them gets HTTP %d", flooded, w.Code)
		}
		close(release)
		all.Wait()
	}
}
