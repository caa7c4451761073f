package httpserver_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
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
	if err := silent[0].SetReadDeadline(time.Now().Add(2 * time.Second)); err != nil {
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

// TestBusyConnectionsAreKept has as many connections busy as may be.
func TestBusyConnectionsAreKept(t *testing.T) {
	asked, release := make(chan struct{}, maxConnections), make(chan struct{})
	s := serve(t, func() {
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
	// One after the other: a handshake has 5 s, and on a slow machine so many at
	// once need longer.
	for i := range maxConnections {
		all.Go(askAnew)
		select {
		case <-asked:
		case <-time.After(10 * time.Second):
			close(release)
			t.Fatalf("connection %d of %d is not served", i+1, maxConnections)
		}
	}
	for range 20 {
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
	var closed atomic.Int32
	var all sync.WaitGroup
	for range many {
		conn, err := tls.Dial("tcp", s.address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			defer conn.Close()
			if sendWithoutWindow(conn, each) != nil {
				closed.Add(1)
			}
		})
	}
	ended := make(chan struct{})
	go func() { all.Wait(); close(ended) }()
	prompt := newClient(t, true)
	for asked := 0; ; asked++ {
		if err := ask(prompt, s.url()); err != nil {
			t.Fatalf("who takes answers: request %d: %v", asked, err)
		}
		select {
		case <-ended:
			if n := closed.Load(); n < many/4 || n > many-2 {
				t.Errorf("%d of %d connections with %d unread answers each are closed", n, many, each)
			}
			if text := s.logged.String(); strings.Count(text, "too many requests wait for their clients") != 1 {
				t.Errorf("logged, want one warning: %s", text)
			}
			if got := s.server.Status()[0]; got.ClosedSlow < int64(closed.Load()) || got.ClosedQuiet != 0 {
				t.Errorf("status: %+v, want %d closed", got, closed.Load())
			}
			prompt.CloseIdleConnections()
			s.end(t)
			return
		default:
		}
	}
}

// sendWithoutWindow sends requests over HTTP/2 and lets no answer's body through.
// It returns an error if the server closes the connection within a while.
func sendWithoutWindow(conn net.Conn, requests int) error {
	framer := http2.NewFramer(conn, conn)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		return err
	}
	if err := framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0}); err != nil {
		return err
	}
	body := []byte(question)
	var headers bytes.Buffer
	encoder := hpack.NewEncoder(&headers)
	for n := range requests {
		headers.Reset()
		for _, field := range [][2]string{{":method", "POST"}, {":scheme", "https"}, {":authority", "localhost"}, {":path", "/"}} {
			if err := encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}); err != nil {
				return err
			}
		}
		stream := uint32(2*n + 1)
		if err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: headers.Bytes(), EndHeaders: true}); err != nil {
			return err
		}
		if err := framer.WriteData(stream, true, body); err != nil {
			return err
		}
	}
	if err := conn.SetReadDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return err
	}
	for {
		if _, err := framer.ReadFrame(); errors.Is(err, os.ErrDeadlineExceeded) {
			return nil
		} else if err != nil {
			return err
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
	s := serveOn(t, func(l net.Listener) net.Listener { return &outOfFiles{l, 3} }, atOnce)
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
