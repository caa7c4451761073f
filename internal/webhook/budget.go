package webhook

import "sync"

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
//
// Every request takes the lock three times. While it is held nothing is allocated or
// called: in a flood thousands of goroutines wait for it, each with its stack.
type budget struct {
	max int

	mu   sync.Mutex
	held int
	// oldest and newest are the ends of the list of reservations whose bodies are on
	// the way.
	oldest, newest *reservation
}

// A reservation is a request's part of a budget.
type reservation struct {
	budget *budget
	held   int
	// abort ends the reading of the body. It is not called after
	// [reservation.release].
	abort    func()
	aborting sync.WaitGroup
	// receiving is set while the reservation is in the list.
	receiving    bool
	older, newer *reservation
}

// reserve returns nil if a request with a body of this size does not fit.
func (b *budget) reserve(size int, abort func()) *reservation {
	r := &reservation{budget: b, held: size + overhead, abort: abort}
	slow, fits := b.add(r)
	for slow != nil {
		next := slow.newer
		slow.abort()
		slow.aborting.Done()
		slow = next
	}
	if !fits {
		return nil
	}
	return r
}

// add adds a reservation if it fits. It also returns the reservations that made
// room, as a list by newer, which the caller aborts.
func (b *budget) add(r *reservation) (slow *reservation, fits bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.held+r.held > b.max {
		oldest := b.oldest
		if oldest == nil {
			return slow, false
		}
		oldest.leave()
		oldest.aborting.Add(1)
		oldest.newer, slow = slow, oldest
	}
	b.held += r.held
	b.append(r)
	return slow, true
}

// received ends the wait for the body. It returns false if the request had to make
// room for others.
func (r *reservation) received() bool {
	r.budget.mu.Lock()
	defer r.budget.mu.Unlock()
	if !r.receiving {
		return false
	}
	r.budget.remove(r)
	return true
}

// release returns the memory to the budget.
func (r *reservation) release() {
	r.budget.mu.Lock()
	r.leave()
	r.budget.mu.Unlock()
	r.aborting.Wait()
}

func (r *reservation) leave() {
	r.budget.held -= r.held
	r.held = 0
	if r.receiving {
		r.budget.remove(r)
	}
}

func (b *budget) append(r *reservation) {
	r.receiving, r.older = true, b.newest
	if b.newest == nil {
		b.oldest = r
	} else {
		b.newest.newer = r
	}
	b.newest = r
}

func (b *budget) remove(r *reservation) {
	if r.older == nil {
		b.oldest = r.newer
	} else {
		r.older.newer = r.newer
	}
	if r.newer == nil {
		b.newest = r.older
	} else {
		r.newer.older = r.older
	}
	r.receiving, r.older, r.newer = false, nil, nil
}
