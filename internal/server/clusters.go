package server

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"sync"

	"github.com/kube-iam/authenticator/internal/admission"
	"github.com/kube-iam/authenticator/internal/assembly"
	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/cluster"
	"github.com/kube-iam/authenticator/internal/config"
	"github.com/kube-iam/authenticator/internal/file"
	"github.com/kube-iam/authenticator/internal/metrics"
	"github.com/kube-iam/authenticator/internal/settings"
	"github.com/kube-iam/authenticator/internal/source"
)

const (
	// allCached bounds the verified identities in the caches of all clusters, roughly:
	// a cluster gets an equal share when it is added.
	allCached = 64 << 10
	// maxCached and minCached bound the share of one cluster.
	maxCached, minCached = 4096, 64
)

// clusters are the clusters of a server: one with the settings of the flags, or those in
// the configuration file, which may change while the server runs.
type clusters struct {
	*cluster.Set[*assembly.Parts]
	assembly.Shared
	// flags are the settings of the single cluster. Of several clusters they have only
	// the trusted STS endpoint.
	flags *settings.Cluster
	// several is set if the clusters are those of the configuration file.
	several bool
	// writeKubeconfig writes the kubeconfig of a cluster's kube-apiserver. It is set once
	// the server has a certificate.
	writeKubeconfig func(*settings.Cluster) error
	follower        *file.Follower
}

// newClusters returns the clusters, without any yet.
func newClusters(flags *settings.Cluster, log *slog.Logger) *clusters {
	c := &clusters{
		Set: cluster.NewSet[*assembly.Parts](log), flags: flags, several: len(flags.General.File.Clusters) > 0,
		writeKubeconfig: func(*settings.Cluster) error { return nil },
	}
	c.follower = file.Follow(file.Config{
		Path: flags.General.ConfigPath, Limit: file.MaxMappings, Log: log,
		Whole: func(content []byte) bool { _, err := readClusters(content); return err == nil },
	})
	return c
}

// all returns the settings of every cluster, in the order of the file.
func (c *clusters) all(read *config.File) ([]*settings.Cluster, error) {
	if !c.several {
		return []*settings.Cluster{c.flags}, nil
	}
	return c.flags.Clusters(read)
}

// assemble makes the server serve the clusters of the configuration that it started with.
func (c *clusters) assemble(ctx context.Context, shared assembly.Shared) error {
	if c.Shared = shared; c.several {
		return c.apply(ctx, c.flags.General.File)
	}
	id := c.flags.General.ClusterID
	return c.Apply([]cluster.Item[*assembly.Parts]{{ID: id, New: func() (*assembly.Parts, error) { return shared.New(ctx, c.flags) }}}, id)
}

// apply makes the server serve the clusters of a configuration file.
func (c *clusters) apply(ctx context.Context, read *config.File) error {
	all, err := c.all(read)
	if err != nil {
		return err
	}
	shared, defaultID := c.Shared, ""
	shared.Cache.Size = min(maxCached, max(minCached, allCached/len(all)))
	var items []cluster.Item[*assembly.Parts]
	for i, item := range read.Clusters {
		if item.Default {
			defaultID = item.ID
		}
		items = append(items, cluster.Item[*assembly.Parts]{ID: item.ID, Version: item.Version, New: func() (*assembly.Parts, error) {
			own := shared
			own.Log = shared.Log.With("cluster", item.ID)
			made, err := own.New(ctx, all[i])
			if err != nil {
				return nil, c.flags.General.Failed(item, err)
			}
			_ = c.Use(item.ID, func(served *assembly.Parts) { made.Guard.Continue(served.Guard) })
			return made, nil
		}, Begin: func() error {
			if err := c.writeKubeconfig(all[i]); err != nil {
				return c.flags.General.Failed(item, err)
			}
			return nil
		}})
	}
	if err := c.Apply(items, defaultID); err != nil {
		return err
	}
	for _, own := range all {
		own.General.Item = nil // its nodes take many times the memory of the text
	}
	return nil
}

