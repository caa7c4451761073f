package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// silentKey is the key of a script's silentServer.
type silentKey struct{}

// A silentServer has the connections to the last silent.
type silentServer struct{ connections <-chan net.Conn }

// silent listens until the script ends, and never responds; $SILENT is its host and
// port. A script calls it for each program, since one that has ended may have connected
// more than once.
func silent(ts *testscript.TestScript, _ bool, _ []string) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = listener.Close() })
	ts.Setenv("SILENT", listener.Addr().String())
	connections := make(chan net.Conn, 64)
	ts.Value(silentKey{}).(*silentServer).connections = connections
	go func() {
		for {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			connections <- connection
		}
	}()
}

// contacted waits for a connection to the last silent.
func contacted(ts *testscript.TestScript, _ bool, _ []string) {
	select {
	case connection := <-ts.Value(silentKey{}).(*silentServer).connections:
		ts.Defer(func() { _ = connection.Close() })
	case <-time.After(patience):
		ts.Fatalf("no connection to $SILENT")
	}
}

// hangup sends SIGHUP to the background commands.
func hangup(ts *testscript.TestScript, _ bool, _ []string) {
	for _, command := range ts.BackgroundCmds() {
		ts.Check(command.Process.Signal(syscall.SIGHUP))
	}
}

// logs waits until a log that is a file matches a pattern: logs FILE PATTERN.
func logs(ts *testscript.TestScript, _ bool, args []string) {
	pattern := regexp.MustCompile(args[1])
	await(ts, patience, func(context.Context) bool {
		return pattern.MatchString(ts.ReadFile(args[0]))
	}, func() { ts.Fatalf("%s does not log %s", args[0], args[1]) })
}

// ended waits until all background commands have ended.
func ended(ts *testscript.TestScript, _ bool, _ []string) {
	commands := ts.BackgroundCmds()
	await(ts, patience, func(context.Context) bool {
		for _, command := range commands {
			if err := command.Process.Signal(syscall.Signal(0)); !errors.Is(err, os.ErrProcessDone) {
				return false
			}
		}
		return true
	}, func() { ts.Fatalf("background commands still run after %s", patience) })
}

// holdRequest starts a request and never sends the body: holdrequest HOST:PORT.
func holdRequest(ts *testscript.TestScript, _ bool, args []string) {
	connection, err := tls.Dial("tcp", args[0], &tls.Config{InsecureSkipVerify: true})
	ts.Check(err)
	ts.Defer(func() { _ = connection.Close() })
	_, err = io.WriteString(connection, "POST /authenticate HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n")
	ts.Check(err)
	answer, err := http.ReadResponse(bufio.NewReader(connection), nil)
	ts.Check(err)
	if answer.StatusCode != http.StatusContinue {
		ts.Fatalf("the server responds %s, want 100", answer.Status)
	}
}

// stopping waits until a server accepts no more requests: stopping URL.
func stopping(ts *testscript.TestScript, _ bool, args []string) {
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	await(ts, patience, func(ctx context.Context) bool {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, args[0], nil)
		ts.Check(err)
		answer, err := client.Do(request)
		if err != nil {
			return true
		}
		_ = answer.Body.Close()
		return answer.StatusCode != http.StatusOK
	}, func() { ts.Fatalf("%s still responds", args[0]) })
}

// opened waits until a program has opened a FIFO for reading, and then never writes to
// it: opened FIFO.
func opened(ts *testscript.TestScript, _ bool, args []string) {
	await(ts, patience, func(context.Context) bool {
		writer, err := os.OpenFile(ts.MkAbs(args[0]), os.O_WRONLY|syscall.O_NONBLOCK, 0)
		if err == nil {
			ts.Defer(func() { _ = writer.Close() })
		}
		return err == nil
	}, func() { ts.Fatalf("no process opens %s", args[0]) })
}
