package main

import (
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

// TestSecretIsForLocalAWS checks which requests carry the secret of the control endpoints,
// and that none is sent on elsewhere.
func TestSecretIsForLocalAWS(t *testing.T) {
	var sent []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent = append(sent, r.Method+" "+r.URL.Path+" "+r.Header.Get(localaws.SecretHeader))
		if strings.HasSuffix(r.URL.Path, "/redirected") {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}
	}))
	defer server.Close()
	where := place{listen: server.Listener.Addr().String(), stateDir: t.TempDir()}
	files, err := where.files()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files.ControlSecret(), []byte("mellon"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		method, path, want string
	}{
		{http.MethodGet, "health", "GET /_localaws/health "},
		{http.MethodGet, "ca.pem", "GET /_localaws/ca.pem "},
		{http.MethodGet, "events?since=1m", "GET /_localaws/events "},
		{http.MethodGet, "state", "GET /_localaws/state mellon"},
		{http.MethodPost, "clock", "POST /_localaws/clock mellon"},
		{http.MethodDelete, "faults/1", "DELETE /_localaws/faults/1 mellon"},
		{http.MethodPost, "redirected", "POST /_localaws/redirected mellon"},
	} {
		sent = nil
		answer, err := where.ask(t.Context(), test.method, test.path, nil)
		if err == nil {
			_ = answer.Body.Close()
		}
		if strings.Join(sent, ", ") != test.want || (err == nil) == (test.path == "redirected") {
			t.Errorf("%s %s: sent %q, %v", test.method, test.path, sent, err)
		}
	}
}
