package limit

import (
	"strings"
	"time"
)

const (
	// maxHosts bounds the hosts with state.
	maxHosts = 64
	// maxOwnPools bounds the hosts with their own pool, and so the memory of
	// requests, however many hosts the operator names.
	maxOwnPools = 8
	// provenFor is how long a host and a key are trusted after a sign-in.
	provenFor = time.Hour
)

// A host is a host of STS that tokens name.
type host struct {
	name, region string
	// named means that the operator named the host. It keeps its own pool even when
	// it is not proven, until a proven host needs the pool.
	named       bool
	provenUntil time.Time
	// pool is the pool in use: own or the shared one. A host that shares again keeps
	// own, since requests may still be in it.
	pool, own *pool
	breaker   breaker
	// running and waiting count requests. A host with requests is never evicted.
	running, waiting int
	used             time.Time
}

// isProven reports whether a user signed in through the host within the last hour.
func (h *host) isProven(now time.Time) bool { return now.Before(h.provenUntil) }

// hosts are the hosts with state. The lock of the Limiter guards them.
type hosts struct {
	byName map[string]*host
	// shared is the pool of hosts without their own.
	shared *pool
	// fair is that of the gates.
	fair bool
}

func newHosts(fair bool, named []string) *hosts {
	h := &hosts{byName: map[string]*host{}, shared: newSharedPool(fair), fair: fair}
	for _, name := range named {
		if len(h.byName) < maxOwnPools {
			own := newOwnPool(fair)
			h.byName[name] = &host{name: name, named: true, pool: own, own: own}
		}
	}
	return h
}

// get returns a host's state, and creates it if needed. It returns nil if there are
// maxHosts hosts, and none of them can be evicted.
func (h *hosts) get(name, region string, now time.Time) *host {
	of, ok := h.byName[name]
	if !ok {
		if len(h.byName) >= maxHosts && !h.forget(now) {
			return nil
		}
		// The name is a part of a token, which must not stay in memory.
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

// forget evicts the host that was used longest ago, preferably one that is not
// proven. It reports whether there was one. A proven host with its own pool stays,
// even without requests.
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

// goesBefore reports whether a host is evicted before another.
func (h *host) goesBefore(other *host, now time.Time) bool {
	if h.isProven(now) != other.isProven(now) {
		return other.isProven(now)
	}
	return h.used.Before(other.used)
}

// prove records a sign-in through the host, and gives it its own pool. If all pools
// are taken, it takes the pool of the host that was used longest ago and is not
// proven.
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
		of.own = newOwnPool(h.fair)
	}
	of.pool = of.own
}
