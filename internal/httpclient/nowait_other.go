//go:build !unix

package httpclient

import (
	"errors"
	"net"
)

// A noWaitReader fails every read, so that no connection is used twice.
type noWaitReader struct{}

func newNoWaitReader(net.Conn) *noWaitReader { return nil }

// Read implements [io.Reader].
func (*noWaitReader) Read([]byte) (int, error) { return 0, errors.ErrUnsupported }
