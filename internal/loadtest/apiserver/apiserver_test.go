package apiserver_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/kube-iam/authenticator/internal/loadtest/apiserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const configMaps = "/api/v1/namespaces/kube-system/configmaps"

// start returns a stand-in whose aws-auth is users=first, and its URL from the kubeconfig.
func start(t *testing.T) (standin *apiserver.Standin, url string) {
	t.Helper()
	standin, err := apiserver.New(map[string]string{"users": "first"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := standin.Close(); err != nil {
			t.Error(err)
		}
	})
	var kubeconfig struct {
		Clusters []struct{ Cluster struct{ Server string } }
	}
	if err := yaml.Unmarshal(standin.Kubeconfig(), &kubeconfig); err != nil || len(kubeconfig.Clusters) != 1 {
		t.Fatalf("%+v, %v", kubeconfig, err)
	}
	return standin, kubeconfig.Clusters[0].Cluster.Server
}

func do(t *testing.T, method, url, body string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	response, err := transport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

func TestResponses(t *testing.T) {
	t.Parallel()
	_, url := start(t)
	for _, test := range []struct {
		method, path string
		status       int
		contains     string
	}{
		{http.MethodGet, configMaps + "?fieldSelector=metadata.name%3Daws-auth", 200, `"data":{"users":"first"}`},
		{http.MethodGet, configMaps + "?fieldSelector=metadata.name%3Daws-auth&watch=true&sendInitialEvents=true", 422, `"reason":"Invalid"`},
		{http.MethodGet, configMaps, 403, `"reason":"Forbidden"`},
		{http.MethodGet, configMaps + "/aws-auth-last-good", 404, `"reason":"NotFound"`},
		{http.MethodPost, "/api/v1/namespaces/kube-system/events", 201, `{"kind":"Event"}`},
		{http.MethodPost, configMaps, 403, `"kind":"Status"`},
		{http.MethodGet, "/api/v1/nodes", 403, `"kind":"Status"`},
	} {
		response := do(t, test.method, url+test.path, `{"kind":"Event"}`)
		var body json.RawMessage
		if err := json.NewDecoder(response.Body).Decode(&body); err != nil || response.StatusCode != test.status || !strings.Contains(string(body), test.contains) {
			t.Errorf("%s %s: got %d %s, %v; want %d and %s", test.method, test.path, response.StatusCode, body, err, test.status, test.contains)
		}
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		parameter string
		want      []string
	}{
		{"", []string{"ADDED 1 map[users:first]", "MODIFIED 2 map[users:second]", "MODIFIED 3 map[users:third]"}},
		{"&resourceVersion=1", []string{"MODIFIED 2 map[users:second]", "MODIFIED 3 map[users:third]"}},
	} {
		standin, url := start(t)
		events := json.NewDecoder(do(t, http.MethodGet, url+configMaps+"?fieldSelector=metadata.name%3Daws-auth&watch=true"+test.parameter, "").Body)
		before := time.Now()
		for _, users := range []string{"second", "third"} {
			at, err := standin.Edit(t.Context(), map[string]string{"users": users})
			if err != nil || at.Before(before) || at.After(time.Now()) {
				t.Fatalf("Edit returns %s, %v", at, err)
			}
		}
		for _, want := range test.want {
			var event struct {
				Type   string
				Object corev1.ConfigMap
			}
			if err := events.Decode(&event); err != nil {
				t.Fatal(err)
			}
			if got := fmt.Sprint(event.Type, " ", event.Object.ResourceVersion, " ", maps.Clone(event.Object.Data)); got != want {
				t.Errorf("watch%s: got %s, want %s", test.parameter, got, want)
			}
		}
	}
}

func TestEditWithoutWatch(t *testing.T) {
	t.Parallel()
	standin, _ := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := standin.Edit(ctx, nil); err == nil || !strings.Contains(err.Error(), "no client watches it") {
		t.Errorf("Edit returns %v", err)
	}
}
