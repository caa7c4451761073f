package metrics

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/exposition"
	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// A Cluster is a cluster that the server serves.
type Cluster interface {
	ID() string
	Sources() []source.Source
	// Ready returns nil once all sources were read.
	Ready() error
	// Decided returns how many decisions had an outcome.
	Decided(outcome authn.Outcome) int64
}

// clusters collects, at every scrape, what the server's clusters are doing. A cluster
// that is removed has no series any more.
type clusters struct {
	entries, problems, age *exposition.Family
	reviews, ready         *exposition.Family
	dynamic, dynamicOnly   *exposition.Family
	counts                 *counts
	each                   atomic.Pointer[func(func(Cluster))]
}

func newClusters(r *exposition.Registry) *clusters {
	gauge := func(name, help string, labels ...string) *exposition.Family {
		return r.Family(exposition.Gauge, name, help, labels...)
	}
	c := &clusters{
		entries:  gauge("mapping_entries", "Entries and accounts in force, by source of mappings.", "cluster", "source"),
		problems: gauge("mapping_problems", "Problems in mappings, by source and severity.", "cluster", "severity", "source"),
		age: gauge("mapping_last_good_age_seconds",
			"Time since a section or a file of mappings became unusable, so that its last good content is in force; 0 if all are usable.", "cluster", "source"),
		reviews:     r.Family(exposition.Counter, "cluster_reviews_total", "TokenReviews decided, by cluster and result.", "cluster", "result"),
		dynamic:     gauge("dynamic_file_enabled", "1 if backend DynamicFile is in force in a cluster, alone or with others."),
		dynamicOnly: gauge("dynamic_file_only", "1 if backend DynamicFile alone is in force in every cluster."),
		ready:       gauge("cluster_ready", "1 if the server has read all mappings of the cluster and the CAs of its clients.", "cluster"),
		counts:      newCounts(r),
	}
	r.Collect(c.collect)
	return c
}

func (c *clusters) collect(sample exposition.Sampler) {
	each := c.each.Load()
	if each == nil {
		return
	}
	ids, with, alone := map[string]bool{}, 0, 0
	(*each)(func(of Cluster) {
		c.collectOne(sample, of)
		ids[of.ID()] = true
		if sources := of.Sources(); slices.ContainsFunc(sources, func(s source.Source) bool { return s.Name() == dynamicFile }) {
			with++
			if len(sources) == 1 {
				alone++
			}
		}
	})
	sample(c.dynamic, flag(with > 0))
	sample(c.dynamicOnly, flag(len(ids) > 0 && alone == len(ids)))
	c.counts.keep(ids)
}

func (c *clusters) collectOne(sample exposition.Sampler, of Cluster) {
	sample(c.ready, flag(of.Ready() == nil), of.ID())
	c.counts.collect(sample, of.ID())
	for _, outcome := range authn.Outcomes() {
		sample(c.reviews, float64(of.Decided(outcome)), of.ID(), string(outcome))
	}
	for _, s := range of.Sources() {
		current, inForce := s.Current(), 0
		if current.Table != nil {
			inForce = current.Table.Len()
		}
		sample(c.entries, float64(inForce), of.ID(), s.Name())
		sample(c.age, age(current.KeptSince), of.ID(), s.Name())
		for _, severity := range []mapper.Severity{mapper.Error, mapper.Warning} {
			sample(c.problems, float64(mapper.Count(current.Problems, severity)), of.ID(), string(severity), s.Name())
		}
	}
}

// flag is the value of a gauge that is 1 if something holds.
func flag(holds bool) float64 {
	if holds {
		return 1
	}
	return 0
}

func age(since time.Time) float64 {
	if since.IsZero() {
		return 0
	}
	return max(time.Since(since).Seconds(), 0)
}
