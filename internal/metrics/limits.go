package metrics

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kube-iam/authenticator/internal/limit"
)

// limits shows, at every scrape, which STS hosts are asked and how many tokens
// wait for one.
type limits struct {
	regions                *regions
	status                 atomic.Pointer[func() []limit.HostStatus]
	open, running, waiting *prometheus.Desc
}

func newLimits(regions *regions) *limits {
	desc := func(name, help string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, []string{"StsRegion"}, nil)
	}
	return &limits{
		regions: regions,
		open:    desc("sts_circuit_open", "STS hosts that did not respond and get only probes, by region."),
		running: desc("sts_requests_in_flight", "Requests to STS in flight, by region."),
		waiting: desc("sts_requests_waiting", "Tokens that wait for a slot to be sent to STS, by region."),
	}
}

// Describe implements [prometheus.Collector].
func (l *limits) Describe(descs chan<- *prometheus.Desc) {
	descs <- l.open
	descs <- l.running
	descs <- l.waiting
}

// Collect implements [prometheus.Collector]. The hosts of a region are added up.
func (l *limits) Collect(metrics chan<- prometheus.Metric) {
	status := l.status.Load()
	if status == nil {
		return
	}
	type sums struct{ open, running, waiting int }
	byRegion := map[string]sums{}
	for _, host := range (*status)() {
		if host.Region == "" {
			continue // no token has named it yet
		}
		region := l.regions.label(host.Region)
		of := byRegion[region]
		if host.CircuitOpen {
			of.open++
		}
		of.running += host.Running
		of.waiting += host.Waiting
		byRegion[region] = of
	}
	for region, of := range byRegion {
		for desc, value := range map[*prometheus.Desc]int{l.open: of.open, l.running: of.running, l.waiting: of.waiting} {
			metrics <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, float64(value), region)
		}
	}
}
