package webhook_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/webhook"
)

// sendsHalf sends half a body of 64 KiB, waits, and returns what is answered.
func sendsHalf(ctx context.Context, client *http.Client, url string, sent func()) (int, error) {
	read, write := io.Pipe()
	defer read.Close()
	go func() {
		_, _ = write.Write(bytes.Repeat([]byte("x"), 32<<10)) // fails once the request is over
		sent()
	}()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, read)
	if err != nil {
		return 0, err
	}
	request.ContentLength = 64 << 10
	request.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	return answer.StatusCode, answer.Body.Close()
}

// TestSlowSendersKeepNobodyOut begins more bodies than there is room for, ends
// none of them, and asks.
func TestSlowSendersKeepNobodyOut(t *testing.T) {
	s := serveOn(t, nil, decide)
	ctx, cancel := context.WithCancel(t.Context())
	const slow = heldAtMost/(64<<10) + 50
	var all, begun sync.WaitGroup
	turnedAway := make(chan struct{})
	once := sync.OnceFunc(func() { close(turnedAway) })
	client := newClient(t, true)
	if err := asks(client, s.url()); err != nil { // so that it is connected
		t.Fatal(err)
	}
	begun.Add(slow)
	for range slow {
		all.Go(func() {
			status, err := sendsHalf(ctx, client, s.url(), sync.OnceFunc(begun.Done))
			switch {
			case err == nil && status == http.StatusServiceUnavailable:
				once()
			case err == nil || !errors.Is(err, context.Canceled):
				t.Errorf("a slow sender gets HTTP %d, %v", status, err)
			}
		})
	}
	begun.Wait()
	prompt := newClient(t, true)
	for range 20 {
		if err := asks(prompt, s.url()); err != nil {
			t.Errorf("who sends at once: %v", err)
		}
	}
	<-turnedAway
	if text := s.logged.String(); strings.Count(text, "turning requests away") != 1 {
		t.Errorf("logged, want one warning: %s", text)
	}
	cancel()
	all.Wait()
	client.CloseIdleConnections()
	prompt.CloseIdleConnections()
	s.end(t)
}

// TestRequestsUnderWayAreBounded has decisions take for ever.
func TestRequestsUnderWayAreBounded(t *testing.T) {
	const size = 20 << 10
	body := review("v1", strings.Repeat("x", size))
	asked, release := make(chan struct{}, 2000), make(chan struct{})
	metrics := webhook.NewMetrics()
	h, err := webhook.NewHandler(webhook.Config{Metrics: metrics, Authenticate: func(context.Context, string) authn.Decision {
		asked <- struct{}{}
		<-release
		return authn.Decision{Outcome: authn.Malformed}
	}})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	fit := heldAtMost / (len(body) + 4<<10)
	for range fit {
		all.Go(func() {
			if w := post(h, "application/json", body); w.Code != http.StatusOK {
				t.Errorf("one of those that fit: HTTP %d %s", w.Code, w.Body)
			}
		})
	}
	for range fit {
		<-asked
	}
	for range 3 {
		if w := post(h, "application/json", body); w.Code != http.StatusServiceUnavailable || !strings.Contains(w.Body.String(), `"kind":"Status"`) {
			t.Errorf("one more than fits: HTTP %d %s", w.Code, w.Body)
		}
	}
	if text := scrape(metrics); !strings.Contains(text, `authenticate_latency_seconds_count{result="saturated"} 3`) {
		t.Error("what is turned away is not counted as saturated")
	}
	close(release)
	all.Wait()
	// All of the room is there again.
	for range 2 * fit {
		if w := post(h, "application/json", body); w.Code != http.StatusOK {
			t.Fatalf("after them: HTTP %d %s", w.Code, w.Body)
		}
		<-asked
	}
}

// TestBodiesOfUnknownLength are charged for the most that they can be.
func TestBodiesOfUnknownLength(t *testing.T) {
	h := handler(t, decide, nil)
	for length, want := range map[int]int{100: 200, 64<<10 - 200: 200, 64 << 10: 413, 1 << 20: 413} {
		body := review("v1", "mapped")
		body += strings.Repeat(" ", max(0, length-len(body)))
		r := httptest.NewRequest(http.MethodPost, "/authenticate", io.MultiReader(strings.NewReader(body), strings.NewReader(" ")))
		r.Header.Set("Content-Type", "application/json")
		if r.ContentLength != -1 {
			t.Fatal("the length is known")
		}
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != want {
			t.Errorf("%d bytes: HTTP %d, want %d", length, w.Code, want)
		}
	}
}
