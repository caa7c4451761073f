package metrics

import (
	"sync/atomic"
	"time"

	"github.com/kube-iam/authenticator/internal/exposition"
)

// clock shows, at every scrape, how far this machine's clock is ahead of that of STS.
type clock struct {
	ahead  atomic.Pointer[func() (time.Duration, bool)]
	family *exposition.Family
}

func newClock(r *exposition.Registry) *clock {
	c := &clock{family: r.Family(exposition.Gauge, "clock_ahead_seconds",
		"How far the clock of this machine is ahead of that of STS, at the last answer of STS. Negative if it is behind.")}
	r.Collect(c.collect)
	return c
}

// collect adds nothing before STS answers.
func (c *clock) collect(sample exposition.Sampler) {
	measure := c.ahead.Load()
	if measure == nil {
		return
	}
	if ahead, known := (*measure)(); known {
		sample(c.family, ahead.Seconds())
	}
}

// FollowClock has every scrape show how far this machine's clock is ahead of that of STS,
// if that is known.
func (m *Metrics) FollowClock(ahead func() (time.Duration, bool)) { m.clock.ahead.Store(&ahead) }
