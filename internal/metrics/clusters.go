package metrics

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kube-iam/authenticator/internal/authn"
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
	entries, problems, age *prometheus.Desc
	reviews, ready         *prometheus.Desc
	dynamic, dynamicOnly   *prometheus.Desc
	each                   atomic.Pointer[func(func(Cluster))]
}

func newClusters() *clusters {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(prometheus.BuildFQName(namespace, "", name), help, labels, nil)
	}
	return &clusters{
		entries:  desc("mapping_entries", "Entries and accounts in force, by source of mappings.", "cluster", "source"),
		problems: desc("mapping_problems", "Problems in mappings, by source and severity.", "cluster", "source", "severity"),
		age: desc("mapping_last_good_age_seconds",
			"How long a section in force has not been the current text of aws-auth, which does not parse; 0 if none.", "cluster", "source"),
		reviews:     desc("cluster_reviews_total", "TokenReviews decided, by cluster and result.", "cluster", "result"),
		dynamic:     desc("dynamic_file_enabled", "1 if backend DynamicFile is in force in a cluster, alone or with others."),
		dynamicOnly: desc("dynamic_file_only", "1 if backend DynamicFile alone is in force in every cluster."),
		ready:       desc("cluster_ready", "1 if the server has read all mappings of the cluster.", "cluster"),
	}
}

// Describe implements [prometheus.Collector].
func (c *clusters) Describe(descriptions chan<- *prometheus.Desc) {
	for _, description := range []*prometheus.Desc{c.entries, c.problems, c.age, c.reviews, c.ready, c.dynamic, c.dynamicOnly} {
		descriptions <- description
	}
}

// Collect implements [prometheus.Collector].
func (c *clusters) Collect(metrics chan<- prometheus.Metric) {
	if each := c.each.Load(); each != nil {
		all, with, alone := 0, 0, 0
		(*each)(func(of Cluster) {
			c.collect(metrics, of)
			all++
			if sources := of.Sources(); slices.ContainsFunc(sources, func(s source.Source) bool { return s.Name() == dynamicFile }) {
				with++
				if len(sources) == 1 {
					alone++
				}
			}
		})
		flag := func(description *prometheus.Desc, isSet bool) {
			value := 0.0
			if isSet {
				value = 1
			}
			metrics <- prometheus.MustNewConstMetric(description, prometheus.GaugeValue, value)
		}
		flag(c.dynamic, with > 0)
		flag(c.dynamicOnly, all > 0 && alone == all)
	}
}

func (c *clusters) collect(metrics chan<- prometheus.Metric, of Cluster) {
	gauge := func(description *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(description, prometheus.GaugeValue, value, append([]string{of.ID()}, labels...)...)
	}
	ready := 0.0
	if of.Ready() == nil {
		ready = 1
	}
	gauge(c.ready, ready)
	for _, outcome := range authn.Outcomes() {
		metrics <- prometheus.MustNewConstMetric(c.reviews, prometheus.CounterValue, float64(of.Decided(outcome)), of.ID(), string(outcome))
	}
	for _, s := range of.Sources() {
		current, inForce := s.Current(), 0
		if current.Table != nil {
			inForce = current.Table.Len()
		}
		gauge(c.entries, float64(inForce), s.Name())
		gauge(c.age, age(current.KeptSince), s.Name())
		for _, severity := range []mapper.Severity{mapper.Error, mapper.Warning} {
			gauge(c.problems, float64(mapper.Count(current.Problems, severity)), s.Name(), string(severity))
		}
	}
}

func age(since time.Time) float64 {
	if since.IsZero() {
		return 0
	}
	return max(time.Since(since).Seconds(), 0)
}
