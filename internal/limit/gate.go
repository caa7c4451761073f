package limit

import "slices"

// bounds are the bounds of a gate. One member gets at most a share of each:
// slots/share, and so on.
type bounds struct {
	// slots bounds the requests inside at once, places those that wait, and bytes the
	// size of their tokens.
	slots, places, bytes int
	share                int
	// fair keeps room for other clusters: one gets no more slots, places or bytes than
	// are free. So one cluster gets half of them, two get a third each, and there is
	// always some room for a cluster that has none.
	fair bool
}

// A member is a host or an access key, of one cluster.
type member struct{ cluster, name string }

// A gate admits a number of requests at once and makes others wait. Its members are
// hosts or access keys of clusters. It is fair to clusters, and then to members: the one
// with the most requests gives way to those with fewer, and the requests of one member
// are served in the order of their arrival. No request waits that could enter.
//
// The lock of the Limiter guards it.
type gate struct {
	bounds
	all      presence
	clusters map[string]presence
	members  map[member]presence
	queue    []*waiter
}

// presence is how much of a gate is taken.
type presence struct{ inside, waiting, bytes int }

// A waiter waits at a gate until done is closed. Then admitted reports whether it got a slot.
type waiter struct {
	member   member
	bytes    int
	done     chan struct{}
	admitted bool
}

func newGate(b bounds) *gate {
	return &gate{bounds: b, clusters: map[string]presence{}, members: map[member]presence{}}
}

// enter takes a slot if the member may have one now, and reports whether it did.
func (g *gate) enter(m member) bool {
	if !g.hasSlot(m) {
		return false
	}
	g.add(m, presence{inside: 1})
	return true
}

func (g *gate) hasSlot(m member) bool {
	free := g.slots - g.all.inside
	return free > 0 && g.members[m].inside < g.slots/g.share && (!g.fair || g.clusters[m.cluster].inside < free)
}

// leave returns a slot and passes it on: to the cluster with the fewest slots, or
// else the fewest that wait, to its member with the fewest slots, and among equals to the
// request that has waited longest. With fair shares, a slot that is returned can make
// room for two clusters.
func (g *gate) leave(m member) {
	g.add(m, presence{inside: -1})
	for {
		var next *waiter
		for _, w := range g.queue {
			if g.hasSlot(w.member) && (next == nil || g.goesFirst(w.member, next.member)) {
				next = w
			}
		}
		if next == nil {
			return
		}
		g.add(next.member, presence{inside: 1})
		next.admitted = true
		g.release(next)
	}
}

// goesFirst reports whether a member gets a slot before another.
func (g *gate) goesFirst(m, other member) bool {
	mine, others := g.clusters[m.cluster], g.clusters[other.cluster]
	if mine.inside != others.inside {
		return mine.inside < others.inside
	}
	if mine.waiting != others.waiting {
		return mine.waiting < others.waiting
	}
	return g.members[m].inside < g.members[other].inside
}

// wait takes a place in the queue. It returns nil if there is none for the member.
func (g *gate) wait(m member, bytes int) *waiter {
	of, cluster := g.members[m], g.clusters[m.cluster]
	if of.waiting >= g.places/g.share || of.bytes+bytes > g.bytes/g.share {
		return nil
	}
	if g.fair && (cluster.waiting >= g.places-g.all.waiting || cluster.bytes+bytes > g.bytes-g.all.bytes) {
		return nil
	}
	after := g.weight(of.plus(presence{waiting: 1, bytes: bytes}))
	for g.all.waiting >= g.places || g.all.bytes+bytes > g.bytes {
		if !g.crowdOut(after) {
			return nil
		}
	}
	w := &waiter{member: m, bytes: bytes, done: make(chan struct{})}
	g.add(m, presence{waiting: 1, bytes: bytes})
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

// turnAway removes all waiters of members with a name.
func (g *gate) turnAway(name string) {
	for _, w := range slices.Clone(g.queue) {
		if w.member.name == name {
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

func (g *gate) add(m member, p presence) {
	g.all = g.all.plus(p)
	addTo(g.clusters, m.cluster, p)
	addTo(g.members, m, p)
}

func addTo[K comparable](all map[K]presence, key K, p presence) {
	if of := all[key].plus(p); of == (presence{}) {
		delete(all, key)
	} else {
		all[key] = of
	}
}

func (p presence) plus(other presence) presence {
	return presence{p.inside + other.inside, p.waiting + other.waiting, p.bytes + other.bytes}
}
