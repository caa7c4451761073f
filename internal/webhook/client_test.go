package webhook_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/internal/admission"
	"github.com/kube-iam/authenticator/internal/metrics"
	"github.com/kube-iam/authenticator/internal/webhook"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// TestClientsOfClusters sends reviews of each kind for each cluster: only those of the
// clients that a cluster accepts are read. The log says why, once for each cluster.
func TestClientsOfClusters(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	refused, judged := map[string]int{}, map[string]int{}
	m := metrics.New()
	clients := &webhook.Clients{
		Verify: func(id string, connection *tls.ConnectionState) error {
			if id == "open" || connection != nil && connection.ServerName == "client of "+id {
				return nil
			}
			return errors.New("no client of " + id)
		},
		Refused: func(id string) { refused[id]++ },
		Log:     slog.New(slog.NewTextHandler(&log, nil)),
	}
	find := findIn("blue", "green", "open")
	reviews, err := webhook.NewHandler(webhook.Config{Authenticate: forAny(decide), Metrics: m, Find: find, Clients: clients})
	if err != nil {
		t.Fatal(err)
	}
	edits, err := webhook.NewAdmissionHandler(webhook.AdmissionConfig{
		Guard: always(admission.New(admission.Config{Reading: func() *awsauth.Result { return nil }})), Find: find, Clients: clients,
		Observe: func(id string, _ admission.Result) { judged[id]++ },
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/clusters/{"+webhook.PathCluster+"}/authenticate", reviews)
	mux.Handle("/clusters/{"+webhook.PathCluster+"}/validate", edits)
	for _, test := range []struct {
		client, cluster string
		want            int
	}{
		{"client of blue", "blue", http.StatusOK},
		{"client of blue", "green", http.StatusUnauthorized},
		{"client of green", "green", http.StatusOK},
		{"client of green", "blue", http.StatusUnauthorized},
		{"client of green", "open", http.StatusOK},
		{"", "open", http.StatusOK},
		{"", "blue", http.StatusUnauthorized},
		{"client of red", "red", http.StatusNotFound},
	} {
		for path, body := range map[string]string{"/authenticate": review("v1", "mapped"), "/validate": admissionReview} {
			r := httptest.NewRequest(http.MethodPost, "/clusters/"+test.cluster+path, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			if test.client != "" {
				r.TLS = &tls.ConnectionState{ServerName: test.client}
			}
			w := httptest.NewRecorder()
			if mux.ServeHTTP(w, r); w.Code != test.want {
				t.Errorf("%s of cluster %s with client %q: answered %d, want %d: %s", path, test.cluster, test.client, w.Code, test.want, w.Body)
			}
		}
	}
	if want := map[string]int{"blue": 4, "green": 2}; !maps.Equal(refused, want) {
		t.Errorf("counted refused clients %v, want %v", refused, want)
	}
	if want := map[string]int{"blue": 1, "green": 1, "open": 2}; !maps.Equal(judged, want) {
		t.Errorf("counted edits %v, want %v", judged, want)
	}
	for _, want := range []string{`cluster=blue client=192.0.2.1:1234 error="no client of blue"`, `cluster=green client=192.0.2.1:1234 error="no client of green"`} {
		if strings.Count(log.String(), want) != 1 {
			t.Errorf("logged, without one %q:\n%s", want, &log)
		}
	}
}
