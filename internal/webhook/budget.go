package webhook

import (
	"container/list"
	"sync"
)

const (
	// maxHeld is how many bytes the bodies of the requests under way hold at most:
	// those of 2 500 ordinary tokens, or of 800 of the longest. It is more than the
	// requests that wait for STS may hold, so that a full queue there does not turn
	// away requests that have no need to wait in it.
	maxHeld = 16 << 20
	// overhead is charged to each request for its goroutines and headers.
	overhead = 4 << 10
)

// A budget bounds the memory that requests under way hold. A request reserves
// memory before its body is read, and releases it with its answer.
//
// If a reservation does not fit, the requests that have waited longest for their
// bodies make room: a kube-apiserver sends a body in one piece, so these requests
// come from slow senders. If that is not enough, the request is turned away.
type budget struct {
	max int

	mu   sync.Mutex
	held int
	// receiving are the reservations whose bodies are on the way, the oldest first.
	receiving list.List
}

// A reservation is a request's part of a budget.
type reservation struct {
	budget *budget
	held   int
	// abort ends the reading of the body. It is not called after
	// [reservation.received].
	abort     func()
	receiving *list.Element
}

// reserve returns nil if a request with a body of this size does not fit.
func (b *budget) reserve(size int, abort func()) *reservation {
	size += overhead
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.held+size > b.max {
		oldest := b.receiving.Front()
		if oldest == nil {
			return nil
		}
		slow := oldest.Value.(*reservation)
		slow.leave()
		slow.abort()
	}
	b.held += size
	r := &reservation{budget: b, held: size, abort: abort}
	r.receiving = b.receiving.PushBack(r)
	return r
}

// received ends the wait for the body. It returns false if the request had to make
// room for others.
func (r *reservation) received() bool {
	r.budget.mu.Lock()
	defer r.budget.mu.Unlock()
	if r.receiving == nil {
		return false
	}
	r.budget.receiving.Remove(r.receiving)
	r.receiving = nil
	return true
}

// release returns the memory to the budget.
func (r *reservation) release() {
	r.budget.mu.Lock()
	defer r.budget.mu.Unlock()
	r.leave()
}

func (r *reservation) leave() {
	r.budget.held -= r.held
	r.held = 0
	if r.receiving != nil {
		r.budget.receiving.Remove(r.receiving)
		r.receiving = nil
	}
}
