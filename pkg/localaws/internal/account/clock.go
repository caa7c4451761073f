package account

import (
	"sync"
	"time"
)

// A Clock is the time of a local AWS: sessions expire, signatures are checked and
// responses are dated by it, so that SDKs that correct their own clock follow it.
// It shows its base until it is changed, and again after [Clock.Resume]. A state file
// does not keep it.
type Clock struct {
	base func() time.Time

	mu     sync.Mutex
	ahead  time.Duration // of base, while running
	frozen bool
	at     time.Time // while frozen
}

// NewClock returns a clock that shows the time of base.
func NewClock(base func() time.Time) *Clock { return &Clock{base: base} }

// Now returns the clock's time.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now()
}

func (c *Clock) now() time.Time {
	if c.frozen {
		return c.at
	}
	return c.base().Add(c.ahead)
}

// Frozen reports whether the clock is stopped.
func (c *Clock) Frozen() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.frozen
}

// Freeze stops the clock at its current time.
func (c *Clock) Freeze() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.frozen = c.now(), true
}

// Advance moves the clock forward, or back if by is negative. A frozen clock
// stays frozen.
func (c *Clock) Advance(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead, c.at = c.ahead+by, c.at.Add(by)
}

// Set sets the clock to a time. A frozen clock stays frozen.
func (c *Clock) Set(to time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead, c.at = to.Sub(c.base()), to
}

// Resume sets the clock back to its base and runs it.
func (c *Clock) Resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead, c.frozen = 0, false
}
