package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/kube-iam/authenticator/internal/admission"
	"github.com/kube-iam/authenticator/internal/webhook"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

const admissionReview = `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u-1",
"kind":{"group":"","version":"v1","kind":"ConfigMap"},"resource":{"group":"","version":"v1","resource":"configmaps"},
"name":"aws-auth","namespace":"kube-system","operation":"DELETE","userInfo":{"username":"ann"},
"oldObject":{"kind":"ConfigMap","apiVersion":"v1","data":{"mapRoles":"- rolearn: arn:aws:iam::111122223333:role/Admin\n  groups: [system:masters]\n"}}}}`

// always returns the guard of every cluster.
func always(guard *admission.Guard) func(string) *admission.Guard {
	return func(string) *admission.Guard { return guard }
}

// guarded serves the admission of edits, and returns what it logs and counts.
func guarded(t *testing.T) (http.Handler, *bytes.Buffer, map[admission.Result]int) {
	t.Helper()
	var log bytes.Buffer
	var mu sync.Mutex // reviews are answered at the same time
	counts := map[admission.Result]int{}
	observe := func(_ string, result admission.Result) {
		mu.Lock()
		defer mu.Unlock()
		counts[result]++
	}
	handler, err := webhook.NewAdmissionHandler(webhook.AdmissionConfig{
		Guard:   always(admission.New(admission.Config{Reading: func() *awsauth.Result { return nil }})),
		Observe: observe,
		Log:     slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return handler, &log, counts
}

func TestAdmission(t *testing.T) {
	t.Parallel()
	const most = 20 << 20 // the limit in docs/operations.md
	padded := func(size int) string { return admissionReview + strings.Repeat(" ", size-len(admissionReview)) }
	for _, test := range []struct {
		name, method, contentType, body string
		status                          int
		answer                          string
		result                          admission.Result
	}{
		{"refused", http.MethodPost, "application/json", admissionReview, 200, `"allowed":false`, admission.Refused},
		{"another ConfigMap", http.MethodPost, "application/json", strings.Replace(admissionReview, `"name":"aws-auth"`, `"name":"coredns"`, 1), 200, `"allowed":true`, admission.Allowed},
		{"no object", http.MethodPost, "application/json", strings.Replace(admissionReview, "oldObject", "old", 1), 200, `"allowed":true`, admission.Failed},
		{"the largest", http.MethodPost, "application/json", padded(most), 200, `"allowed":false`, admission.Refused},
		{"too large", http.MethodPost, "application/json", padded(most + 1), 413, "longer than 20480 KiB", admission.Failed},
		{"no review", http.MethodPost, "application/json", "{}", 400, "AdmissionReview", admission.Failed},
		{"another method", http.MethodGet, "application/json", "", 405, "an AdmissionReview must be sent by POST", admission.Failed},
		{"another type", http.MethodPost, "text/plain", admissionReview, 415, "application/json", admission.Failed},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			handler, log, counts := guarded(t)
			request := httptest.NewRequest(test.method, "/validate", strings.NewReader(test.body))
			request.Header.Set("Content-Type", test.contentType)
			w := httptest.NewRecorder()
			handler.ServeHTTP(w, request)
			if w.Code != test.status || !strings.Contains(w.Body.String(), test.answer) {
				t.Errorf("answered %d: %s", w.Code, w.Body)
			}
			if counts[test.result] != 1 || len(counts) != 1 {
				t.Errorf("counted %v, want one %s", counts, test.result)
			}
			if refused := strings.Contains(log.String(), "refused an edit") && strings.Contains(log.String(), "user=ann"); refused != (test.result == admission.Refused) {
				t.Errorf("logged %q", log)
			}
		})
	}
}

