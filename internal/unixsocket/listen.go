// Package unixsocket serves and calls HTTP over a Unix socket that only its owner and
// root may connect to.
package unixsocket

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/kube-iam/authenticator/internal/file"
)

// ErrInUse means that another process serves on the socket.
var ErrInUse = errors.New("another server uses it")

// errTooLong is what the system calls an invalid argument.
var errTooLong = errors.New("the path is too long for a socket (choose a shorter directory)")

// Listen listens on a new socket at path with mode 0600. It replaces a socket that a
// killed process left. The error matches [ErrInUse] if another process serves on it,
// and names what is at path if that is not a socket. Closing the listener removes the
// socket.
func Listen(path string) (net.Listener, error) {
	if err := checkFree(path); err != nil {
		return nil, fmt.Errorf("listening on socket %s: %w", path, err)
	}
	listener, err := listen(path)
	if err != nil {
		return nil, fmt.Errorf("listening on socket %s: %w", path, withoutPath(err))
	}
	return listener, nil
}

// checkFree returns nil if there is nothing at path, or a socket that no process
// serves on.
func checkFree(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return withoutPath(err)
	}
	if info.Mode().Type() != fs.ModeSocket {
		return fmt.Errorf("it is %s: expected a socket or nothing (remove it)", file.Kind(info.Mode()))
	}
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err == nil {
		_ = conn.Close()
		return ErrInUse
	}
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return fmt.Errorf("finding out who uses it: %w", withoutPath(err))
}

// listen makes the socket in a directory that only its owner can enter, and moves it
// to path once its mode is right: between bind and chmod, a socket has a mode that
// depends on the umask.
func listen(path string) (net.Listener, error) {
	private, err := os.MkdirTemp(filepath.Dir(path), ".s-") // mode 0700, and short: a path has about 100 bytes
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(private) }()
	made := filepath.Join(private, "s")
	inner, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if errors.Is(err, syscall.EINVAL) {
		return nil, errTooLong
	}
	if err != nil {
		return nil, err
	}
	inner.SetUnlinkOnClose(false) // it would unlink the path where it was made
	l := &listener{UnixListener: inner, path: path}
	if err = os.Chmod(made, 0o600); err == nil {
		l.made, err = os.Lstat(made)
	}
	if err == nil {
		err = os.Rename(made, path)
	}
	if err != nil {
		return nil, errors.Join(err, inner.Close())
	}
	return l, nil
}

// A listener removes its socket when it is closed.
type listener struct {
	*net.UnixListener
	path string
	made os.FileInfo
}

// Addr returns the address of the socket.
func (l *listener) Addr() net.Addr { return &net.UnixAddr{Name: l.path, Net: "unix"} }

// Close implements [net.Listener]. It does not remove the socket of a server that has
// replaced this one.
func (l *listener) Close() error {
	if now, err := os.Lstat(l.path); err == nil && os.SameFile(now, l.made) {
		_ = os.Remove(l.path) // what stays is replaced by the next server
	}
	return l.UnixListener.Close()
}

// withoutPath returns the cause of an error whose path the caller names.
func withoutPath(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*os.LinkError](err); ok {
		return e.Err
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e.Err
	}
	return err
}
