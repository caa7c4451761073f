package webhook

import (
	"bytes"
	"context"
	"weak"
)

const (
	// maxReview is the maximum size of an AdmissionReview. It has an object before and
	// after the edit. etcd holds objects of up to 1.5 MiB, and JSON needs up to six bytes
	// for one of them, as for < and >. Together that is 18 MiB, and the user and the fields
	// around it have the rest.
	maxReview = 20 << 20
	// largeReview is the size from which the body of an AdmissionReview is read into a
	// shared buffer. Next to no edit is that large.
	largeReview = 1 << 20
)

// A buffer has room for the largest AdmissionReview, and for what [bytes.Buffer] asks for
// to find its end.
type buffer [maxReview + 2*bytes.MinRead]byte

// buffers are a number of buffers that large bodies share. A buffer for each body would let
// a flood allocate faster than the garbage collector frees. While they are idle, the
// collector may free them.
type buffers chan weak.Pointer[buffer]

func newBuffers(count int) buffers {
	b := make(buffers, count)
	for range count {
		b <- weak.Pointer[buffer]{}
	}
	return b
}

// get waits for a buffer. It returns nil if ctx is done first.
func (b buffers) get(ctx context.Context) *buffer {
	select {
	case idle := <-b:
		if got := idle.Value(); got != nil {
			return got
		}
		return new(buffer)
	case <-ctx.Done():
		return nil
	}
}

// put returns a buffer.
func (b buffers) put(used *buffer) { b <- weak.Make(used) }
