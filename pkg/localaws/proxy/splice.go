package proxy

import (
	"io"
	"net"
)

// Splice copies between two connections, in each direction until its sender ends,
// and closes both. Closing either ends it.
func Splice(one, other net.Conn) {
	there := make(chan struct{})
	go func() {
		defer close(there)
		carry(other, one)
	}()
	carry(one, other)
	<-there
	_ = one.Close()
	_ = other.Close()
}

// carry copies until the sender ends, and passes the end on to the receiver, which
// may still send. If that fails, it closes both.
func carry(to, from net.Conn) {
	_, err := io.Copy(to, from)
	half, ok := to.(interface{ CloseWrite() error })
	if err != nil || !ok || half.CloseWrite() != nil {
		_ = to.Close()
		_ = from.Close()
	}
}
