package webhook_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

// TestLargeReviewsShareBuffers sends more large AdmissionReviews than there are buffers, one
// after the other: they must not take a new buffer each.
func TestLargeReviewsShareBuffers(t *testing.T) {
	const most, reviews = 20 << 20, 20
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // it could free an idle buffer
	handler, _, _ := guarded(t)
	body := strings.Repeat("x", most)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for i := range reviews {
		request := httptest.NewRequest(http.MethodPost, "/validate", strings.NewReader(body))
		if i%2 == 0 {
			request.ContentLength = -1
		}
		request.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		if handler.ServeHTTP(w, request); w.Code != http.StatusBadRequest {
			t.Fatalf("answered %d: %s", w.Code, w.Body)
		}
	}
	runtime.ReadMemStats(&after)
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 3*most {
		t.Errorf("%d reviews of %d MiB allocated %d MiB", reviews, most>>20, allocated>>20)
	}
}

// TestSlowEditsKeepNobodyOut begins as many of the largest AdmissionReviews as there are
// buffers, ends none of them, and sends another.
func TestSlowEditsKeepNobodyOut(t *testing.T) {
	const most, slow = 20 << 20, 2
	handler, _, _ := guarded(t)
	s := serve(t, handler)
	slowClient, prompt := newClient(t), newClient(t)
	answers, begun := make(chan string, slow), make(chan struct{}, slow)
	for range slow {
		read, write := io.Pipe()
		defer read.Close()
		go func() {
			_, _ = write.Write([]byte("x"))
			_, _ = write.Write([]byte("x")) // the transport has asked for more: the first is sent
			begun <- struct{}{}
		}()
		go func() { answers <- postEdit(slowClient, s.url, read) }()
	}
	for range slow {
		<-begun
	}
	if answer := postEdit(prompt, s.url, strings.NewReader(admissionReview+strings.Repeat(" ", most-len(admissionReview)))); answer != "200 OK" {
		t.Errorf("a prompt edit is answered %s", answer)
	}
	if answer := <-answers; answer != "503 Service Unavailable" {
		t.Errorf("a slow edit is answered %s", answer)
	}
	slowClient.CloseIdleConnections()
	prompt.CloseIdleConnections()
	s.end(t)
}

// postEdit returns how an AdmissionReview is answered.
func postEdit(client *http.Client, url string, body io.Reader) string {
	answer, err := client.Post(url, "application/json", body)
	if err != nil {
		return err.Error()
	}
	_ = answer.Body.Close()
	return answer.Status
}
