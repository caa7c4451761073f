package decisions

// A ring holds the last entries of one kind. When it is full, an entry replaces the
// oldest one.
type ring struct {
	size int
	// share is how many entries one principal has at most: a client that retries in a
	// loop must not push out the others. Zero means no limit, which is faster.
	share   int
	entries []Entry
	// next is the oldest entry of a full ring without a share.
	next int
}

func (r *ring) add(e Entry) {
	if r.share == 0 {
		if len(r.entries) < r.size {
			r.entries = append(r.entries, e)
			return
		}
		r.entries[r.next] = e
		r.next = (r.next + 1) % r.size
		return
	}
	if i := r.victim(e.principal()); i >= 0 {
		r.entries[i] = e
		return
	}
	r.entries = append(r.entries, e)
}

// victim returns the index of the entry to replace: the oldest of a principal that has
// its share, or the oldest of a full ring. It is -1 if there is room.
func (r *ring) victim(principal string) int {
	oldest, own, count := -1, -1, 0
	for i := range r.entries {
		e := &r.entries[i]
		if oldest < 0 || e.Time.Before(r.entries[oldest].Time) {
			oldest = i
		}
		if principal == "" || e.principal() != principal {
			continue
		}
		if count++; own < 0 || e.Time.Before(r.entries[own].Time) {
			own = i
		}
	}
	switch {
	case count >= r.share:
		return own
	case len(r.entries) >= r.size:
		return oldest
	default:
		return -1
	}
}
