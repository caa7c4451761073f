package unixsocket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
)

// ErrNoServer means that no process serves on the socket.
var ErrNoServer = errors.New("no server is running")

// URL is the URL of the socket's server, whatever its path.
const URL = "http://localhost"

// NewClient returns an HTTP client of the server on a socket. Its errors match
// [ErrNoServer] if there is none. It keeps no connections, and makes none to the socket of
// another user, who could answer anything.
func NewClient(path string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			if err := checkOwner(path, uint32(os.Geteuid())); err != nil {
				return nil, fmt.Errorf("connecting to socket %s: %w", path, err)
			}
			conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
			switch {
			case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
				return nil, fmt.Errorf("%w with socket %s", ErrNoServer, path)
			case errors.Is(err, syscall.EINVAL):
				return nil, fmt.Errorf("connecting to socket %s: %w", path, errTooLong)
			case err != nil:
				return nil, fmt.Errorf("connecting to socket %s: %w", path, withoutPath(err))
			}
			return conn, nil
		},
	}}
}

// checkOwner returns an error if the socket belongs to somebody else than root and a
// user. Root also trusts the owner of the directory: a server need not run as root. What
// is missing belongs to nobody.
func checkOwner(path string, user uint32) error {
	owner, err := ownerOf(path)
	if err != nil || owner == 0 || owner == user {
		return nil
	}
	if user == 0 {
		if of, err := ownerOf(filepath.Dir(path)); err == nil && of == owner {
			return nil
		}
	}
	return fmt.Errorf("it belongs to user %d: expected a socket of root or of user %d", owner, user)
}
