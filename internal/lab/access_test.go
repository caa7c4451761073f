package lab

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
)

// TestRightsAreThoseOfTheManifest: the authenticator of a lab may do what that of a
// cluster made by hand may, by deploy/kind/manifests/rbac.yaml.
func TestRightsAreThoseOfTheManifest(t *testing.T) {
	t.Parallel()
	strict := serializer.NewCodecFactory(scheme.Scheme, serializer.EnableStrict).UniversalDeserializer()
	decode := func(text []byte) runtime.Object {
		object, _, err := strict.Decode(text, nil, nil)
		if err != nil {
			t.Error(err)
		}
		return object
	}
	var mu sync.Mutex
	var made []runtime.Object
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || r.Method != http.MethodPost || !strings.Contains(r.URL.Path, "/namespaces/"+metav1.NamespaceSystem+"/") {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
		}
		mu.Lock()
		made = append(made, decode(body))
		mu.Unlock()
		w.Header().Set("Content-Type", r.Header.Get("Content-Type"))
		_, _ = w.Write(body)
	}))
	defer server.Close()
	l := &Lab{admin: &rest.Config{Host: server.URL}}
	if err := l.allowAuthenticator(t.Context()); err != nil {
		t.Fatal(err)
	}

	manifest, err := os.ReadFile(filepath.Join("..", "..", "deploy", "kind", "manifests", "rbac.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var want []runtime.Object
	for _, document := range strings.Split(string(manifest), "\n---\n") {
		want = append(want, decode([]byte(document)))
	}
	if diff := cmp.Diff(want, made); diff != "" {
		t.Errorf("the lab makes other objects than the manifest (-manifest +lab):\n%s", diff)
	}
}
