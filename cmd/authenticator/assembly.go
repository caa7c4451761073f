package main

import (
	"context"
	"log/slog"
	"time"

	"github.com/spf13/pflag"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/cluster"
	"github.com/kube-iam/authenticator/internal/deny"
	"github.com/kube-iam/authenticator/internal/limit"
	"github.com/kube-iam/authenticator/internal/metrics"
)

// clusterSettings are the settings of one cluster: those of the flags, or of an item of
// clusters in the configuration file.
type clusterSettings struct {
	stsOptions
	mappingOptions
}

func (s *clusterSettings) addFlags(flags *pflag.FlagSet) {
	s.stsOptions.addFlags(flags)
	s.mappingOptions.addFlags(flags)
}

// An assembly assembles clusters from their settings and from what all clusters of the
// server share.
type assembly struct {
	limiter  *limit.Limiter
	denied   *deny.File
	cacheTTL time.Duration
	metrics  *metrics.Metrics
	log      *slog.Logger
}

// cluster returns the cluster with some settings. The program has its ID, and its
// settings without a flag.
func (a *assembly) cluster(ctx context.Context, p *program, settings *clusterSettings) (*cluster.Cluster, error) {
	if err := settings.mappingOptions.check(); err != nil {
		return nil, err
	}
	hosts, err := settings.hosts()
	if err != nil {
		return nil, err
	}
	names, warnings, err := settings.sources(p.config)
	if err != nil {
		return nil, err
	}
	reserved, more, err := reservedPrefixes(p, names)
	if err != nil {
		return nil, err
	}
	warnings = append(warnings, more...)
	owner, more, err := settings.owner(settings.partition)
	if err != nil {
		return nil, err
	}
	for _, warning := range append(warnings, more...) {
		a.log.Warn(warning)
	}
	instances, err := settings.instances(p, a.metrics.ObserveDescribeInstances(), a.log)
	if err != nil {
		return nil, err
	}
	sources, err := settings.newSources(ctx, p, names, settings.partition, a.metrics, a.log)
	if err != nil {
		return nil, err
	}
	return cluster.New(cluster.Config{
		ID:               p.clusterID,
		Hosts:            hosts,
		Verifier:         a.limiter,
		Cache:            authn.CacheConfig{TTL: a.cacheTTL},
		SignedIn:         a.limiter.SignedIn,
		Denies:           denies(a.denied),
		Owner:            owner,
		Sources:          sources,
		ReservedPrefixes: reserved,
		Instances:        instances,
		ScrubbedAccounts: p.config.ScrubbedAccounts,
		Audit:            a.log,
		Suppressed:       a.metrics.ObserveSuppressedLine(),
	})
}
