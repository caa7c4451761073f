package webhook_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/metrics"
	"github.com/kube-iam/authenticator/internal/webhook"
)

// maxHeld is the limit in docs/operations.md.
const maxHeld = 16 << 20

// sendsOne sends the first byte of a body of 64 KiB, waits, and returns what is answered.
func sendsOne(ctx context.Context, client *http.Client, url string, sent func()) (int, error) {
	read, write := io.Pipe()
	defer read.Close()
	go func() {
		_, _ = write.Write([]byte("x")) // fails once the request is over
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

// newClient keeps a connection of HTTP/2 of its own.
func newClient(t *testing.T) *http.Client {
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// askOver sends a review and returns an error unless it is answered by a yes.
func askOver(client *http.Client, url string) error {
	answer, err := client.Post(url, "application/json", strings.NewReader(review("v1", "mapped")))
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err == nil && !bytes.Contains(body, []byte(`"authenticated":true`)) {
		err = fmt.Errorf("HTTP %d: %s", answer.StatusCode, body)
	}
	return err
}

// TestSlowSendersKeepNobodyOut begins more bodies than there is room for, ends
// none of them, and asks.
func TestSlowSendersKeepNobodyOut(t *testing.T) {
	var log bytes.Buffer
	h, err := webhook.NewHandler(webhook.Config{Authenticate: forAny(decide), Metrics: metrics.New(), Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, h)
	ctx, cancel := context.WithCancel(t.Context())
	const slow = maxHeld/(64<<10) + 50
	var all, begun sync.WaitGroup
	turnedAway := make(chan struct{})
	once := sync.OnceFunc(func() { close(turnedAway) })
	client := newClient(t)
	if err := askOver(client, s.url); err != nil { // so that it is connected
		t.Fatal(err)
	}
	begun.Add(slow)
	for range slow {
		all.Go(func() {
			sent := sync.OnceFunc(begun.Done)
			for ctx.Err() == nil { // the server waits 5 s
				switch status, err := sendsOne(ctx, client, s.url, sent); {
				case err == nil && status == http.StatusServiceUnavailable:
					once()
					return
				case err == nil && status != http.StatusBadRequest:
					t.Errorf("a slow sender gets HTTP %d", status)
				}
			}
		})
	}
	begun.Wait()
	prompt := newClient(t)
	for range 20 {
		if err := askOver(prompt, s.url); err != nil {
			t.Errorf("who sends at once: %v", err)
		}
	}
	<-turnedAway
	cancel()
	all.Wait()
	client.CloseIdleConnections()
	prompt.CloseIdleConnections()
	s.end(t)
	if strings.Count(log.String(), "turning requests away") != 1 {
		t.Errorf("logged, want one warning: %s", &log)
	}
}

// TestRequestsUnderWayAreBounded has decisions take for ever.
func TestRequestsUnderWayAreBounded(t *testing.T) {
	const size = 20 << 10
	body := review("v1", strings.Repeat("x", size))
	asked, release := make(chan struct{}, 2000), make(chan struct{})
	m := metrics.New()
	h, err := webhook.NewHandler(webhook.Config{Metrics: m, Authenticate: forAny(func(context.Context, string) *authn.Decision {
		asked <- struct{}{}
		<-release
		return &authn.Decision{Outcome: authn.Malformed}
	})})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	fit := maxHeld / (len(body) + 4<<10)
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
	for _, want := range []string{`authenticate_latency_seconds_count{result="saturated"} 3`, "requests_turned_away_total 3"} {
		if text := scrape(m); !strings.Contains(text, "\naws_iam_authenticator_"+want+"\n") {
			t.Errorf("/metrics lacks %s", want)
		}
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
	h := handler(t, decide)
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
