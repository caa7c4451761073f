package authn

import (
	"testing"
	"time"

	"github.com/kube-iam/authenticator/pkg/identity"
)

// TestSuspendedMachine checks that a cached identity does not outlive its token on a
// machine that was suspended, since the monotonic clock stops meanwhile.
func TestSuspendedMachine(t *testing.T) {
	signed := time.Date(2026, 11, 23, 8, 24, 57, 0, time.UTC)
	monotonic, wall := signed, signed
	c := newCache(CacheConfig{TTL: time.Minute}, func() time.Time { return monotonic })
	c.now = func() time.Time { return wall }
	var key cacheKey
	c.add(key, signed.Add(15*time.Minute), identity.Identity{}, nil)
	for _, test := range []struct {
		suspended time.Duration
		want      bool
	}{{0, true}, {15 * time.Minute, true}, {15*time.Minute + time.Second, false}} {
		wall = signed.Add(test.suspended)
		if _, _, found := c.get(key); found != test.want {
			t.Errorf("after %s: found %v, want %v", test.suspended, found, test.want)
		}
	}
}
