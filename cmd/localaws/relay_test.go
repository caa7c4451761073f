package main

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// startRelay relays from loopback to an address until stop is called or the test
// ends.
func startRelay(t *testing.T, to string, log io.Writer) (address string, stop func()) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() {
		err := relay{to: to}.serve(ctx, listener, slog.New(slog.NewTextHandler(log, nil)))
		_ = listener.Close() // it may be closed already
		ended <- err
	}()
	stop = func() {
		cancel()
		select {
		case err := <-ended:
			ended <- nil
			if err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Fatal("the relay does not end")
		}
	}
	t.Cleanup(stop)
	return listener.Addr().String(), stop
}

// dial returns both ends of a connection through a relay.
func dial(t *testing.T, address string, accepting net.Listener) (client, server *net.TCPConn) {
	t.Helper()
	dialled, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dialled.Close() })
	accepted, err := accepting.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = accepted.Close() })
	for _, connection := range []net.Conn{dialled, accepted} {
		if err := connection.SetDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
	}
	return dialled.(*net.TCPConn), accepted.(*net.TCPConn)
}

func loopback(t *testing.T) *net.TCPListener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener.(*net.TCPListener)
}

// TestRelayKeepsHalvesOpen checks that a side that has closed its half still
// receives data, in both directions.
func TestRelayKeepsHalvesOpen(t *testing.T) {
	t.Parallel()
	accepting := loopback(t)
	address, _ := startRelay(t, accepting.Addr().String(), io.Discard)
	client, server := dial(t, address, accepting)
	for name, ends := range map[string][2]*net.TCPConn{"the client": {client, server}, "the server": {server, client}} {
		if _, err := io.WriteString(ends[0], name); err != nil {
			t.Fatal(err)
		}
		if err := ends[0].CloseWrite(); err != nil {
			t.Fatal(err)
		}
		if said, err := io.ReadAll(ends[1]); err != nil || string(said) != name {
			t.Errorf("%s said %q, %v", name, said, err)
		}
	}
}

// TestRelayEnds checks that the relay and its connections end with the context.
func TestRelayEnds(t *testing.T) {
	t.Parallel()
	accepting := loopback(t)
	address, stop := startRelay(t, accepting.Addr().String(), io.Discard)
	client, server := dial(t, address, accepting)
	stop()
	for name, end := range map[string]net.Conn{"the client": client, "the server": server} {
		if n, err := end.Read(make([]byte, 1)); n != 0 || err == nil || strings.Contains(err.Error(), "timeout") {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
	if _, err := net.Dial("tcp", address); err == nil {
		t.Error("the relay still listens")
	}
}

// TestRelayIsBounded checks that at the limit a client waits until another leaves.
func TestRelayIsBounded(t *testing.T) {
	t.Parallel()
	accepting := loopback(t)
	address, _ := startRelay(t, accepting.Addr().String(), io.Discard)
	var first *net.TCPConn
	for range maxRelayed {
		first, _ = dial(t, address, accepting)
	}
	waiting, err := net.Dial("tcp", address) // the kernel's queue takes it
	if err != nil {
		t.Fatal(err)
	}
	defer waiting.Close()
	if err := accepting.SetDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if _, err := accepting.Accept(); err == nil {
		t.Fatal("a connection beyond the limit is relayed")
	}
	if err := accepting.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if err := first.SetLinger(0); err != nil { // a reset ends both ways
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	relayed, err := accepting.Accept()
	if err != nil {
		t.Fatalf("a client left, but the next is not relayed: %v", err)
	}
	_ = relayed.Close()
}

// A crowded is a listener that fails to accept connections for a while.
type crowded struct {
	failures int
	closed   chan struct{}
}

func (c *crowded) Accept() (net.Conn, error) {
	if c.failures--; c.failures >= 0 {
		return nil, &net.OpError{Op: "accept", Net: "tcp", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	}
	<-c.closed
	return nil, net.ErrClosed
}

func (c *crowded) Close() error   { close(c.closed); return nil }
func (c *crowded) Addr() net.Addr { return &net.TCPAddr{} }

// TestRelayOutlivesFailures checks that a relay goes on after failures to accept, which
// wait longer each time, and hold none of its slots.
func TestRelayOutlivesFailures(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		failures int
		want     time.Duration
	}{
		"one":             {1, 5 * time.Millisecond},
		"a few":           {3, 35 * time.Millisecond},
		"more than slots": {maxRelayed + 8, 1275*time.Millisecond + maxRelayed*time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			var log bytes.Buffer
			ctx, cancel := context.WithCancel(t.Context())
			listener := &crowded{test.failures, make(chan struct{})}
			ended := make(chan error, 1)
			begun := time.Now()
			go func() {
				ended <- relay{to: "127.0.0.1:1"}.serve(ctx, listener, slog.New(slog.NewTextHandler(&log, nil)))
			}()
			time.Sleep(test.want)
			synctest.Wait()
			if listener.failures != -1 {
				t.Errorf("%s: %d failures are left after %v", name, listener.failures+1, time.Since(begun))
			}
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if got := strings.Count(log.String(), "level=WARN msg=\"accepting a connection failed\""); got != test.failures || !strings.Contains(log.String(), "too many open files") {
				t.Errorf("%s: %d warnings: %s", name, got, log.String())
			}
		})
	}
}

// TestRelayToNobody checks that a relay to an address where nothing listens closes
// the client's connection and logs why.
func TestRelayToNobody(t *testing.T) {
	t.Parallel()
	nobody := loopback(t)
	_ = nobody.Close()
	var log bytes.Buffer
	address, stop := startRelay(t, nobody.Addr().String(), &log)
	client, err := net.DialTimeout("tcp", address, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if err := client.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if n, err := io.Copy(io.Discard, client); n != 0 || err != nil {
		t.Errorf("%d, %v", n, err)
	}
	stop()
	if !strings.Contains(log.String(), "not relayed") || !strings.Contains(log.String(), "to="+nobody.Addr().String()) {
		t.Errorf("the log says %s", log.String())
	}
}
