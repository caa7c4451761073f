package proxy

import (
	"io"
	"net"
)

// Splice copies between two connections, each way until its sender ends, and
// closes both. Whoever closes them ends it.
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

// carry until the sender ends, and tell the receiver, which may still have
// something to say. If it cannot be told, or is gone, then both are.
func carry(to, from net.Conn) {
	_, err := io.Copy(to, from)
	half, ok := to.(interface{ CloseWrite() error })
	if err != nil || !ok || half.CloseWrite() != nil {
		_ = to.Close()
		_ = from.Close()
	}
}
