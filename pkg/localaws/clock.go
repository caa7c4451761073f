package localaws

import (
	"sync"
	"time"
)

// A Clock is the time that a local AWS goes by: sessions expire by it, signatures
// are judged by it, and answers are dated by it, so that SDKs which correct their
// own clock follow. It is [Config.Now] until it is steered, and again after
// [Clock.Resume]; a state file does not keep it.
type Clock struct {
	base func() time.Time

	mu     sync.Mutex
	ahead  time.Duration // of base, while it runs
	frozen bool
	at     time.Time // while it is frozen
}

// Now is its time.
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

// Frozen reports whether it stands still.
func (c *Clock) Frozen() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.frozen
}

// Freeze stops it where it is.
func (c *Clock) Freeze() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at, c.frozen = c.now(), true
}

// Advance moves it on, or back if by is negative. A frozen one stays frozen.
func (c *Clock) Advance(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead, c.at = c.ahead+by, c.at.Add(by)
}

// Set moves it to a time. A frozen one stays frozen.
func (c *Clock) Set(to time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead, c.at = to.Sub(c.base()), to
}

// Resume undoes all of that: it is [Config.Now] again.
func (c *Clock) Resume() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead, c.frozen = 0, false
}
