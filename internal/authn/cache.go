package authn

import (
	"cmp"
	"context"
	"errors"
	"time"

	"k8s.io/apimachinery/pkg/util/cache"

	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/token"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

// refusalTTL is how long a refusal is remembered, at most: long enough that a
// client that retries in a loop costs STS nothing, short enough that nobody
// notices a key that has become valid.
const refusalTTL = 5 * time.Second

// CacheConfig says how long verified identities are remembered.
type CacheConfig struct {
	// TTL of a verified identity; never longer than its token lives. Zero
	// remembers nothing.
	TTL time.Duration
	// Size is how many identities, and how many refusals, are remembered. Zero
	// means 4096.
	Size int
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Cache remembers what a verifier found: identities for a while, refusals
// briefly, and everything undecided not at all. Requests for one token at one
// time share a verification, whatever the TTL.
func Cache(verifier verify.Verifier, config CacheConfig) verify.Verifier {
	if config.Now == nil {
		config.Now = time.Now
	}
	size := cmp.Or(config.Size, 4096)
	return &verificationCache{
		verifier:   verifier,
		config:     config,
		keys:       newKeyer(),
		identities: cache.NewLRUExpireCacheWithClock(size, clock(config.Now)),
		refusals:   cache.NewLRUExpireCacheWithClock(size, clock(config.Now)),
		flights:    newFlights(),
	}
}

type clock func() time.Time

func (c clock) Now() time.Time { return c() }

type verificationCache struct {
	verifier verify.Verifier
	config   CacheConfig
	keys     *keyer
	// Two caches, so that a flood of refusals cannot push identities out.
	identities, refusals *cache.LRUExpireCache
	flights              *flights
}

func (c *verificationCache) Verify(ctx context.Context, clusterID string, req token.Request) (verify.Result, error) {
	key := c.keys.key(clusterID, req)
	if c.config.TTL > 0 {
		if id, ok := c.identities.Get(key); ok {
			return verify.Result{Identity: id.(identity.Identity), Cached: true}, nil
		}
		if refusal, ok := c.refusals.Get(key); ok {
			return verify.Result{Cached: true}, refusal.(*verify.RefusedError)
		}
	}
	return c.flights.do(ctx, key, len(req.URL()), func(ctx context.Context) (verify.Result, error) {
		result, err := c.verifier.Verify(ctx, clusterID, req)
		c.remember(key, req, result.Identity, err)
		return result, err
	})
}

func (c *verificationCache) remember(key cacheKey, req token.Request, id identity.Identity, err error) {
	if c.config.TTL <= 0 {
		return
	}
	if err == nil {
		c.identities.Add(key, id, min(c.config.TTL, req.Expires().Sub(c.config.Now())))
		return
	}
	if refusal, ok := errors.AsType[*verify.RefusedError](err); ok {
		c.refusals.Add(key, refusal, min(c.config.TTL, refusalTTL))
	}
}
