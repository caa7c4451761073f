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
// If a reservation does not fit, the requests of its cluster that have waited longest for
// their bodies make room: a kube-apiserver sends a body in one piece, so these requests
// come from slow senders. If that is not enough, the request is turned away.
//
// Every request takes the lock three times. While it is held nothing is called: in a
// flood thousands of goroutines wait for it, each with its stack.
type budget struct {
	max int
	// fair keeps room for other clusters: the requests of one hold no more than is free.
	fair bool
	// large are the buffers of large bodies. A large body is charged for a whole buffer. Nil
	// if no body is large.
	large buffers

	mu    sync.Mutex
	held  int
	parts map[string]*part
}

// A part is what the requests of one cluster hold of a budget.
type part struct {
	held int
	// oldest and newest are the ends of the list of reservations whose bodies are on
	// the way.
	oldest, newest *reservation
}

func newBudget(limit int, fair bool) *budget {
	return &budget{max: limit, fair: fair, parts: map[string]*part{}}
}

// A reservation is a request's part of a budget.
type reservation struct {
	budget  *budget
	cluster string
	part    *part
	held    int
	// buffer is that of a large body; nil for others.
	buffer *buffer
	// abort ends the reading of the body. It is not called after
	// [reservation.release].
	abort    func()
	aborting sync.WaitGroup
	// receiving is set while the reservation is in the list.
	receiving    bool
	older, newer *reservation
}

// reserve returns nil if a request with a body of this size does not fit.
func (b *budget) reserve(cluster string, size int, abort func()) *reservation {
	r := &reservation{budget: b, cluster: cluster, held: size + overhead, abort: abort}
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
	of := b.parts[r.cluster]
	if of == nil {
		of = &part{}
		b.parts[r.cluster] = of
	}
	r.part = of
	for !b.hasRoom(of, r.held) {
		oldest := of.oldest
		if oldest == nil {
			b.hold(r, 0)
			return slow, false
		}
		oldest.leave()
		oldest.aborting.Add(1)
		oldest.newer, slow = slow, oldest
	}
	b.hold(r, r.held)
	b.parts[r.cluster] = of // it is forgotten if all that it held made room
	of.append(r)
	return slow, true
}

func (b *budget) hasRoom(of *part, size int) bool {
	free := b.max - b.held
	return size <= free && (!b.fair || of.held+size <= free)
}

// hold adds to what a reservation's cluster holds, and forgets the part of a cluster that
// holds nothing.
func (b *budget) hold(r *reservation, size int) {
	b.held += size
	r.part.held += size
	if b.fair && r.part.held == 0 && b.parts[r.cluster] == r.part {
		delete(b.parts, r.cluster)
	}
}

// received ends the wait for the body. It returns false if the request had to make
// room for others.
func (r *reservation) received() bool {
	r.budget.mu.Lock()
	defer r.budget.mu.Unlock()
	if !r.receiving {
		return false
	}
	r.part.remove(r)
	return true
}

// release returns the memory to the budget. Without a reservation it does nothing.
func (r *reservation) release() {
	if r == nil {
		return
	}
	r.budget.mu.Lock()
	r.leave()
	r.budget.mu.Unlock()
	r.aborting.Wait()
	if r.buffer != nil {
		r.budget.large.put(r.buffer)
		r.buffer = nil
	}
}

func (r *reservation) leave() {
	if r.receiving {
		r.part.remove(r)
	}
	r.budget.hold(r, -r.held)
	r.held = 0
}

func (p *part) append(r *reservation) {
	r.receiving, r.older = true, p.newest
	if p.newest == nil {
		p.oldest = r
	} else {
		p.newest.newer = r
	}
	p.newest = r
}

func (p *part) remove(r *reservation) {
	if r.older == nil {
		p.oldest = r.newer
	} else {
		r.older.newer = r.newer
	}
	if r.newer == nil {
		p.newest = r.older
	} else {
		r.newer.older = r.older
	}
	r.receiving, r.older, r.newer = false, nil, nil
}