// authenticate returns a function that decides about a token for the cluster with an ID, and
// adds the decision to a backlog.
func (c *clusters) authenticate(b *backlog) func(ctx context.Context, id, bearer string) (*authn.Decision, error) {
	return func(ctx context.Context, id, bearer string) (decision *authn.Decision, err error) {
		err = c.Use(id, func(served *assembly.Parts) {
			decision = served.Authenticate(ctx, bearer)
			b.add(unrecorded{served, decision})
		})
		return decision, err
	}
}

// guard returns a function that returns the guard of the cluster with an ID; nil if there is
// no such cluster. It first records the decisions in a backlog: a node that has just signed in
// is in use.
func (c *clusters) guard(b *backlog) func(id string) *admission.Guard {
	return func(id string) (guard *admission.Guard) {
		b.flush()
		// An unknown cluster has no guard.
		_ = c.Use(id, func(served *assembly.Parts) { guard = served.Guard.With(served.Sources()) })
		return guard
	}
}

// Name returns the name of what a SIGHUP rereads.
func (c *clusters) Name() string { return "clusters" }

// Reread makes the server read the clusters of the configuration file again soon.
func (c *clusters) Reread() { c.follower.Reread() }

// readClusters reads a configuration file that must have clusters.
func readClusters(content []byte) (*config.File, error) {
	read, _, err := config.Parse(content)
	if err == nil && len(read.Clusters) == 0 {
		err = errors.New("it has no clusters any more (a server that serves several needs at least one)")
	}
	return read, err
}

// run serves the clusters, and follows the configuration file if they are in it.
func (c *clusters) run(ctx context.Context) {
	var running sync.WaitGroup
	running.Go(func() { c.Run(ctx) })
	if c.several {
		started := c.flags.General.File.Rest()
		c.flags.General.File.Clusters = nil // the nodes in it take many times the memory of the text
		running.Go(func() {
			c.follower.Run(ctx, func(content []byte, err error) { c.changed(ctx, content, err, started) })
		})
	}
	running.Wait()
}

// changed takes a version of the configuration file. An invalid one changes nothing.
func (c *clusters) changed(ctx context.Context, content []byte, err error, started map[string]string) {
	var read *config.File
	if err == nil {
		read, err = readClusters(content)
	}
	if err == nil {
		err = c.apply(ctx, read)
	}
	c.Metrics.SetClustersInvalid(err != nil)
	if err != nil {
		c.Log.Error("the configuration file is invalid: the clusters in force stay, and a restart would fail", "file", c.flags.General.ConfigPath, "error", err)
		return
	}
	c.Log.Info("read the clusters of the configuration file", "file", c.flags.General.ConfigPath, "clusters", len(read.Clusters))
	for _, warning := range read.Warnings {
		c.Log.Warn("part of the configuration file has no effect", "file", c.flags.General.ConfigPath, "warning", warning.Error())
	}
	if !maps.Equal(started, read.Rest()) {
		c.Log.Warn("the configuration file changed outside of clusters: that takes effect only after a restart", "file", c.flags.General.ConfigPath)
	}
}

// rereaders returns what follows a file.
func (c *clusters) rereaders() (files []rereader) {
	if c.several {
		files = append(files, c)
	}
	for _, followed := range c.All() {
		if followed.Modes != nil {
			files = append(files, followed.Modes)
		}
		if followed.Clients != nil {
			files = append(files, followed.Clients)
		}
		for _, s := range followed.Sources() {
			if s, ok := s.(source.Rereader); ok {
				files = append(files, s)
			}
		}
	}
	if c.Denied != nil {
		files = append(files, c.Denied)
	}
	if c.Clients != nil {
		files = append(files, c.Clients)
	}
	return files
}

// ready returns nil once the server can answer for its clusters.
func (c *clusters) ready() error {
	if c.several {
		return c.Started()
	}
	return c.Ready("")
}

// readyOf is the readiness of one cluster.
func (c *clusters) readyOf(id string) (known bool, err error) {
	err = c.Ready(id)
	return !errors.Is(err, cluster.ErrUnknown), err
}

// forMetrics calls a function for every cluster.
func (c *clusters) forMetrics(f func(metrics.Cluster)) {
	for _, served := range c.Clusters() {
		f(served)
	}
}
