package limit

import (
	"strings"
	"time"
)

const (
	// maxHosts is how many hosts have state.
	maxHosts = 64
	// maxOwnPools is how many have a pool of their own. It bounds the memory that
	// requests hold, however many hosts the operator names.
	maxOwnPools = 8
	// provenFor is how long a host and a key are trusted after a sign-in.
	provenFor = time.Hour
)

// A host is one of STS, as tokens name it.
type host struct {
	name, region string
	// named: the operator named it. It keeps its own pool after an hour too, until
	// a proven host needs it.
	named       bool
	provenUntil time.Time
	// pool is the one in use: the host's own, or the shared one. A host that had its
	// own and shares again keeps it, since some requests may be in it still.
	pool, own *pool
	breaker   breaker
	// running and waiting requests; a host that has any is not forgotten.
	running, waiting int
	used             time.Time
}

// isProven reports whether somebody signed in through the host within the last hour.
func (h *host) isProven(now time.Time) bool { return now.Before(h.provenUntil) }

// hosts are those that have state. The lock of the Limiter guards them.
type hosts struct {
	byName map[string]*host
	// shared is the pool of hosts that have none of their own.
	shared *pool
}

func newHosts(named []string) *hosts {
	h := &hosts{byName: map[string]*host{}, shared: newSharedPool()}
	for _, name := range named {
		if len(h.byName) < maxOwnPools {
			own := newOwnPool()
			h.byName[name] = &host{name: name, named: true, pool: own, own: own}
		}
	}
	return h
}

// get returns a host's state, and makes it if need be. It returns nil if every
// state is in use.
func (h *hosts) get(name, region string, now time.Time) *host {
	of, ok := h.byName[name]
	if !ok {
		if len(h.byName) >= maxHosts && !h.forget(now) {
			return nil
		}
		// The names are parts of a token, which is not kept.
		of = &host{name: strings.Clone(name), pool: h.shared}
		h.byName[of.name] = of
	}
	if of.region == "" {
		of.region = strings.Clone(region)
	}
	if !of.named && !of.isProven(now) {
		of.pool = h.shared
	}
	of.used = now
	return of
}

// forget drops the state of the host that was used longest ago: of one that is
// not proven, if there is one. It reports whether it could. A proven host with a
// pool of its own stays, also while nobody asks it.
func (h *hosts) forget(now time.Time) bool {
	var oldest *host
	for _, of := range h.byName {
		if of.named || of.running+of.waiting > 0 || of.pool != h.shared && of.isProven(now) {
			continue
		}
		if oldest == nil || of.goesBefore(oldest, now) {
			oldest = of
		}
	}
	if oldest == nil {
		return false
	}
	delete(h.byName, oldest.name)
	return true
}

// goesBefore reports whether a host is forgotten before another.
func (h *host) goesBefore(other *host, now time.Time) bool {
	if h.isProven(now) != other.isProven(now) {
		return other.isProven(now)
	}
	return h.used.Before(other.used)
}

// prove notes that somebody signed in through the host, and gives it a pool of its
// own. If all pools are taken, it takes the one of a host that is not proven: the
// one that was used longest ago.
func (h *hosts) prove(of *host, now time.Time) {
	of.provenUntil = now.Add(provenFor)
	if of.pool != h.shared {
		return
	}
	owners, oldest := 0, (*host)(nil)
	for _, other := range h.byName {
		if other.pool == h.shared {
			continue
		}
		owners++
		if !other.isProven(now) && (oldest == nil || other.used.Before(oldest.used)) {
			oldest = other
		}
	}
	if owners >= maxOwnPools {
		if oldest == nil {
			return
		}
		oldest.pool = h.shared
	}
	if of.own == nil {
		of.own = newOwnPool()
	}
	of.pool = of.own
}
