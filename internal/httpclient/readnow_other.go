//go:build !unix

package httpclient

import (
	"errors"
	"net"
)

// A nowReader is not supported, so that no connection is used twice.
type nowReader struct{}

func newNowReader(net.Conn) *nowReader { return nil }

// Read implements [io.Reader].
func (*nowReader) Read([]byte) (int, error) { return 0, errors.ErrUnsupported }
