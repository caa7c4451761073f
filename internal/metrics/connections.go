package metrics

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kube-iam/authenticator/internal/httpserver"
)

// connections shows, at every scrape, the connections of each listener.
type connections struct {
	status       atomic.Pointer[func() []httpserver.Status]
	open, closed *prometheus.Desc
}

func newConnections() *connections {
	return &connections{
		open: prometheus.NewDesc(namespace+"_connections_open",
			"Open connections, by listener.", []string{"listener"}, nil),
		closed: prometheus.NewDesc(namespace+"_connections_closed_total",
			"Connections closed to make room for others, by listener and reason.", []string{"listener", "reason"}, nil),
	}
}

// Describe implements [prometheus.Collector].
func (c *connections) Describe(descs chan<- *prometheus.Desc) {
	descs <- c.open
	descs <- c.closed
}

// Collect implements [prometheus.Collector].
func (c *connections) Collect(metrics chan<- prometheus.Metric) {
	status := c.status.Load()
	if status == nil {
		return
	}
	for _, s := range (*status)() {
		metrics <- prometheus.MustNewConstMetric(c.open, prometheus.GaugeValue, float64(s.Open), s.Listener)
		metrics <- prometheus.MustNewConstMetric(c.closed, prometheus.CounterValue, float64(s.ClosedQuiet), s.Listener, "quiet")
		metrics <- prometheus.MustNewConstMetric(c.closed, prometheus.CounterValue, float64(s.ClosedSlow), s.Listener, "slow")
	}
}
