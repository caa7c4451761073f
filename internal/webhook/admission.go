package webhook

import (
	"container/list"
	"sync"
)

const (
	// maxHeld is how many bytes the bodies of the requests under way hold at most:
	// those of 2 500 ordinary tokens, or of 800 of the longest. It is more than what
	// waits for STS may hold, so that a queue there which is full does not turn away
	// who has no need to wait in it.
	maxHeld = 16 << 20
	// overhead is charged to each request for its goroutines and headers.
	overhead = 4 << 10
)

// admission bounds what the requests under way hold, from before their bodies
// are read until they are answered.
//
// If there is no room for a request, those make room that have waited longest
// for their bodies: a kube-apiserver sends a body in one piece, so they are of
// whoever sends slowly. If that is not enough, the request is turned away.
type admission struct {
	max int

	mu   sync.Mutex
	held int
	// reading are the admitted whose bodies are being read, the oldest first.
	reading list.List
}

// admitted is a request that there is room for.
type admitted struct {
	admission *admission
	held      int
	// abort ends the reading of the body. It is not called after [admitted.read].
	abort   func()
	reading *list.Element
}

// admit returns nil if there is no room for a request with a body of this size.
func (a *admission) admit(size int, abort func()) *admitted {
	size += overhead
	a.mu.Lock()
	defer a.mu.Unlock()
	for a.held+size > a.max {
		oldest := a.reading.Front()
		if oldest == nil {
			return nil
		}
		slow := oldest.Value.(*admitted)
		slow.leave()
		slow.abort()
	}
	a.held += size
	r := &admitted{admission: a, held: size, abort: abort}
	r.reading = a.reading.PushBack(r)
	return r
}

// read says that the body was read. It reports whether it was not aborted.
func (r *admitted) read() bool {
	r.admission.mu.Lock()
	defer r.admission.mu.Unlock()
	if r.reading == nil {
		return false
	}
	r.admission.reading.Remove(r.reading)
	r.reading = nil
	return true
}

// done says that the request was answered.
func (r *admitted) done() {
	r.admission.mu.Lock()
	defer r.admission.mu.Unlock()
	r.leave()
}

func (r *admitted) leave() {
	r.admission.held -= r.held
	r.held = 0
	if r.reading != nil {
		r.admission.reading.Remove(r.reading)
		r.reading = nil
	}
}
