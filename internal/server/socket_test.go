package server

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/decisions"
	"github.com/kube-iam/authenticator/internal/settings"
	"github.com/kube-iam/authenticator/internal/unixsocket"
)

// TestSocket serves the decisions while a client watches, and ends with the server.
func TestSocket(t *testing.T) {
	path := settings.SocketPath(filepath.Join(t.TempDir(), "missing")) // it is made
	recorder := decisions.NewRecorder()
	recorder.Record("blue", &authn.Decision{Outcome: authn.Unmapped, ID: "K3QF7M2A"})
	socket := &socketServer{path: path, handler: socketRoutes(decisions.NewHandler(recorder), nil), log: slog.New(slog.DiscardHandler)}
	listener := socket.open()
	ctx, cancel := context.WithCancel(t.Context())
	var serving sync.WaitGroup
	serving.Go(func() { socket.serve(ctx, listener) })
	client := decisions.Client{HTTP: unixsocket.NewClient(path), URL: unixsocket.URL}
	err := client.Watch(t.Context(), decisions.Query{Limit: 1}, func(e decisions.Entry, _ int) error {
		if e.ID != "K3QF7M2A" {
			t.Errorf("the decision is %+v", e)
		}
		cancel()
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "the server has stopped") {
		t.Errorf("the watch ends with %v", err)
	}
	serving.Wait()
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is left behind: %v", err)
	}
}

// TestSocketRetry checks that a server that cannot open its socket says so once, and
// opens it when it can.
func TestSocketRetry(t *testing.T) {
	path := settings.SocketPath(t.TempDir())
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	socket := &socketServer{path: path, handler: http.NotFoundHandler(), log: slog.New(slog.NewTextHandler(&log, nil))}
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var serving sync.WaitGroup
		serving.Go(func() { socket.serve(ctx, socket.open()) })
		for range 3 {
			time.Sleep(socketRetry)
			synctest.Wait()
		}
		cancel()
		serving.Wait()
	})
	if strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), path+": it is a regular file") {
		t.Errorf("the log says %s", log.String())
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	listener := socket.open()
	if listener == nil {
		t.Fatalf("the socket is not opened: %s", log.String())
	}
	if err := listener.Close(); err != nil {
		t.Error(err)
	}
}
