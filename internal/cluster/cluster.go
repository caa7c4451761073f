// Package cluster combines everything that decides about the tokens of one cluster:
// its ID, the STS hosts that it trusts, a verifier, its sources of mappings and its
// owner.
package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/skew"
	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/token"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

// Config of [New]. ID, Hosts, Verifier and Owner must be set.
type Config struct {
	// ID is the cluster ID that tokens must be signed for.
	ID string
	// Hosts are the STS hosts that tokens may name.
	Hosts token.Hosts
	// Verifier verifies who signed a token. Clusters may share one.
	Verifier verify.Verifier
	// Cache configures the cache of verified identities.
	Cache authn.CacheConfig
	// SignedIn is called when a token that STS has just verified is mapped. Nil
	// means never.
	SignedIn func(clusterID string, req token.Request)
	// Denies denies principals, ahead of the owner and every source. Nil denies nobody.
	Denies mapper.Denies
	// Owner maps the cluster's owner, ahead of every source.
	Owner mapper.Mapper
	// Sources are the sources of mappings, in the order of their precedence.
	Sources []source.Source
	// VerifyClient verifies the client of a connection that sends a review. Nil accepts
	// every client.
	VerifyClient func(*tls.ConnectionState) error
	// ClientsReady returns nil once VerifyClient can accept clients. Nil means that it
	// always can.
	ClientsReady func() error
	// Follow run with the cluster, and can switch its sources.
	Follow []func(context.Context, *Cluster)
	// ReservedPrefixes are the prefixes that usernames must not have, by source.
	ReservedPrefixes map[string][]string
	// Instances finds the names of EC2 instances. Nil means that a mapping that
	// needs one cannot be resolved.
	Instances mapper.InstanceNames
	// ScrubbedAccounts are the accounts whose identities appear in no log or answer.
	ScrubbedAccounts []string
	// Audit gets a line for every recorded decision, but not all of a flood. Nil discards it.
	Audit *slog.Logger
	// Suppressed is called for every recorded decision of a flood without a line. Nil means
	// never.
	Suppressed func()
	// Clocks compares this machine's clock with that of STS. Nil means that they are never
	// compared.
	Clocks *skew.Meter
	// Now is the clock. Nil means time.Now.
	Now func() time.Time
}

// Cluster decides about the tokens of one cluster. It is safe for concurrent use.
type Cluster struct {
	id            string
	config        Config
	chain         atomic.Pointer[chain]
	authenticator *authn.Authenticator
	// decided counts the decisions. The map never changes.
	decided map[authn.Outcome]*atomic.Int64

	// switching is held while the sources in force change.
	switching sync.Mutex

	mu sync.Mutex
	// ctx is that of Run; nil while it does not run.
	ctx context.Context
	// stops has the functions that stop the running sources.
	stops   map[source.Source]context.CancelFunc
	running sync.WaitGroup
}

// New returns a cluster. [Cluster.Run] follows its sources.
func New(config Config) (*Cluster, error) {
	if config.Owner == nil {
		return nil, errors.New("creating a cluster: Owner is required")
	}
	c := &Cluster{id: config.ID, config: config, stops: map[source.Source]context.CancelFunc{}, decided: map[authn.Outcome]*atomic.Int64{}}
	for _, outcome := range authn.Outcomes() {
		c.decided[outcome] = new(atomic.Int64)
	}
	c.chain.Store(newChain(config, config.Sources))
	var err error
	c.authenticator, err = authn.New(authn.Config{
		ClusterID:        config.ID,
		Hosts:            config.Hosts,
		Verifier:         config.Verifier,
		Mapper:           mapper.Func(c.mapPrincipal),
		Cache:            config.Cache,
		SignedIn:         config.SignedIn,
		NamesAccount:     c.namesAccount,
		ScrubbedAccounts: config.ScrubbedAccounts,
		Audit:            config.Audit,
		Suppressed:       config.Suppressed,
		Clocks:           config.Clocks,
		Now:              config.Now,
	})
	if err != nil {
		return nil, fmt.Errorf("creating cluster %q: %w", config.ID, err)
	}
	return c, nil
}

