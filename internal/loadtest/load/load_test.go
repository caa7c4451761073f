package load_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/internal/loadtest/load"
	"github.com/kube-iam/authenticator/internal/loadtest/review"
)

// serve answers each TokenReview by what its body says.
func serve(t *testing.T) (*load.Client, *atomic.Int64) {
	t.Helper()
	var most, now atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		if r.ProtoMajor != 2 {
			t.Errorf("%s, not HTTP/2", r.Proto)
		}
		body, _ := io.ReadAll(r.Body)
		switch string(body) {
		case "yes":
			_, _ = io.WriteString(w, `{"status":{"authenticated":true}}`)
		case "bob":
			_, _ = io.WriteString(w, `{"status":{"authenticated":true,"user":{"username":"bob"}}}`)
		case "unmapped":
			_, _ = io.WriteString(w, `{"status":{"user":{"username":"bob"}}}`)
		case "silent":
			<-r.Context().Done()
		default:
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	client := load.NewClient(strings.TrimPrefix(server.URL, "https://"))
	t.Cleanup(client.Close)
	return client, &most
}

// TestHTTP1Client asks a server that has HTTP/2, too, on one connection.
func TestHTTP1Client(t *testing.T) {
	t.Parallel()
	var connections atomic.Int64
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 1 {
			t.Errorf("%s, not HTTP/1.1", r.Proto)
		}
		_, _ = io.WriteString(w, `{"status":{"authenticated":true}}`)
	}))
	server.EnableHTTP2 = true
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	server.StartTLS()
	t.Cleanup(server.Close)
	client := load.NewHTTP1Client(strings.TrimPrefix(server.URL, "https://"))
	t.Cleanup(client.Close)
	for range 3 {
		if answer, status := client.Ask(t.Context(), []byte("yes")); answer != review.Yes {
			t.Errorf("answered %s, HTTP status %d", answer, status)
		}
	}
	if n := connections.Load(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// alternating sends yes, and every other time something else.
func alternating(other string) func() []byte {
	var n atomic.Int64
	return func() []byte {
		if n.Add(1)%2 == 1 {
			return []byte("yes")
		}
		return []byte(other)
	}
}

func TestCount(t *testing.T) {
	t.Parallel()
	client, most := serve(t)
	result := client.Count(t.Context(), 4, 100, time.Minute, alternating("busy"))
	if result.Sent() != 100 || result.Answers[review.Yes] != 50 || result.Answers[review.Undecided] != 50 || result.Statuses[503] != 50 {
		t.Errorf("%s", result)
	}
	if n := most.Load(); n < 1 || n > 4 {
		t.Errorf("%d requests at once, not at most 4", n)
	}
}

func TestUsername(t *testing.T) {
	t.Parallel()
	client, _ := serve(t)
	for body, want := range map[string]string{"bob": "bob", "unmapped": "", "busy": ""} {
		if got := client.Username(t.Context(), []byte(body)); got != want {
			t.Errorf("%s: got %q, want %q", body, got, want)
		}
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	client, _ := serve(t)
	const limit = 3 * time.Second // those without an answer wait for it
	result := client.Open(t.Context(), 100, 200*time.Millisecond, limit, alternating("silent"))
	if result.Due() != 20 || result.Answers[review.Yes] == 0 || result.Answers[review.Failed] < 10 {
		t.Errorf("of 20 that are due, and 10 that get no answer: %s", result)
	}
	if result.P99() < float64(limit.Milliseconds()) {
		t.Errorf("p99 is %.1f ms, though half of the requests waited in vain for %s", result.P99(), limit)
	}
}

func TestClosed(t *testing.T) {
	t.Parallel()
	client, _ := serve(t)
	result := client.Closed(t.Context(), 2, 50*time.Millisecond, func() []byte { return []byte("yes") })
	if result.Answers[review.Yes] == 0 || result.Answers[review.Yes] != result.Sent() || result.Elapsed < 50*time.Millisecond {
		t.Errorf("in %s: %s", result.Elapsed, result)
	}
}
