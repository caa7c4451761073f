package metrics

import (
	"sync"

	"github.com/kube-iam/authenticator/internal/admission"
	"github.com/kube-iam/authenticator/internal/exposition"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// counts count what happens to each cluster.
type counts struct {
	edits, losses, admissions, clientsRefused *exposition.Family

	mu sync.Mutex
	of map[string]*count // by the ID of the cluster
}

// A count is that of one cluster.
type count struct {
	edits, clientsRefused int
	losses                map[string]int
	admissions            map[admission.Result]int
}

func newCounts(r *exposition.Registry) *counts {
	counter := func(name, help string, labels ...string) *exposition.Family {
		return r.Family(exposition.Counter, name, help, labels...)
	}
	return &counts{
		edits: counter("aws_auth_edits_total", "Edits of aws-auth that the server read, and deletions, by cluster.", "cluster"),
		losses: counter("mapping_losses_total",
			"Edits of aws-auth or IAMIdentityMappings that removed a mapping to system:nodes, or the last one to system:masters, by cluster and group.", "cluster", "group"),
		admissions: counter("admission_reviews_total",
			"Edits of aws-auth, its ConfigMaps and IAMIdentityMappings that the guard reviewed, by cluster and result.", "cluster", "result"),
		clientsRefused: counter("clients_refused_total",
			"Requests that were refused because the client has no valid certificate from a CA of --client-ca-file, by cluster.", "cluster"),
		of: map[string]*count{},
	}
}

// add changes the count of a cluster.
func (c *counts) add(clusterID string, change func(*count)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	of := c.of[clusterID]
	if of == nil {
		of = &count{losses: map[string]int{}, admissions: map[admission.Result]int{}}
		c.of[clusterID] = of
	}
	change(of)
}

// collect adds the counts of a cluster, which has all series from the start.
func (c *counts) collect(sample exposition.Sampler, clusterID string) {
	c.add(clusterID, func(of *count) {
		sample(c.edits, float64(of.edits), clusterID)
		sample(c.clientsRefused, float64(of.clientsRefused), clusterID)
		for _, group := range []string{mapper.NodesGroup, mapper.MastersGroup} {
			sample(c.losses, float64(of.losses[group]), clusterID, group)
		}
		for _, result := range admission.Results() {
			sample(c.admissions, float64(of.admissions[result]), clusterID, string(result))
		}
	})
}

// keep forgets all clusters but some.
func (c *counts) keep(clusterIDs map[string]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range c.of {
		if !clusterIDs[id] {
			delete(c.of, id)
		}
	}
}

// ObserveRefusedClient counts a request of a client without a valid certificate.
func (m *Metrics) ObserveRefusedClient(clusterID string) {
	m.clusters.counts.add(clusterID, func(of *count) { of.clientsRefused++ })
}

// ObserveEdit returns the function that counts an edit of aws-auth, and the groups from
// which it takes the mappings that a cluster needs.
func (m *Metrics) ObserveEdit(clusterID string) func(lost []string) {
	losses := m.ObserveLosses(clusterID)
	return func(lost []string) {
		m.clusters.counts.add(clusterID, func(of *count) { of.edits++ })
		losses(lost)
	}
}

// ObserveLosses returns the function that counts the groups from which an edit of any
// mappings takes those that a cluster needs.
func (m *Metrics) ObserveLosses(clusterID string) func(lost []string) {
	return func(lost []string) {
		m.clusters.counts.add(clusterID, func(of *count) {
			for _, group := range lost {
				of.losses[group]++
			}
		})
	}
}

// ObserveAdmission counts the review of an edit.
func (m *Metrics) ObserveAdmission(clusterID string, result admission.Result) {
	m.clusters.counts.add(clusterID, func(of *count) { of.admissions[result]++ })
}
