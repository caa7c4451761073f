package configmap_test

import (
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-iam/authenticator/internal/history"
)

// A historyServer is the ConfigMap aws-auth-history, in front of the API servers that
// several sources follow.
type historyServer struct {
	mu     sync.Mutex
	object corev1.ConfigMap
	// read has an element for each read that found an entry, wrote for each write.
	wrote, read chan struct{}
}

func (h *historyServer) before(t *testing.T, behind http.Handler) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/configmaps/"+history.Name) {
			h.serve(w, r)
			return
		}
		behind.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func (h *historyServer) serve(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	if r.Method == http.MethodPut {
		var object corev1.ConfigMap
		if err := json.NewDecoder(r.Body).Decode(&object); err != nil || object.ResourceVersion != h.object.ResourceVersion {
			w.WriteHeader(http.StatusConflict)
			_ = json.NewEncoder(w).Encode(metav1.Status{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure", Reason: metav1.StatusReasonConflict, Code: http.StatusConflict})
			return
		}
		version, _ := strconv.Atoi(object.ResourceVersion)
		object.ResourceVersion = strconv.Itoa(version + 1)
		h.object = object
		h.wrote <- struct{}{}
	} else if len(h.object.BinaryData) > 0 {
		h.read <- struct{}{}
	}
	_ = json.NewEncoder(w).Encode(h.object)
}

// TestServersWriteOneHistory lets two servers see the same edit: the history has it once.
func TestServersWriteOneHistory(t *testing.T) {
	shared := &historyServer{wrote: make(chan struct{}, 16), read: make(chan struct{}, 16), object: corev1.ConfigMap{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
		ObjectMeta: metav1.ObjectMeta{Name: history.Name, Namespace: "kube-system", ResourceVersion: "1"},
	}}
	for range 2 {
		behind := newAPIServer(t, awsAuth("7", "a", bobIs("first")))
		run(t, config(shared.before(t, behind), slog.New(slog.DiscardHandler)), timeout)
	}
	<-shared.wrote
	<-shared.read // the other server sees that the entry is there
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if keys := slices.Collect(maps.Keys(shared.object.BinaryData)); len(keys) != 1 || keys[0] != "00000001.a.7" {
		t.Errorf("the history has %v", keys)
	}
}
