package metrics

import (
	"sync/atomic"

	"github.com/kube-iam/authenticator/internal/exposition"
	"github.com/kube-iam/authenticator/internal/httpserver"
)

// connections shows, at every scrape, the connections of each listener.
type connections struct {
	status       atomic.Pointer[func() []httpserver.Status]
	open, closed *exposition.Family
}

func newConnections(r *exposition.Registry) *connections {
	c := &connections{
		open:   r.Family(exposition.Gauge, "connections_open", "Open connections, by listener.", "listener"),
		closed: r.Family(exposition.Counter, "connections_closed_total", "Connections closed to make room for others, by listener and reason.", "listener", "reason"),
	}
	r.Collect(c.collect)
	return c
}

func (c *connections) collect(sample exposition.Sampler) {
	status := c.status.Load()
	if status == nil {
		return
	}
	for _, s := range (*status)() {
		sample(c.open, float64(s.Open), s.Listener)
		sample(c.closed, float64(s.ClosedQuiet), s.Listener, "quiet")
		sample(c.closed, float64(s.ClosedSlow), s.Listener, "slow")
	}
}
