package limit

import (
	"strings"
	"time"
)

const (
	// maxHosts is how many hosts have state.
	maxHosts = 64
	// maxOwnPools is how many have a pool of their own, unless the operator names
	// more. It bounds the memory that requests hold, since whoever has any AWS
	// account can prove a host.
	maxOwnPools = 8
	// provenFor is how long a host and a key are trusted after a success.
	provenFor = time.Hour
)

// A host is one of STS, as tokens name it.
type host struct {
	name, region string
	// named: the operator named it, so that it keeps its own pool for ever.
	named       bool
	provenUntil time.Time
	pool        *pool
	breaker     breaker
	// running and waiting requests; a host that has any is not forgotten.
	running, waiting int
	used             time.Time
}

func (h *host) isProven(now time.Time) bool { return h.named || now.Before(h.provenUntil) }

// hosts are those that have state. The lock of the Limiter guards them.
type hosts struct {
	byName map[string]*host
	// shared is the pool of hosts that have none of their own.
	shared *pool
}

func newHosts(named []string) *hosts {
	h := &hosts{byName: map[string]*host{}, shared: newSharedPool()}
	for _, name := range named {
		h.byName[name] = &host{name: name, named: true, pool: newOwnPool()}
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
	if !of.isProven(now) {
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

// prove notes that STS accepted a token at the host.
func (h *hosts) prove(of *host, now time.Time) {
	of.provenUntil = now.Add(provenFor)
	if of.pool != h.shared {
		return
	}
	owners := 0
	for _, other := range h.byName {
		if other.pool != h.shared && other.isProven(now) {
			owners++
		}
	}
	if owners < maxOwnPools {
		of.pool = newOwnPool()
	}
}
