// Package assembly makes the parts of a cluster from its settings: its sources, what asks
// STS for it, and the guard of its mappings.
package assembly

import (
	"cmp"
	"context"
	"log/slog"
	"slices"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/backendmode"
	"github.com/kube-iam/authenticator/internal/certificate"
	"github.com/kube-iam/authenticator/internal/cluster"
	"github.com/kube-iam/authenticator/internal/deny"
	"github.com/kube-iam/authenticator/internal/limit"
	"github.com/kube-iam/authenticator/internal/metrics"
	"github.com/kube-iam/authenticator/internal/settings"
	"github.com/kube-iam/authenticator/internal/skew"
	"github.com/kube-iam/authenticator/internal/source"
)

// Shared is what all clusters of a server share.
type Shared struct {
	Limiter *limit.Limiter
	Denied  *deny.File
	// Clients verifies the clients of clusters without CAs of their own. Nil accepts every
	// client.
	Clients *certificate.Clients
	// Patient makes clusters whose files are missing, too. They are not ready until the
	// files can be read.
	Patient bool
	Cache   authn.CacheConfig
	Clocks  *skew.Meter
	Metrics *metrics.Metrics
	Log     *slog.Logger
}

// Parts are a cluster and what belongs to it.
type Parts struct {
	*cluster.Cluster
	// Settings are those that it was made of.
	Settings *settings.Cluster
	// Guard judges the edits of its mappings.
	Guard *Guard
	// Modes follows the file of the backend mode; nil if there is none.
	Modes *backendmode.File
	// Clients verifies its clients, with CAs of its own; nil if it has none.
	Clients *certificate.Clients
}

// New returns the parts of the cluster with some settings.
func (a Shared) New(ctx context.Context, s *settings.Cluster) (*Parts, error) {
	g := s.General
	if err := s.Check(); err != nil {
		return nil, err
	}
	hosts, err := s.Hosts()
	if err != nil {
		return nil, err
	}
	making := Sources{General: g, Mapping: &s.Mapping, Partition: s.Partition, Metrics: a.Metrics, Log: a.Log}
	modes := making.Modes(ctx)
	names, warnings, err := making.Names(modes)
	if err != nil {
		return nil, err
	}
	usable := names
	if modes != nil {
		usable = append(settings.BackendNames(), names...)
	}
	reserved, more, err := g.ReservedPrefixes(usable)
	if err != nil {
		return nil, err
	}
	making.Reserved = reserved
	warnings = append(warnings, more...)
	owner, more, err := s.Owner(s.Partition)
	if err != nil {
		return nil, err
	}
	for _, warning := range slices.Concat(warnings, more, s.Warnings()) {
		a.Log.Warn(warning)
	}
	instances, err := making.instances()
	if err != nil {
		return nil, err
	}
	var sources []source.Source
	follow := making.follow(modes)
	for _, name := range names {
		made, err := making.New(ctx, name)
		if err != nil && a.Patient && making.readsFile(name) {
			missing := source.NewMissing(name, err)
			made, err, follow = missing, nil, append(follow, making.create(missing))
		}
		if err != nil {
			return nil, err
		}
		sources = append(sources, made)
	}
	clients, err := a.newOwnClients(ctx, s.OwnClientCA)
	if err != nil {
		return nil, err
	}
	config := cluster.Config{
		ID:               g.ClusterID,
		Hosts:            hosts,
		Verifier:         a.Limiter,
		Cache:            a.Cache,
		SignedIn:         a.Limiter.SignedIn,
		Denies:           Denies(a.Denied),
		Owner:            owner,
		Sources:          sources,
		VerifyClient:     verifyClient(cmp.Or(clients, a.Clients)),
		ClientsReady:     clientsReady(clients),
		Follow:           append(follow, followClients(clients)...),
		ReservedPrefixes: reserved,
		Instances:        instances,
		ScrubbedAccounts: g.File.ScrubbedAccounts,
		Audit:            a.Log,
		Suppressed:       a.Metrics.ObserveSuppressedLine(),
		Clocks:           a.Clocks,
	}
	served, err := cluster.New(config)
	if err != nil {
		return nil, err
	}
	reading, err := g.Reading(settings.BackendEKSConfigMap, s.Partition, s.RolePaths)
	if err != nil {
		return nil, err
	}
	return &Parts{Cluster: served, Settings: s, Guard: newGuard(config, reading), Modes: modes, Clients: clients}, nil
}
