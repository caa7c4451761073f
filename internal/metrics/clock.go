package metrics

import (
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// clock shows, at every scrape, how far this machine's clock is ahead of that of STS.
type clock struct {
	ahead atomic.Pointer[func() (time.Duration, bool)]
	desc  *prometheus.Desc
}

func newClock() *clock {
	return &clock{desc: prometheus.NewDesc(namespace+"_clock_ahead_seconds",
		"How far the clock of this machine is ahead of that of STS, at the last answer of STS. Negative if it is behind.", nil, nil)}
}

// Describe implements [prometheus.Collector].
func (c *clock) Describe(descs chan<- *prometheus.Desc) { descs <- c.desc }

// Collect implements [prometheus.Collector]. Nothing is known before STS answers.
func (c *clock) Collect(metrics chan<- prometheus.Metric) {
	measure := c.ahead.Load()
	if measure == nil {
		return
	}
	if ahead, known := (*measure)(); known {
		metrics <- prometheus.MustNewConstMetric(c.desc, prometheus.GaugeValue, ahead.Seconds())
	}
}

// FollowClock has every scrape show how far this machine's clock is ahead of that of STS,
// if that is known.
func (m *Metrics) FollowClock(ahead func() (time.Duration, bool)) { m.clock.ahead.Store(&ahead) }
