package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// mappings collects, at every scrape, what the sources of the clusters have in
// force then.
type mappings struct {
	entries, problems, age *prometheus.Desc

	mu       sync.Mutex
	clusters []followed
}

type followed struct {
	cluster string
	sources []source.Source
}

func newMappings() *mappings {
	return &mappings{
		entries: prometheus.NewDesc(namespace+"_mapping_entries",
			"Entries and accounts in force, by source of mappings.", []string{"cluster", "source"}, nil),
		problems: prometheus.NewDesc(namespace+"_mapping_problems",
			"Problems in mappings, by source and severity.", []string{"cluster", "source", "severity"}, nil),
		age: prometheus.NewDesc(namespace+"_mapping_last_good_age_seconds",
			"How long a section in force has not been the current text of aws-auth, which does not parse; 0 if none.", []string{"cluster", "source"}, nil),
	}
}

func (m *mappings) follow(cluster string, sources []source.Source) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.clusters = append(m.clusters, followed{cluster, sources})
}

func (m *mappings) Describe(descriptions chan<- *prometheus.Desc) {
	descriptions <- m.entries
	descriptions <- m.problems
	descriptions <- m.age
}

func (m *mappings) Collect(metrics chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	gauge := func(description *prometheus.Desc, value float64, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(description, prometheus.GaugeValue, value, labels...)
	}
	for _, f := range m.clusters {
		for _, s := range f.sources {
			current, inForce := s.Current(), 0
			if current.Table != nil {
				inForce = current.Table.Len()
			}
			gauge(m.entries, float64(inForce), f.cluster, s.Name())
			gauge(m.age, age(current.KeptSince), f.cluster, s.Name())
			for _, severity := range []mapper.Severity{mapper.Error, mapper.Warning} {
				gauge(m.problems, float64(mapper.Count(current.Problems, severity)), f.cluster, s.Name(), string(severity))
			}
		}
	}
}

func age(since time.Time) float64 {
	if since.IsZero() {
		return 0
	}
	return max(time.Since(since).Seconds(), 0)
}
