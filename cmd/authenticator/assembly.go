package main

import (
	"context"
	"log/slog"

	"github.com/spf13/pflag"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/backendmode"
	"github.com/kube-iam/authenticator/internal/cluster"
	"github.com/kube-iam/authenticator/internal/deny"
	"github.com/kube-iam/authenticator/internal/kubeconfig"
	"github.com/kube-iam/authenticator/internal/limit"
	"github.com/kube-iam/authenticator/internal/metrics"
	"github.com/kube-iam/authenticator/internal/skew"
)

// clusterSettings are the settings of one cluster: those of the flags, or of an item of
// clusters in the configuration file.
type clusterSettings struct {
	// program has the ID of the cluster, and its settings that have no flag.
	program *program
	stsOptions
	mappingOptions
	// ownKubeconfig is the file for the kubeconfig of the kube-apiserver of an item, and
	// ownClient the client certificate in it.
	ownKubeconfig string
	ownClient     kubeconfig.Client
	// modes follows the file of the backend mode; nil if there is none.
	modes *backendmode.File
}

func (s *clusterSettings) addFlags(flags *pflag.FlagSet) {
	s.stsOptions.addFlags(flags)
	s.mappingOptions.addFlags(flags)
}

// An assembly assembles clusters from their settings and from what all clusters of the
// server share.
type assembly struct {
	limiter *limit.Limiter
	denied  *deny.File
	cache   authn.CacheConfig
	clocks  *skew.Meter
	metrics *metrics.Metrics
	log     *slog.Logger
}

// cluster returns the cluster with some settings, and the guard of its aws-auth.
func (a *assembly) cluster(ctx context.Context, s *clusterSettings) (*cluster.Cluster, *guard, error) {
	p := s.program
	if err := s.check(); err != nil {
		return nil, nil, err
	}
	hosts, err := s.hosts()
	if err != nil {
		return nil, nil, err
	}
	s.modes = s.newBackendMode(ctx, p, a.metrics, a.log)
	names, warnings, err := s.presentSources(p, s.modes)
	if err != nil {
		return nil, nil, err
	}
	usable := names
	if s.modes != nil {
		usable = append(backendNames(), names...)
	}
	reserved, more, err := reservedPrefixes(p, usable)
	if err != nil {
		return nil, nil, err
	}
	warnings = append(warnings, more...)
	owner, more, err := s.owner(s.partition)
	if err != nil {
		return nil, nil, err
	}
	for _, warning := range append(warnings, more...) {
		a.log.Warn(warning)
	}
	instances, err := s.instances(p, a.metrics.ObserveDescribeInstances(), a.log)
	if err != nil {
		return nil, nil, err
	}
	sources, err := s.newSources(ctx, p, names, reserved, s.partition, a.metrics, a.log)
	if err != nil {
		return nil, nil, err
	}
	config := cluster.Config{
		ID:               p.clusterID,
		Hosts:            hosts,
		Verifier:         a.limiter,
		Cache:            a.cache,
		SignedIn:         a.limiter.SignedIn,
		Denies:           denies(a.denied),
		Owner:            owner,
		Sources:          sources,
		Follow:           s.followModes(ctx, a, reserved),
		ReservedPrefixes: reserved,
		Instances:        instances,
		ScrubbedAccounts: p.config.ScrubbedAccounts,
		Audit:            a.log,
		Suppressed:       a.metrics.ObserveSuppressedLine(),
		Clocks:           a.clocks,
	}
	served, err := cluster.New(config)
	if err != nil {
		return nil, nil, err
	}
	reading, err := p.readingOptions(backendEKSConfigMap, s.partition, s.rolePaths)
	if err != nil {
		return nil, nil, err
	}
	return served, newGuard(config, reading), nil
}
