package metrics

import (
	"sync/atomic"
	"time"

	"github.com/kube-iam/authenticator/internal/exposition"
)

// certificates shows, at every scrape, when the serving certificate and its CA expire.
type certificates struct {
	expires         atomic.Pointer[func() (leaf, authority time.Time)]
	leaf, authority *exposition.Family
}

func newCertificates(r *exposition.Registry) *certificates {
	c := &certificates{
		leaf:      r.Family(exposition.Gauge, "certificate_expiration_timestamp_seconds", "When the serving certificate expires."),
		authority: r.Family(exposition.Gauge, "certificate_authority_expiration_timestamp_seconds", "When the CA that signs the serving certificates expires."),
	}
	r.Collect(c.collect)
	return c
}

func (c *certificates) collect(sample exposition.Sampler) {
	expires := c.expires.Load()
	if expires == nil {
		return
	}
	leaf, authority := (*expires)()
	sample(c.leaf, float64(leaf.Unix()))
	if !authority.IsZero() {
		sample(c.authority, float64(authority.Unix()))
	}
}
