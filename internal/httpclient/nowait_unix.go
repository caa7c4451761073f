//go:build unix

package httpclient

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// A noWaitReader reads from a connection without waiting. It is used by one request at a time.
type noWaitReader struct {
	raw syscall.RawConn
	// read is the callback of raw.Read: it reads into p, and sets n and err. A closure for each
	// call would be allocated.
	read func(fd uintptr) bool
	p    []byte
	n    int
	err  error
}

// newNoWaitReader returns the reader of a connection; nil, which fails every read, if its file
// descriptor cannot be used.
func newNoWaitReader(conn net.Conn) *noWaitReader {
	c, ok := conn.(syscall.Conn)
	if !ok {
		return nil
	}
	raw, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	r := &noWaitReader{raw: raw}
	r.read = func(fd uintptr) bool {
		r.n, r.err = syscall.Read(int(fd), r.p)
		return true
	}
	return r
}

// Read implements [io.Reader]. If there is nothing to read, it fails as if a deadline had
// passed.
func (r *noWaitReader) Read(p []byte) (int, error) {
	if r == nil {
		return 0, errors.ErrUnsupported
	}
	r.p = p
	failed := r.raw.Read(r.read)
	r.p = nil
	switch {
	case failed != nil:
		return 0, failed
	case errors.Is(r.err, syscall.EAGAIN):
		return 0, os.ErrDeadlineExceeded
	case r.err != nil:
		return 0, r.err
	case r.n == 0:
		return 0, io.EOF
	}
	return r.n, nil
}
