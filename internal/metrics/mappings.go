package metrics

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// mappings collects, at every scrape, what the sources of the clusters have in
// force then.
type mappings struct {
	entries, problems *prometheus.Desc

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
}

func (m *mappings) Collect(metrics chan<- prometheus.Metric) {
	m.mu.Lock()
	defer m.mu.Unlock()
	gauge := func(description *prometheus.Desc, value int, labels ...string) {
		metrics <- prometheus.MustNewConstMetric(description, prometheus.GaugeValue, float64(value), labels...)
	}
	for _, f := range m.clusters {
		for _, s := range f.sources {
			current, inForce := s.Current(), 0
			if current.Table != nil {
				inForce = current.Table.Len()
			}
			gauge(m.entries, inForce, f.cluster, s.Name())
			for _, severity := range []mapper.Severity{mapper.Error, mapper.Warning} {
				gauge(m.problems, mapper.Count(current.Problems, severity), f.cluster, s.Name(), string(severity))
			}
		}
	}
}
