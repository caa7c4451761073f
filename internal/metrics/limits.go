package metrics

import (
	"sync/atomic"

	"github.com/kube-iam/authenticator/internal/exposition"
	"github.com/kube-iam/authenticator/internal/limit"
)

// limits shows, at every scrape, which STS hosts are asked and how many tokens
// wait for one.
type limits struct {
	regions                *regions
	status                 atomic.Pointer[func() []limit.HostStatus]
	open, running, waiting *exposition.Family
}

func newLimits(r *exposition.Registry, regions *regions) *limits {
	l := &limits{
		regions: regions,
		open:    r.Family(exposition.Gauge, "sts_circuit_open", "STS hosts that did not respond and get only probes, by region.", "StsRegion"),
		running: r.Family(exposition.Gauge, "sts_requests_in_flight", "Requests to STS in flight, by region.", "StsRegion"),
		waiting: r.Family(exposition.Gauge, "sts_requests_waiting", "Tokens that wait for a slot to be sent to STS, by region.", "StsRegion"),
	}
	r.Collect(l.collect)
	return l
}

// collect adds up the hosts of a region.
func (l *limits) collect(sample exposition.Sampler) {
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
		sample(l.open, float64(of.open), region)
		sample(l.running, float64(of.running), region)
		sample(l.waiting, float64(of.waiting), region)
	}
}
