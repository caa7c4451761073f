package decisions

import "time"

// A ring holds the last entries of one kind. When it is full, an entry replaces the
// oldest one of the cluster that has the most: a flood of one cluster must not push out
// the entries of another.
type ring struct {
	size int
	// share is how many entries one principal of a cluster has at most: a client that
	// retries in a loop must not push out the others. Zero means no limit, which is faster.
	share int
	slots []slot
	// queues are the entries of each cluster that has any.
	queues map[string]*queue
}

// A slot has an entry, and the index of the next one of its cluster.
type slot struct {
	Entry

	next int
}

// A queue has the indexes of the oldest and the latest entry of a cluster.
type queue struct{ first, last, length int }

func newRing(size, share int) *ring {
	return &ring{size: size, share: share, queues: map[string]*queue{}}
}

func (r *ring) add(e Entry) {
	own := r.queues[e.Cluster]
	if own == nil {
		own = &queue{}
		r.queues[e.Cluster] = own
	}
	free, ok := r.exceeding(own, e.principal())
	switch {
	case ok:
	case len(r.slots) >= r.size:
		free = r.oldestOfMost(own)
	default:
		free = len(r.slots)
		r.slots = append(r.slots, slot{})
	}
	r.slots[free] = slot{Entry: e}
	if own.length == 0 {
		own.first = free
	} else {
		r.slots[own.last].next = free
	}
	own.last = free
	own.length++
}

// exceeding takes the oldest entry of a principal out of a queue, if the principal has its
// share there.
func (r *ring) exceeding(own *queue, principal string) (free int, ok bool) {
	if r.share == 0 || principal == "" {
		return 0, false
	}
	count, before, previous := 0, 0, 0
	for i, left := own.first, own.length; left > 0; i, left = r.slots[i].next, left-1 {
		if r.slots[i].principal() == principal {
			if count++; count == 1 {
				free, before = i, previous
			}
		}
		previous = i
	}
	if count < r.share {
		return 0, false
	}
	if free == own.first {
		own.first = r.slots[free].next
	} else {
		r.slots[before].next = r.slots[free].next
	}
	if free == own.last {
		own.last = before
	}
	own.length--
	return free, true
}

// oldestOfMost takes the oldest entry out of the longest queue: of several, the one whose
// oldest entry is the oldest. Own is about to grow by one, so it wins a tie, unless it has
// no entry to give.
func (r *ring) oldestOfMost(own *queue) int {
	longest, cluster, most := own, "", own.length+1
	if own.length == 0 {
		longest, most = nil, 0
	}
	if len(r.queues) > 1 {
		for name, q := range r.queues {
			if q.length > most || q.length == most && longest != nil && longest != own && r.oldest(q).Before(r.oldest(longest)) {
				longest, cluster, most = q, name, q.length
			}
		}
	}
	oldest := longest.first
	longest.first = r.slots[oldest].next
	if longest.length--; longest.length == 0 && longest != own {
		delete(r.queues, cluster)
	}
	return oldest
}

// oldest returns the time of the oldest entry of a queue.
func (r *ring) oldest(q *queue) time.Time { return r.slots[q.first].Time }
