//go:build unix

package httpclient

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// readNow reads from a connection without waiting. If there is nothing to read, it fails
// as if a deadline had passed.
func readNow(conn net.Conn, p []byte) (n int, err error) {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return 0, errors.ErrUnsupported
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	if failed := raw.Read(func(fd uintptr) bool {
		n, err = syscall.Read(int(fd), p)
		return true
	}); failed != nil {
		return 0, failed
	}
	switch {
	case errors.Is(err, syscall.EAGAIN):
		return 0, os.ErrDeadlineExceeded
	case err != nil:
		return 0, err
	case n == 0:
		return 0, io.EOF
	}
	return n, nil
}
