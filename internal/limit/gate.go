package limit

import "slices"

// bounds are the bounds of a gate. One member gets at most a share of each:
// slots/share, and so on.
type bounds struct {
	// slots bounds the requests inside at once, places those that wait, and bytes the
	// size of their tokens.
	slots, places, bytes int
	share                int
}

// A gate admits a number of requests at once and makes others wait. Its members are
// hosts or access keys. It is fair to them: the member with the most requests gives
// way to members with fewer, and the requests of one member are served in the order
// of their arrival. No request waits that could enter.
//
// The lock of the Limiter guards it.
type gate struct {
	bounds
	all     presence
	members map[string]presence
	queue   []*waiter
}

// presence is how much of a gate is taken.
type presence struct{ inside, waiting, bytes int }

// A waiter waits at a gate until done is closed. Then admitted reports whether it got a slot.
type waiter struct {
	member   string
	bytes    int
	done     chan struct{}
	admitted bool
}

func newGate(b bounds) *gate { return &gate{bounds: b, members: map[string]presence{}} }

// enter takes a slot if the member may have one now, and reports whether it did.
func (g *gate) enter(member string) bool {
	if g.all.inside >= g.slots || g.members[member].inside >= g.slots/g.share {
		return false
	}
	g.add(member, presence{inside: 1})
	return true
}

// leave returns a slot and passes it on: to the member with the fewest slots, and
// among equals to the request that has waited longest.
func (g *gate) leave(member string) {
	g.add(member, presence{inside: -1})
	var next *waiter
	for _, w := range g.queue {
		if next == nil || g.members[w.member].inside < g.members[next.member].inside {
			next = w
		}
	}
	if next != nil && g.enter(next.member) {
		next.admitted = true
		g.release(next)
	}
}

// wait takes a place in the queue. It returns nil if there is none for the member.
func (g *gate) wait(member string, bytes int) *waiter {
	of := g.members[member]
	if of.waiting >= g.places/g.share || of.bytes+bytes > g.bytes/g.share {
		return nil
	}
	after := g.weight(of.plus(presence{waiting: 1, bytes: bytes}))
	for g.all.waiting >= g.places || g.all.bytes+bytes > g.bytes {
		if !g.crowdOut(after) {
			return nil
		}
	}
	w := &waiter{member: member, bytes: bytes, done: make(chan struct{})}
	g.add(member, presence{waiting: 1, bytes: bytes})
	g.queue = append(g.queue, w)
	return w
}

// weight returns how much of the queue is taken. A place weighs as much as an equal
// share of the bytes.
func (g *gate) weight(p presence) int { return p.waiting*(g.bytes/g.places) + p.bytes }

// crowdOut removes the latest waiter of the member with the largest weight, if that
// is larger than the given weight. It reports whether it removed one.
func (g *gate) crowdOut(weight int) bool {
	var last *waiter
	for _, w := range g.queue {
		if taken := g.weight(g.members[w.member]); taken > weight || last != nil && taken == weight && w.member == last.member {
			last, weight = w, taken
		}
	}
	if last == nil {
		return false
	}
	g.release(last)
	return true
}

// turnAway removes all waiters of a member.
func (g *gate) turnAway(member string) {
	for _, w := range slices.Clone(g.queue) {
		if w.member == member {
			g.release(w)
		}
	}
}

// release removes a waiter, if it still waits.
func (g *gate) release(w *waiter) {
	i := slices.Index(g.queue, w)
	if i < 0 {
		return
	}
	g.queue = slices.Delete(g.queue, i, i+1)
	g.add(w.member, presence{waiting: -1, bytes: -w.bytes})
	close(w.done)
}

func (g *gate) add(member string, p presence) {
	g.all = g.all.plus(p)
	if of := g.members[member].plus(p); of == (presence{}) {
		delete(g.members, member)
	} else {
		g.members[member] = of
	}
}

func (p presence) plus(other presence) presence {
	return presence{p.inside + other.inside, p.waiting + other.waiting, p.bytes + other.bytes}
}
