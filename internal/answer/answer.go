// Package answer answers the questions of explain with the server's own decision: about the
// mappings of a place, or about those of a cluster that is served.
package answer

import (
	"cmp"
	"context"
	"time"

	"github.com/kube-iam/authenticator/internal/assembly"
	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/cluster"
	"github.com/kube-iam/authenticator/internal/explain"
	"github.com/kube-iam/authenticator/internal/place"
	"github.com/kube-iam/authenticator/internal/roots"
	"github.com/kube-iam/authenticator/internal/settings"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

// Explain answers a question with the mappings of a place, and the STS that settings trust.
func Explain(ctx context.Context, p *place.Place, sts *settings.STS, getenv func(string) string, q explain.Question) (explain.Explanation, error) {
	now := time.Now()
	read, err := p.Read(ctx, sts.Partition)
	if err != nil {
		return explain.Explanation{}, err
	}
	facts := read.Facts
	facts.ClusterID, facts.Partition, facts.Regions, facts.Now = p.ClusterID, sts.Partition, sts.STSRegions, now
	facts.Note, facts.SessionUnknown, facts.Asked = q.Note, q.SessionUnknown, q.Asked
	facts.IDUnchecked = q.Token != "" && !p.IDChecked && !p.NamesCluster()
	decider, done, err := newCluster(ctx, p.General, sts, getenv, read, func() time.Time { return now })
	if err != nil {
		return explain.Explanation{}, err
	}
	defer done()
	if q.Token != "" {
		roots.TrustPublic()
		defer cli.Waiting(p.Err, "authenticator: waiting for AWS STS")()
	}
	return explain.New(facts, Ask(ctx, decider, q)), nil
}

// newCluster returns a cluster that decides with mappings as the server does.
func newCluster(ctx context.Context, g *settings.General, s *settings.STS, getenv func(string) string, m place.Mappings, now func() time.Time) (decider *cluster.Cluster, done func(), err error) {
	hosts, err := s.Hosts()
	if err != nil {
		return nil, nil, err
	}
	dial, err := s.DialAddresses()
	if err != nil {
		return nil, nil, err
	}
	bundle, err := roots.Bundle(ctx, getenv)
	if err != nil {
		return nil, nil, err
	}
	sts, clocks := assembly.NewClient(verify.Config{RootCAs: bundle, Dial: dial, UserAgent: g.UserAgent}, now)
	decider, err = cluster.New(cluster.Config{
		ID:    cmp.Or(g.ClusterID, "any"), // an AWS identity is mapped without one
		Hosts: hosts, Verifier: sts, Denies: m.Denies, Owner: m.Owner, Sources: m.Sources, ReservedPrefixes: m.Reserved,
		Instances: unnamedInstances{}, Clocks: clocks, Now: now,
	})
	if err != nil {
		sts.Close()
		return nil, nil, err
	}
	return decider, sts.Close, nil
}

// Ask asks a cluster.
func Ask(ctx context.Context, c *cluster.Cluster, q explain.Question) authn.Explained {
	if q.Token == "" {
		return c.ExplainPrincipal(ctx, q.Principal)
	}
	return c.Explain(ctx, q.Token)
}

// unnamedInstances stands in for EC2, for which explain has no credentials.
type unnamedInstances struct{}

func (unnamedInstances) PrivateDNSName(_ context.Context, instanceID string) (string, error) {
	return "<private DNS name of " + instanceID + ">", nil
}
