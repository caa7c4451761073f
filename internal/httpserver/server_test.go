package httpserver_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kube-iam/authenticator/internal/certificate"
	"github.com/kube-iam/authenticator/internal/httpserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// logged collects what is logged.
type logged struct {
	mu      sync.Mutex
	text    bytes.Buffer
	written sync.Cond
}

func newLogged() *logged {
	l := &logged{}
	l.written.L = &l.mu
	return l
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.written.Broadcast()
	return l.text.Write(p)
}

// await returns once a text is logged.
func (l *logged) await(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for !strings.Contains(l.text.String(), text) {
		l.written.Wait()
	}
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *logged) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelInfo}))
}

const (
	question = "a question, which is read in whole"
	answered = "the answer"
)

// answer returns a handler that reads a request, is busy with it, and answers.
func answer(busy func()) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		httpserver.Busy(r.Context(), busy)
		_, _ = io.WriteString(w, answered)
	})
}

// atOnce is busy for no time.
func atOnce() {}

// served is a server that runs.
type served struct {
	address string
	logged  *logged
	server  *httpserver.Server
	stop    context.CancelFunc
	ended   chan error
}

func (s *served) url() string { return "https://" + s.address + "/" }

// end stops the server and waits for it.
func (s *served) end(t *testing.T) {
	t.Helper()
	s.stop()
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
}

func serve(t *testing.T, busy func()) *served {
	t.Helper()
	return serveEndpoint(t, func(*httpserver.Endpoint) {}, busy)
}

// serveEndpoint serves an endpoint that change changes.
func serveEndpoint(t *testing.T, change func(*httpserver.Endpoint), busy func()) *served {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := certificate.StateFiles(t.TempDir()).LoadOrGenerate(t.Context(), "localhost", "127.0.0.1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	serving, err := certificate.New(certificate.Config{Hostname: "localhost", Address: "127.0.0.1"}, pair)
	if err != nil {
		t.Fatal(err)
	}
	s := &served{address: listener.Addr().String(), logged: newLogged(), ended: make(chan error, 1)}
	endpoint := httpserver.Endpoint{Name: "main", Handler: answer(busy), Listener: listener, Certificate: serving.Certificate}
	change(&endpoint)
	s.server = httpserver.New(s.logged.logger(), endpoint)
	ctx, stop := context.WithCancel(t.Context())
	s.stop = stop
	go func() { s.ended <- s.server.Serve(ctx) }()
	return s
}

// newClient keeps a connection of its own. It speaks HTTP/2 if it is to.
func newClient(t *testing.T, http2 bool) *http.Client {
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: http2}
	if !http2 {
		transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// ask sends a request and returns an error unless it is answered.
func ask(client *http.Client, url string) error {
	response, err := client.Post(url, "text/plain", strings.NewReader(question))
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err == nil && string(body) != answered {
		err = fmt.Errorf("HTTP %d: %s", response.StatusCode, body)
	}
	return err
}
