package metrics

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// certificates shows, at every scrape, when the serving certificate and its CA expire.
type certificates struct {
	expires         atomic.Pointer[func() (leaf, authority time.Time)]
	leaf, authority *prometheus.Desc
}

func newCertificates() *certificates {
	return &certificates{
		leaf: prometheus.NewDesc(namespace+"_certificate_expiration_timestamp_seconds",
			"When the serving certificate expires.", nil, nil),
		authority: prometheus.NewDesc(namespace+"_certificate_authority_expiration_timestamp_seconds",
			"When the CA that signs the serving certificates expires.", nil, nil),
	}
}

// Describe implements [prometheus.Collector].
func (c *certificates) Describe(descs chan<- *prometheus.Desc) {
	descs <- c.leaf
	descs <- c.authority
}

// Collect implements [prometheus.Collector].
func (c *certificates) Collect(metrics chan<- prometheus.Metric) {
	expires := c.expires.Load()
	if expires == nil {
		return
	}
	leaf, authority := (*expires)()
	metrics <- prometheus.MustNewConstMetric(c.leaf, prometheus.GaugeValue, float64(leaf.Unix()))
	if !authority.IsZero() {
		metrics <- prometheus.MustNewConstMetric(c.authority, prometheus.GaugeValue, float64(authority.Unix()))
	}
}