// TestLargestObject judges an edit of an object that just fits into etcd, although JSON
// makes it as long as it can.
func TestLargestObject(t *testing.T) {
	t.Parallel()
	const inEtcd = 1536 << 10
	object := func(roles string) string {
		roles += "# " + strings.Repeat("<", 1<<20-len(roles)-2)
		text, err := json.Marshal(map[string]any{
			"kind": "ConfigMap", "apiVersion": "v1", "data": map[string]string{"mapRoles": roles},
			"metadata": map[string]any{"annotations": map[string]string{"a": strings.Repeat(">", 256<<10)}, "managedFields": strings.Repeat("&", 256<<10)},
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(text) < 6*inEtcd-1024 {
			t.Fatalf("JSON of %d bytes", len(text))
		}
		return string(text)
	}
	review := fmt.Sprintf(`{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u-1",
"resource":{"group":"","version":"v1","resource":"configmaps"},"name":"aws-auth","namespace":"kube-system","operation":"UPDATE",
"userInfo":{"username":"ann","extra":{"sessionName":[%q]}},"oldObject":%s,"object":%s}}`, strings.Repeat("x", 1<<20-100), object("- rolearn: arn:aws:iam::111122223333:role/Admin\n  groups: [system:masters]\n"), object("[]\n"))
	handler, _, _ := guarded(t)
	request := httptest.NewRequest(http.MethodPost, "/validate", strings.NewReader(review))
	request.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	if handler.ServeHTTP(w, request); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "nobody would be left in system:masters") {
		t.Errorf("answered %d: %.2000s", w.Code, w.Body)
	}
}

// TestAdmissionOfUnknownLength turns away a body of unknown length beyond the limit.
func TestAdmissionOfUnknownLength(t *testing.T) {
	t.Parallel()
	handler, _, _ := guarded(t)
	request := httptest.NewRequest(http.MethodPost, "/validate", struct{ *strings.Reader }{strings.NewReader(admissionReview + strings.Repeat(" ", 20<<20))})
	request.ContentLength = -1
	request.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	if handler.ServeHTTP(w, request); w.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("answered %d: %s", w.Code, w.Body)
	}
}

// TestAdmissionIsBounded judges one edit at a time, and has no memory for a third of the
// largest reviews.
func TestAdmissionIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		finish := make(chan struct{})
		handler, err := webhook.NewAdmissionHandler(webhook.AdmissionConfig{Guard: always(admission.New(admission.Config{Reading: func() *awsauth.Result {
			<-finish
			return nil
		}}))})
		if err != nil {
			t.Fatal(err)
		}
		largest := admissionReview + strings.Repeat(" ", 20<<20-len(admissionReview))
		serve := func(ctx context.Context) *httptest.ResponseRecorder {
			request := httptest.NewRequestWithContext(ctx, http.MethodPost, "/validate", strings.NewReader(largest))
			request.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			go handler.ServeHTTP(w, request)
			synctest.Wait()
			return w
		}
		waiting, giveUp := context.WithCancel(t.Context())
		first, second, third := serve(t.Context()), serve(waiting), serve(t.Context())
		if third.Code != http.StatusServiceUnavailable {
			t.Errorf("a third of the largest reviews is answered %d", third.Code)
		}
		if first.Body.Len()+second.Body.Len() > 0 {
			t.Error("a review is answered before it is judged")
		}
		giveUp()
		synctest.Wait()
		if second.Code != http.StatusServiceUnavailable {
			t.Errorf("a review whose client gave up is answered %d", second.Code)
		}
		close(finish)
		synctest.Wait()
		if first.Code != http.StatusOK || !strings.Contains(first.Body.String(), `"allowed":false`) {
			t.Errorf("the first is answered %d: %s", first.Code, first.Body)
		}
	})
}

// TestRefusalsAreLoggedUpToARate refuses many edits: each is counted, and not each logged.
func TestRefusalsAreLoggedUpToARate(t *testing.T) {
	t.Parallel()
	handler, log, counts := guarded(t)
	const edits = 200
	for range edits {
		request := httptest.NewRequest(http.MethodPost, "/validate", strings.NewReader(admissionReview))
		request.Header.Set("Content-Type", "application/json")
		handler.ServeHTTP(httptest.NewRecorder(), request)
	}
	if lines := strings.Count(log.String(), "refused an edit"); lines < 20 || lines > edits/2 || counts[admission.Refused] != edits {
		t.Errorf("%d lines and %v for %d edits", lines, counts, edits)
	}
}

// TestAdmissionByCluster asks the guard of the cluster in the path, and no other.
func TestAdmissionByCluster(t *testing.T) {
	t.Parallel()
	guard := admission.New(admission.Config{Reading: func() *awsauth.Result { return nil }})
	handler, err := webhook.NewAdmissionHandler(webhook.AdmissionConfig{
		Find: func(id string) (string, bool) { return id, id == "a" || id == "gone" },
		Guard: func(id string) *admission.Guard {
			if id == "a" {
				return guard
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/clusters/{"+webhook.PathCluster+"}/validate", handler)
	for id, want := range map[string]int{"a": http.StatusOK, "b": http.StatusNotFound, "gone": http.StatusNotFound} {
		request := httptest.NewRequest(http.MethodPost, "/clusters/"+id+"/validate", strings.NewReader(admissionReview))
		request.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		if mux.ServeHTTP(w, request); w.Code != want {
			t.Errorf("cluster %s: answered %d, want %d", id, w.Code, want)
		}
	}
}
