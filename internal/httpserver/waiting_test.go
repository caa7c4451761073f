package httpserver

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"testing/synctest"
)

// TestReadWaitsForClosedConnections has more requests than may wait on a connection.
// The server closes it, and reads no other one until its requests have ended.
func TestReadWaitsForClosedConnections(t *testing.T) {
	for name, end := range map[string]func(crowded, other *connection){
		"until a request ends":           func(crowded, _ *connection) { crowded.wait(-1) },
		"until the connection is closed": func(_, other *connection) { _ = other.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newListener(noListener{}, maxConnections, patience, slog.New(slog.DiscardHandler))
				crowded, other := admitted(t, l), admitted(t, l)
				for range maxWaiting + 1 {
					crowded.wait(1)
				}
				if !crowded.closed.Load() || other.closed.Load() {
					t.Fatal("want only the connection with the most requests closed")
				}
				done := make(chan struct{})
				go func() {
					defer close(done)
					_, _ = other.Read(make([]byte, 1))
				}()
				synctest.Wait()
				select {
				case <-done:
					t.Fatal("a connection is read while too many requests hold memory")
				default:
				}
				end(crowded, other)
				<-done // else the bubble is deadlocked
			})
		})
	}
}

// TestClosedConnectionStartsNoHandler serves a request that net/http read before its
// connection was closed.
func TestClosedConnectionStartsNoHandler(t *testing.T) {
	c := admitted(t, newListener(noListener{}, maxConnections, patience, slog.New(slog.DiscardHandler)))
	_ = c.Close()
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "/", nil)
	if err != nil {
		t.Fatal(err)
	}
	c.serve(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the handler is called") }), nil, request)
}

// admitted returns an open connection whose client has sent a byte.
func admitted(t *testing.T, l *listener) *connection {
	t.Helper()
	client, server := net.Pipe()
	go func() { _, _ = client.Write([]byte("x")) }()
	c := &connection{Conn: server, listener: l}
	if !l.admit(c) {
		t.Fatal("the connection is not admitted")
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// noListener has only an address.
type noListener struct{ net.Listener }

func (noListener) Addr() net.Addr { return &net.TCPAddr{} }
