package httpserver_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/kube-iam/authenticator/internal/httpserver"
)

// maxConnections is the limit in docs/operations.md.
const maxConnections = 256

// TestSilentConnectionsKeepNobodyOut opens more connections than may be, which
// say nothing, and asks.
func TestSilentConnectionsKeepNobodyOut(t *testing.T) {
	s := serve(t, atOnce)
	known := newClient(t, true)
	if err := ask(known, s.url()); err != nil {
		t.Fatal(err)
	}
	var silent []net.Conn
	for range 2 * maxConnections {
		conn, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		silent = append(silent, conn)
	}
	if err := ask(newClient(t, true), s.url()); err != nil {
		t.Errorf("who connects then: %v", err)
	}
	// It does not connect again: its connection was not the quietest.
	known.Transport.(*http.Transport).DialContext = func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("it connects again")
	}
	if err := ask(known, s.url()); err != nil {
		t.Errorf("who was connected: %v", err)
	}
	if err := silent[0].SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := silent[0].Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the oldest of the silent is not closed: %v", err)
	}
	if text := s.logged.String(); strings.Count(text, "level=WARN") != 1 || !strings.Contains(text, "too many connections") {
		t.Errorf("logged, want one warning: %s", text)
	}
	if got := s.server.Status()[0]; got.Listener != "main" || got.Open < 2 || got.Open > maxConnections || got.ClosedQuiet == 0 || got.ClosedSlow != 0 {
		t.Errorf("status: %+v, want open connections, and some that are closed because they are quiet", got)
	}
	for _, conn := range silent {
		_ = conn.Close()
	}
	known.CloseIdleConnections()
	s.end(t)
}

// TestSilentConnectionsDelayNoProbe opens many connections, which say nothing, to an endpoint
// without TLS, and asks within the time that a probe of the kubelet has.
func TestSilentConnectionsDelayNoProbe(t *testing.T) {
	s := serveEndpoint(t, func(e *httpserver.Endpoint) { e.Certificate = nil }, atOnce)
	for range 800 {
		conn, err := net.Dial("tcp", s.address)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	probe := newClient(t, true)
	probe.Timeout = 5 * time.Second
	if err := ask(probe, "http://"+s.address+"/"); err != nil {
		t.Error(err)
	}
	probe.CloseIdleConnections()
	s.end(t)
}

// TestBusyConnectionsAreKept has as many connections busy as may be. They are few, since
// the first must be answered within 20 s, in which a slow machine opens not so many.
func TestBusyConnectionsAreKept(t *testing.T) {
	const few = 16
	asked, release := make(chan struct{}, few), make(chan struct{})
	s := serveEndpoint(t, func(e *httpserver.Endpoint) { e.MaxConnections = few }, func() {
		asked <- struct{}{}
		<-release
	})
	var all sync.WaitGroup
	askAnew := func() {
		client := newClient(t, false)
		if err := ask(client, s.url()); err != nil {
			t.Error(err)
		}
		client.CloseIdleConnections()
	}
	for i := range few {
		all.Go(askAnew)
		select {
		case <-asked:
		case <-time.After(time.Minute):
			close(release)
			t.Fatalf("connection %d of %d is not served", i+1, few)
		}
	}
	for range 4 {
		all.Go(askAnew)
	}
	select {
	case <-asked:
		t.Error("more connections than may be are served")
	case <-time.After(1500 * time.Millisecond): // longer than a quiet one is kept
	}
	close(release)
	all.Wait()
	s.end(t)
}

// TestAnswersThatNobodyTakes sends requests that a client of HTTP/2 does not let
// the server answer, over many connections, and asks.
func TestAnswersThatNobodyTakes(t *testing.T) {
	s := serve(t, atOnce)
	const each, many = 200, 10
	var slow []net.Conn
	closed := make(chan struct{}, many)
	var all sync.WaitGroup
	for range many {
		conn, err := tls.Dial("tcp", s.address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
		if err != nil {
			t.Fatal(err)
		}
		slow = append(slow, conn)
		all.Go(func() {
			sendWithoutWindow(conn, each)
			closed <- struct{}{}
		})
	}
	prompt := newClient(t, true)
	// Half of the connections have more requests than may wait. It takes some more until
	// all requests have arrived.
	for started, asked := time.Now(), 0; len(closed) < many/2 || asked < 100; asked++ {
		if err := ask(prompt, s.url()); err != nil {
			t.Fatalf("who takes answers: request %d: %v", asked, err)
		}
		if time.Since(started) > time.Minute {
			t.Fatalf("%d of %d connections with %d unread answers each are closed", len(closed), many, each)
		}
	}
	if n := len(closed); n > many-2 {
		t.Errorf("%d of %d connections with %d unread answers each are closed", n, many, each)
	}
	if text := s.logged.String(); strings.Count(text, "too many requests wait for their clients") != 1 {
		t.Errorf("logged, want one warning: %s", text)
	}
	if got := s.server.Status()[0]; got.ClosedSlow < many/2 || got.ClosedQuiet != 0 {
		t.Errorf("status: %+v, want at least %d closed", got, many/2)
	}
	for _, conn := range slow {
		_ = conn.Close()
	}
	all.Wait()
	prompt.CloseIdleConnections()
	s.end(t)
}

// sendWithoutWindow sends requests over HTTP/2 and lets no answer's body through. It
// returns once the connection is closed.
func sendWithoutWindow(conn net.Conn, requests int) {
	framer := http2.NewFramer(conn, conn)
	_, _ = io.WriteString(conn, http2.ClientPreface)
	_ = framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	var headers bytes.Buffer
	encoder := hpack.NewEncoder(&headers)
	for n := range requests {
		headers.Reset()
		for _, field := range [][2]string{{":method", "POST"}, {":scheme", "https"}, {":authority", "localhost"}, {":path", "/"}} {
			_ = encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
		}
		stream := uint32(2*n + 1)
		_ = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: headers.Bytes(), EndHeaders: true})
		_ = framer.WriteData(stream, true, []byte(question))
	}
	for {
		if _, err := framer.ReadFrame(); err != nil {
			return
		}
	}
}

// outOfFiles is a listener with no file descriptor for the first connections.
type outOfFiles struct {
	net.Listener
	failures int
}

func (l *outOfFiles) Accept() (net.Conn, error) {
	if l.failures > 0 {
		l.failures--
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: syscall.EMFILE}
	}
	return l.Listener.Accept()
}

func TestOutOfFilesIsLogged(t *testing.T) {
	s := serveEndpoint(t, func(e *httpserver.Endpoint) { e.Listener = &outOfFiles{e.Listener, 3} }, atOnce)
	client := newClient(t, true)
	if err := ask(client, s.url()); err != nil {
		t.Errorf("once there are files again: %v", err)
	}
	if text := s.logged.String(); strings.Count(text, "level=ERROR") != 1 || !strings.Contains(text, "out of file descriptors") || !strings.Contains(text, "LimitNOFILE") {
		t.Errorf("logged, want one error with its remedy: %s", text)
	}
	client.CloseIdleConnections()
	s.end(t)
}
