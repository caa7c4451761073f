package assembly

import (
	"slices"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/internal/admission"
	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/cluster"
	"github.com/kube-iam/authenticator/internal/lockout"
	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/internal/source/configmap"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// A Guard judges the edits of the aws-auth of one cluster.
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
	others := g.config
	others.Sources = slices.DeleteFunc(slices.Clone(sources), func(s source.Source) bool {
		awsAuth, ok := s.(*configmap.ConfigMap)
		if ok {
			judged.Reading, judged.Reserved = awsAuth.Reading, g.config.ReservedPrefixes[s.Name()]
		}
		return ok
	})
	judged.Otherwise = cluster.Mapper(others)
	return admission.New(judged)
}

// Observe remembers which node roles are in use.
func (g *Guard) Observe(decision authn.Decision) {
	if decision.Outcome == authn.Mapped && slices.Contains(decision.User.Groups, mapper.NodesGroup) && strings.HasPrefix(decision.User.Username, "system:node:") {
		g.nodes.SignedIn(decision.Identity.Principal(), decision.User.Username)
	}
}
