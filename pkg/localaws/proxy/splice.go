package proxy

import (
	"io"
	"net"
	"time"
)

// halfOpen bounds the time that one direction lasts after the other has ended: the peer
// may be gone without a word.
const halfOpen = time.Minute

// Splice copies between two connections, in each direction until its sender ends,
// and closes both. Closing either ends it.
func Splice(one, other net.Conn) {
	ended := make(chan struct{}, 2)
	for _, way := range [][2]net.Conn{{one, other}, {other, one}} {
		go func() {
			carry(way[0], way[1])
			ended <- struct{}{}
		}()
	}
	<-ended
	_, _ = one.SetDeadline(time.Now().Add(halfOpen)), other.SetDeadline(time.Now().Add(halfOpen))
	<-ended
	_, _ = one.Close(), other.Close()
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
