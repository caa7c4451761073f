//go:build !unix

package httpclient

import (
	"errors"
	"net"
)

// readNow is not supported, so that no connection is used twice.
func readNow(net.Conn, []byte) (int, error) { return 0, errors.ErrUnsupported }
