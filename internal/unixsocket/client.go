package unixsocket

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"syscall"
)

// ErrNoServer means that no process serves on the socket.
var ErrNoServer = errors.New("no server is running")

// URL is the URL of the socket's server, whatever its path.
const URL = "http://localhost"

// NewClient returns an HTTP client of the server on a socket. Its errors match
// [ErrNoServer] if there is none. It keeps no connections.
func NewClient(path string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			conn, err := (&net.Dialer{}).DialContext(ctx, "unix", path)
			switch {
			case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
				return nil, fmt.Errorf("%w with socket %s", ErrNoServer, path)
			case err != nil:
				return nil, fmt.Errorf("connecting to socket %s: %w", path, withoutPath(err))
			}
			return conn, nil
		},
	}}
}
