package authn

import (
	"cmp"
	"errors"
	"time"

	lru "k8s.io/apimachinery/pkg/util/cache"

	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

// refusalTTL is how long a refusal is cached at most: long enough that a client that
// retries in a loop causes few calls of STS, and short enough that a key that has
// become valid works soon.
const refusalTTL = 5 * time.Second

// CacheConfig configures the cache of verified identities. Concurrent requests for
// one token share a verification, whatever the TTL.
type CacheConfig struct {
	// TTL is how long an identity is cached, at most until its token expires. Zero
	// disables the cache.
	TTL time.Duration
	// Size bounds the cached identities, and separately the cached refusals. Zero
	// means 4096.
	Size int
}

// A cache stores STS's answers by token: identities for the TTL, refusals briefly,
// and undecided results not at all.
type cache struct {
	ttl time.Duration
	now func() time.Time
	// Two caches, so that a flood of refusals cannot evict identities.
	identities, refusals *lru.LRUExpireCache
}

func newCache(config CacheConfig, now func() time.Time) *cache {
	size := cmp.Or(config.Size, 4096)
	return &cache{
		ttl: config.TTL, now: now,
		identities: lru.NewLRUExpireCacheWithClock(size, clock(now)),
		refusals:   lru.NewLRUExpireCacheWithClock(size, clock(now)),
	}
}

// A remembered identity does not outlive its token. Its time in the cache does not
// ensure that: it is measured with the monotonic clock, which stops while the machine
// is suspended and ignores that the clock is set.
type remembered struct {
	identity identity.Identity
	expires  time.Time // of the token, by the wall clock
}

type clock func() time.Time

func (c clock) Now() time.Time { return c() }

// get returns the identity of a token, or the refusal, and reports whether either
// is remembered.
func (c *cache) get(key cacheKey) (id identity.Identity, refusal error, found bool) {
	if c.ttl <= 0 {
		return identity.Identity{}, nil, false
	}
	if known, ok := c.identities.Get(key); ok && !c.now().After(known.(*remembered).expires) {
		return known.(*remembered).identity, nil, true
	}
	if refusal, ok := c.refusals.Get(key); ok {
		return identity.Identity{}, refusal.(*verify.RefusedError), true
	}
	return identity.Identity{}, nil, false
}

func (c *cache) add(key cacheKey, expires time.Time, id identity.Identity, err error) {
	if c.ttl <= 0 {
		return
	}
	if err == nil {
		c.identities.Add(key, &remembered{id, expires}, min(c.ttl, expires.Sub(c.now())))
		return
	}
	if refusal, ok := errors.AsType[*verify.RefusedError](err); ok {
		c.refusals.Add(key, refusal, min(c.ttl, refusalTTL))
	}
}
