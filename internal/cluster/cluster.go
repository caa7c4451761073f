// Package cluster puts together what decides about the tokens of one cluster: its
// ID, the STS hosts it trusts, a verifier, its sources of mappings, its owner.
package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/token"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

// Config of [New]. ID, Hosts, Verifier and Owner must be set.
type Config struct {
	// ID of the cluster, which every token for it is signed for.
	ID string
	// Hosts that tokens may name.
	Hosts token.Hosts
	// Verifier finds out who signed a token. Clusters may share one.
	Verifier verify.Verifier
	// Cache says how long verified identities are remembered.
	Cache authn.CacheConfig
	// SignedIn is called when a token that STS has just verified is mapped. Nil
	// means never.
	SignedIn func(clusterID string, req token.Request)
	// Owner maps the cluster's owner, ahead of every source.
	Owner mapper.Mapper
	// Sources of mappings, in the order in which they are asked.
	Sources []source.Source
	// ReservedPrefixes are those that usernames may not begin with, by the name
	// of the source.
	ReservedPrefixes map[string][]string
	// Instances finds the names of EC2 instances. Nil means that a mapping that
	// needs one cannot be resolved.
	Instances mapper.InstanceNames
	// ScrubbedAccounts are those whose identities appear in no log and no answer.
	ScrubbedAccounts []string
	// Audit gets a line for every decision. Nil means nowhere.
	Audit *slog.Logger
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Cluster decides about the tokens of one cluster. It is safe for concurrent use.
type Cluster struct {
	id            string
	sources       []source.Source
	authenticator *authn.Authenticator
}

// New makes a cluster. Its sources are followed once [Cluster.Run] runs.
func New(config Config) (*Cluster, error) {
	if config.Owner == nil {
		return nil, errors.New("making a cluster: its owner is not given")
	}
	authenticator, err := authn.New(authn.Config{
		ClusterID:        config.ID,
		Hosts:            config.Hosts,
		Verifier:         config.Verifier,
		Mapper:           chain(config),
		Cache:            config.Cache,
		SignedIn:         config.SignedIn,
		ScrubbedAccounts: config.ScrubbedAccounts,
		Audit:            config.Audit,
		Now:              config.Now,
	})
	if err != nil {
		return nil, fmt.Errorf("making cluster %q: %w", config.ID, err)
	}
	return &Cluster{config.ID, config.Sources, authenticator}, nil
}

// chain asks the owner, then every source's entries, then their accounts: an
// account never comes before an entry that was written for the principal.
func chain(config Config) mapper.Mapper {
	entries, accounts := []mapper.Mapper{config.Owner}, []mapper.Mapper{}
	for _, s := range config.Sources {
		table := func() *mapper.Table { return s.Current().Table }
		reserved := config.ReservedPrefixes[s.Name()]
		entries = append(entries, mapper.Reserve(mapper.Entries(table, config.Instances), reserved))
		accounts = append(accounts, mapper.Reserve(mapper.Accounts(table), reserved))
	}
	return mapper.First(append(entries, accounts...)...)
}

// ID of the cluster.
func (c *Cluster) ID() string { return c.id }

// Sources of the cluster's mappings, in the order in which they are asked.
func (c *Cluster) Sources() []source.Source { return c.sources }

// Authenticate decides about a token.
func (c *Cluster) Authenticate(ctx context.Context, bearer string) authn.Decision {
	return c.authenticator.Authenticate(ctx, bearer)
}

// Run follows the sources until ctx is done.
func (c *Cluster) Run(ctx context.Context) {
	var running sync.WaitGroup
	for _, s := range c.sources {
		running.Go(func() { s.Run(ctx) })
	}
	running.Wait()
}

// Ready returns an error that names the sources that were not read yet.
func (c *Cluster) Ready() error {
	var missing []error
	for _, s := range c.sources {
		if s.Current().Table == nil {
			missing = append(missing, fmt.Errorf("source %s is not read yet", s.Name()))
		}
	}
	return errors.Join(missing...)
}
