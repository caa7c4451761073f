package assembly

import (
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kube-iam/authenticator/internal/admission"
	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/cluster"
	"github.com/kube-iam/authenticator/internal/lockout"
	"github.com/kube-iam/authenticator/internal/settings"
	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/internal/source/configmap"
	"github.com/kube-iam/authenticator/internal/source/crd"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// A Guard judges the edits of the mappings of one cluster.
type Guard struct {
	config cluster.Config
	// options are those with which the cluster reads aws-auth.
	options awsauth.Options
	nodes   *lockout.SeenNodes
}

func newGuard(config cluster.Config, options awsauth.Options) *Guard {
	return &Guard{config: config, options: options, nodes: lockout.NewSeenNodes(time.Now)}
}

// With returns what judges edits while the cluster has these sources, which the file of
// the backend mode can change.
func (g *Guard) With(sources []source.Source) *admission.Guard {
	judged := admission.Config{Options: g.options, Nodes: g.nodes}
	for i, s := range sources {
		switch s := s.(type) {
		case *configmap.ConfigMap:
			judged.Reading, judged.AWSAuth = s.Reading, g.besides(sources, i)
		case *crd.CRD:
			judged.Mappings = g.besides(sources, i)
			judged.MappingEdit = func(old, updated *unstructured.Unstructured) (admission.MappingEdit, bool) {
				edit, read := s.Edit(old, updated)
				return admission.MappingEdit(edit), read
			}
		case *source.Missing: // judges as a source that is not read yet
			switch s.Name() {
			case settings.BackendEKSConfigMap:
				judged.Reading, judged.AWSAuth = func() *awsauth.Result { return nil }, g.besides(sources, i)
			case settings.BackendCRD:
				judged.MappingEdit = func(_, _ *unstructured.Unstructured) (edit admission.MappingEdit, read bool) { return edit, false }
			}
		}
	}
	return admission.New(judged)
}

// besides returns what the cluster has besides one of its sources.
func (g *Guard) besides(sources []source.Source, i int) admission.Besides {
	others := slices.Delete(slices.Clone(sources), i, i+1)
	return admission.Besides{
		Mapper: func(table *mapper.Table) mapper.Mapper {
			with := g.config
			with.Instances, with.Sources = lockout.AnyInstance{}, slices.Clone(sources)
			with.Sources[i] = edited{sources[i], table}
			with.Sources = slices.DeleteFunc(with.Sources, func(s source.Source) bool { return s.Current().Table == nil }) // not read yet
			return cluster.Mapper(with)
		},
		Reserved: g.config.ReservedPrefixes[sources[i].Name()],
		Masters: slices.ContainsFunc(others, func(s source.Source) bool {
			table := s.Current().Table
			return table != nil && table.MapsTo(mapper.MastersGroup)
		}),
	}
}

// An edited source has another table.
type edited struct {
	source.Source
	table *mapper.Table
}

// Current implements [source.Source].
func (e edited) Current() source.Snapshot { return source.Snapshot{Table: e.table} }

// Continue makes the guard of a changed cluster know the nodes that the one before has seen.
func (g *Guard) Continue(before *Guard) { g.nodes = before.nodes }

// Observe remembers which node roles are in use.
func (g *Guard) Observe(decision *authn.Decision) {
	if decision.Outcome == authn.Mapped && slices.Contains(decision.User.Groups, mapper.NodesGroup) && strings.HasPrefix(decision.User.Username, "system:node:") {
		g.nodes.SignedIn(decision.Identity.Principal(), decision.User.Username)
	}
}
