package main

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

// A guard judges the edits of the aws-auth of one cluster.
type guard struct {
	*admission.Guard
	nodes *lockout.SeenNodes
}

// newGuard returns the guard of a cluster. The options are those with which it reads
// aws-auth.
func newGuard(config cluster.Config, options awsauth.Options) *guard {
	g := &guard{nodes: lockout.NewSeenNodes(time.Now)}
	judged := admission.Config{Options: options, Nodes: g.nodes}
	others := config
	others.Sources = slices.DeleteFunc(slices.Clone(config.Sources), func(s source.Source) bool {
		awsAuth, ok := s.(*configmap.ConfigMap)
		if ok {
			judged.Reading, judged.Reserved = awsAuth.Reading, config.ReservedPrefixes[s.Name()]
		}
		return ok
	})
	judged.Otherwise = cluster.Mapper(others)
	g.Guard = admission.New(judged)
	return g
}

// observe remembers which node roles are in use.
func (g *guard) observe(decision authn.Decision) {
	if decision.Outcome == authn.Mapped && slices.Contains(decision.User.Groups, mapper.NodesGroup) && strings.HasPrefix(decision.User.Username, "system:node:") {
		g.nodes.SignedIn(decision.Identity.Principal(), decision.User.Username)
	}
}

// judge returns what judges the edits of the aws-auth of the cluster with an ID; nil if
// there is no such cluster.
func (c *clusters) judge(id string) *admission.Guard {
	if guarding := c.guard(id); guarding != nil {
		return guarding.Guard
	}
	return nil
}
