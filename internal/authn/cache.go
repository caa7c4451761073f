package authn

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
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
	// TTL of a verified identity; never longer than its token lives. Zero turns
	// caching off.
	TTL time.Duration
	// Size is how many identities, and how many refusals, are remembered. Zero
	// means 4096.
	Size int
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Cache remembers what a verifier found: identities for a while, refusals
// briefly, and what could not be told not at all.
func Cache(verifier verify.Verifier, config CacheConfig) verify.Verifier {
	if config.TTL <= 0 {
		return verifier
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	size := cmp.Or(config.Size, 4096)
	c := &verificationCache{
		verifier:   verifier,
		config:     config,
		identities: cache.NewLRUExpireCacheWithClock(size, clock(config.Now)),
		refusals:   cache.NewLRUExpireCacheWithClock(size, clock(config.Now)),
	}
	_, _ = rand.Read(c.secret[:]) // never fails
	return c
}

type clock func() time.Time

func (c clock) Now() time.Time { return c() }

type verificationCache struct {
	verifier verify.Verifier
	config   CacheConfig
	// secret makes the keys: tokens are credentials, so none is kept, and nobody
	// can choose keys that collide.
	secret [sha256.Size]byte
	// Two caches, so that a flood of refusals cannot push identities out. The
	// key is the whole token: by access key ID alone anyone could have a victim
	// refused.
	identities, refusals *cache.LRUExpireCache
}

type cacheKey [sha256.Size]byte

func (c *verificationCache) key(req token.Request) (key cacheKey) {
	mac := hmac.New(sha256.New, c.secret[:])
	mac.Write([]byte(req.URL()))
	mac.Sum(key[:0])
	return key
}

func (c *verificationCache) Verify(ctx context.Context, req token.Request) (identity.Identity, error) {
	key := c.key(req)
	if id, ok := c.identities.Get(key); ok {
		cached(ctx)
		return id.(identity.Identity), nil
	}
	if refusal, ok := c.refusals.Get(key); ok {
		cached(ctx)
		return identity.Identity{}, refusal.(*verify.RefusedError)
	}
	id, err := c.verifier.Verify(ctx, req)
	if err == nil {
		c.identities.Add(key, id, min(c.config.TTL, req.Expires().Sub(c.config.Now())))
		return id, nil
	}
	if refusal, ok := errors.AsType[*verify.RefusedError](err); ok {
		c.refusals.Add(key, refusal, min(c.config.TTL, refusalTTL))
	}
	return identity.Identity{}, err
}

type cachedKey struct{}

// reportCached makes a context by which a cache can tell that it knew the answer.
func reportCached(ctx context.Context, hit *bool) context.Context {
	return context.WithValue(ctx, cachedKey{}, hit)
}

func cached(ctx context.Context) {
	if hit, ok := ctx.Value(cachedKey{}).(*bool); ok {
		*hit = true
	}
}
