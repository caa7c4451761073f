package httpclient

import (
	"slices"
	"sync"
	"time"
)

// A pool holds the idle connections.
type pool struct {
	max     int
	timeout time.Duration

	mu sync.Mutex
	// idle begins with the connection that is idle for longest.
	idle   []*connection
	closed bool
	// expiry closes the connections that are idle for too long; nil if none is idle.
	expiry *time.Timer
}

// get removes and returns the connection to an origin that was used last, or returns nil.
func (p *pool) get(to origin) *connection {
	for {
		c := p.take(to)
		if c == nil || c.isQuiet() {
			return c
		}
		_ = c.Close() // the server closed it, or sent what nobody asked for
	}
}

func (p *pool) take(to origin) *connection {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, c := range slices.Backward(p.idle) {
		if c.origin == to {
			p.idle = slices.Delete(p.idle, i, i+1)
			return c
		}
	}
	return nil
}

// put adds a connection, and closes the oldest if there are too many.
func (p *pool) put(c *connection) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.idleSince = time.Now()
	p.idle = append(p.idle, c)
	p.trim()
}

// trim closes the connections that are too many or idle for too long. The caller holds mu.
func (p *pool) trim() {
	for len(p.idle) > 0 && (p.closed || len(p.idle) > p.max || time.Since(p.idle[0].idleSince) >= p.timeout) {
		_ = p.idle[0].Close()
		p.idle = slices.Delete(p.idle, 0, 1)
	}
	if len(p.idle) > 0 && p.expiry == nil {
		p.expiry = time.AfterFunc(time.Until(p.idle[0].idleSince.Add(p.timeout)), p.expire)
	}
}

func (p *pool) expire() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.expiry = nil
	p.trim()
}

func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	p.trim()
	if p.expiry != nil {
		p.expiry.Stop()
	}
}
