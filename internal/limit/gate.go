package limit

import "slices"

// bounds of a gate. One member takes at most a share of each: slots/share, and
// so on.
type bounds struct {
	// slots is how many are inside at once, places is how many wait, bytes is how
	// much the tokens of those hold.
	slots, places, bytes int
	share                int
}

// A gate lets some requests in at once and has some wait. Its members are hosts or
// access keys, and it is fair to them: whoever takes the most of it yields to
// whoever takes less, and the requests of one member are served first come, first
// served. Nobody waits at a gate who could enter it.
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

// A waiter waits at a gate until done is closed. Admitted says what came of it.
type waiter struct {
	member   string
	bytes    int
	done     chan struct{}
	admitted bool
}

func newGate(b bounds) *gate { return &gate{bounds: b, members: map[string]presence{}} }

// enter takes a slot, if the member may have one now.
func (g *gate) enter(member string) bool {
	if g.all.inside >= g.slots || g.members[member].inside >= g.slots/g.share {
		return false
	}
	g.add(member, presence{inside: 1})
	return true
}

// leave gives a slot back: to the member that has the fewest, and of those to
// whoever has waited longest.
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

// wait takes a place, if there is one for the member. It returns nil if not.
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

// weight is how much of the waiting room is taken. A place weighs as much as the
// bytes that there are for it.
func (g *gate) weight(p presence) int { return p.waiting*(g.bytes/g.places) + p.bytes }

// crowdOut ends the waiting of the request that came last of the member that
// takes the most, if that is more than a weight. It reports whether it is.
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

// turnAway ends the waiting of all of a member.
func (g *gate) turnAway(member string) {
	for _, w := range slices.Clone(g.queue) {
		if w.member == member {
			g.release(w)
		}
	}
}

// release ends the waiting of one, if it still waits.
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
