package authn

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
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
	// key is the cluster and the whole token: by the token alone one cluster would
	// accept what is for another, and by access key ID alone anyone could have a
	// victim refused.
	identities, refusals *cache.LRUExpireCache
}

type cacheKey [sha256.Size]byte

func (c *verificationCache) key(clusterID string, req token.Request) (key cacheKey) {
	mac := hmac.New(sha256.New, c.secret[:])
	// The length tells where the cluster's ID ends.
	mac.Write(binary.BigEndian.AppendUint32(nil, uint32(len(clusterID))))
	mac.Write([]byte(clusterID))
	mac.Write([]byte(req.URL()))
	mac.Sum(key[:0])
	return key
}

func (c *verificationCache) Verify(ctx context.Context, clusterID string, req token.Request) (verify.Result, error) {
	key := c.key(clusterID, req)
	if id, ok := c.identities.Get(key); ok {
		return verify.Result{Identity: id.(identity.Identity), Cached: true}, nil
	}
	if refusal, ok := c.refusals.Get(key); ok {
		return verify.Result{Cached: true}, refusal.(*verify.RefusedError)
	}
	result, err := c.verifier.Verify(ctx, clusterID, req)
	if err == nil {
		c.identities.Add(key, result.Identity, min(c.config.TTL, req.Expires().Sub(c.config.Now())))
		return result, nil
	}
	if refusal, ok := errors.AsType[*verify.RefusedError](err); ok {
		c.refusals.Add(key, refusal, min(c.config.TTL, refusalTTL))
	}
	return verify.Result{}, err
}