// Mapper returns the mapper with which the cluster of a configuration decides. It asks
// the deny file, then the owner, then the entries of every source, then the accounts of
// every source: an entry for a principal always comes before an account.
func Mapper(config Config) mapper.Mapper {
	entries, accounts := []mapper.Mapper{config.Owner}, []mapper.Mapper{}
	for _, s := range config.Sources {
		table := func() *mapper.Table { return s.Current().Table }
		reserved := config.ReservedPrefixes[s.Name()]
		entries = append(entries, mapper.Reserve(mapper.Entries(table, config.Instances), reserved))
		accounts = append(accounts, mapper.Reserve(mapper.Accounts(table), reserved))
	}
	chain := mapper.First(append(entries, accounts...)...)
	if config.Denies == nil {
		return chain
	}
	return mapper.Deny(config.Denies, chain)
}

// mapPrincipal maps a principal by the sources in force.
func (c *Cluster) mapPrincipal(ctx context.Context, principal identity.Principal, trace *mapper.Trace) (mapper.Match, bool, error) {
	return c.chain.Load().mapper.Map(ctx, principal, trace)
}

// namesAccount reports whether a mapping of a source names an AWS account.
func (c *Cluster) namesAccount(id string) bool {
	return slices.ContainsFunc(c.Sources(), func(s source.Source) bool {
		table := s.Current().Table
		return table != nil && table.NamesAccount(id)
	})
}

// ID returns the ID of the cluster.
func (c *Cluster) ID() string { return c.id }

// Sources returns the sources of mappings in force, in the order of their precedence.
func (c *Cluster) Sources() []source.Source { return c.chain.Load().sources }

// VerifyClient returns why the client of a connection may not send reviews for the
// cluster; nil if it may.
func (c *Cluster) VerifyClient(connection *tls.ConnectionState) error {
	if c.config.VerifyClient == nil {
		return nil
	}
	return c.config.VerifyClient(connection)
}

// Authenticate decides about a token. It does not record the decision; the caller calls
// Record.
func (c *Cluster) Authenticate(ctx context.Context, bearer string) *authn.Decision {
	return c.authenticator.Authenticate(ctx, bearer)
}

// Record counts a decision and logs it. If no mapping matches the identity, it reports that
// to the sources.
func (c *Cluster) Record(decision *authn.Decision) {
	c.authenticator.Record(decision)
	c.decided[decision.Outcome].Add(1)
	if decision.Outcome == authn.Unmapped && !decision.Foreign && !decision.Scrubbed {
		c.reportUnmapped(decision.Identity.Principal().CanonicalARN)
	}
}

func (c *Cluster) reportUnmapped(canonicalARN string) {
	for _, s := range c.Sources() {
		if reporter, ok := s.(source.UnmappedReporter); ok {
			reporter.Unmapped(canonicalARN)
		}
	}
}

// Decided returns how many decisions had an outcome.
func (c *Cluster) Decided(outcome authn.Outcome) int64 {
	if count := c.decided[outcome]; count != nil {
		return count.Load()
	}
	return 0
}

// Explain decides about a token as Authenticate does, and returns how.
func (c *Cluster) Explain(ctx context.Context, bearer string) authn.Explained {
	return c.authenticator.Explain(ctx, bearer)
}

// ExplainPrincipal decides about a principal as if it had sent a valid token.
func (c *Cluster) ExplainPrincipal(ctx context.Context, principal identity.Principal) authn.Explained {
	return c.authenticator.ExplainPrincipal(ctx, principal)
}

// Run follows the sources until ctx is done, and then logs how many recorded decisions have
// no line. It must be called once.
func (c *Cluster) Run(ctx context.Context) {
	defer c.authenticator.Flush()
	c.mu.Lock()
	c.ctx = ctx
	c.mu.Unlock()
	c.start(c.Sources())
	for _, follow := range c.config.Follow {
		c.running.Go(func() { follow(ctx, c) })
	}
	<-ctx.Done()
	c.mu.Lock()
	c.ctx = nil // nothing starts any more
	c.mu.Unlock()
	c.running.Wait()
}

// Ready returns nil once all sources were read, and clients can be verified. Its error
// says what is missing.
func (c *Cluster) Ready() error {
	err := ready(c.Sources())
	if c.config.ClientsReady != nil {
		err = errors.Join(err, c.config.ClientsReady())
	}
	return err
}
