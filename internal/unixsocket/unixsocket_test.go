package unixsocket_test

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/internal/unixsocket"
)

func listen(t *testing.T, path string) net.Listener {
	t.Helper()
	listener, err := unixsocket.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	return listener
}

// kill leaves a socket as a killed process does.
func kill(t *testing.T, path string) {
	t.Helper()
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
}

func get(path string) (string, error) {
	response, err := unixsocket.NewClient(path).Get(unixsocket.URL + "/")
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return string(body), err
}

func serve(t *testing.T, listener net.Listener, text string) {
	t.Helper()
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) })}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
}

// TestListen serves on a socket that only its owner may use, and removes it at the end.
func TestListen(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "authenticator.sock")
	kill(t, path) // it is replaced
	listener := listen(t, path)
	serve(t, listener, "hello")
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != fs.ModeSocket|0o600 {
		t.Errorf("the socket is %v, %v", info.Mode(), err)
	}
	if text, err := get(path); err != nil || text != "hello" {
		t.Errorf("it responds %q, %v", text, err)
	}
	if got := listener.Addr().String(); got != path {
		t.Errorf("its address is %q", got)
	}
	if err := listener.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestInUse checks that a server keeps its socket, and that a server that was replaced
// does not remove the other's.
func TestInUse(t *testing.T) {
	path := filepath.Join(t.TempDir(), "authenticator.sock")
	first := listen(t, path)
	serve(t, first, "first")
	if _, err := unixsocket.Listen(path); !errors.Is(err, unixsocket.ErrInUse) || !strings.Contains(err.Error(), path) {
		t.Errorf("a second server: %v", err)
	}
	if text, err := get(path); err != nil || text != "first" {
		t.Errorf("after that it responds %q, %v", text, err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	serve(t, listen(t, path), "second")
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	if text, err := get(path); err != nil || text != "second" {
		t.Errorf("after the first has ended, it responds %q, %v", text, err)
	}
}

// TestNoSocket checks that anything else at the path is named and stays.
func TestNoSocket(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "authenticator.sock")
	for want, make := range map[string]func() error{
		"a regular file":  func() error { return os.WriteFile(path, []byte("x"), 0o600) },
		"a directory":     func() error { return os.Mkdir(path, 0o700) },
		"a symbolic link": func() error { return os.Symlink("nowhere", path) },
		"a FIFO":          func() error { return syscall.Mkfifo(path, 0o600) },
	} {
		if err := make(); err != nil {
			t.Fatal(err)
		}
		before, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := unixsocket.Listen(path); err == nil || !strings.Contains(err.Error(), path+": it is "+want+": expected a socket or nothing (remove it)") {
			t.Errorf("%s: %v", want, err)
		}
		if after, err := os.Lstat(path); err != nil || !os.SameFile(before, after) {
			t.Errorf("%s is replaced: %v", want, err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	// The longest path that a client can use is long enough for the server.
	longest := filepath.Join(os.TempDir(), "longest-socket-"+strings.Repeat("x", len(syscall.RawSockaddrUnix{}.Path)-1-len(os.TempDir())-len("/longest-socket-/authenticator.sock")))
	if err := os.Mkdir(longest, 0o700); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(longest) }()
	listener, err := unixsocket.Listen(filepath.Join(longest, "authenticator.sock"))
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()

	long := filepath.Join(dir, strings.Repeat("x", 100))
	if err := os.Mkdir(long, 0o700); err != nil {
		t.Fatal(err)
	}
	for bad, want := range map[string]string{
		filepath.Join(dir, "none", "s"): "no such file or directory",
		filepath.Join(long, "s"):        "the path is too long for a socket",
	} {
		if _, err := unixsocket.Listen(bad); err == nil || !strings.HasPrefix(err.Error(), "listening on socket "+bad+": "+want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestNoServer(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "authenticator.sock")
	for range 2 { // first without a socket, then with that of a killed server
		if _, err := get(path); !errors.Is(err, unixsocket.ErrNoServer) || !strings.Contains(err.Error(), path) {
			t.Errorf("%v", err)
		}
		if _, err := os.Lstat(path); err != nil {
			kill(t, path)
		}
	}
}
