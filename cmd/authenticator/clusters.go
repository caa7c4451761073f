package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/spf13/pflag"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/cluster"
	"github.com/kube-iam/authenticator/internal/config"
	"github.com/kube-iam/authenticator/internal/file"
	"github.com/kube-iam/authenticator/internal/kubeconfig"
	"github.com/kube-iam/authenticator/internal/metrics"
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
	*cluster.Set
	assembly
	program *program
	// flags are the settings of the single cluster. Of several clusters they have only
	// the trusted STS endpoint.
	flags *clusterSettings
	// several is set if the clusters are those of the configuration file.
	several bool
	// guards are those of the clusters that were applied last, by ID.
	guards atomic.Pointer[map[string]*guard]
	// settings are those of the clusters that were applied last, by ID.
	settings atomic.Pointer[map[string]*clusterSettings]
	// writeKubeconfig writes the kubeconfig of a cluster's kube-apiserver. It is set once
	// the server has a certificate.
	writeKubeconfig func(*clusterSettings) error
	follower        *file.Follower
}

// newClusters returns the clusters, without any yet.
func newClusters(p *program, flags *clusterSettings, log *slog.Logger) *clusters {
	c := &clusters{
		Set: cluster.NewSet(log), program: p, flags: flags, several: len(p.config.Clusters) > 0,
		writeKubeconfig: func(*clusterSettings) error { return nil },
	}
	flags.program = p
	c.follower = file.Follow(file.Config{
		Path: p.configPath, Limit: file.MaxMappings, Log: log,
		Whole: func(content []byte) bool { _, err := readClusters(content); return err == nil },
	})
	return c
}

// all returns the settings of every cluster, in the order of the file.
func (c *clusters) all(read *config.File) ([]*clusterSettings, error) {
	if !c.several {
		return []*clusterSettings{c.flags}, nil
	}
	var all []*clusterSettings
	for _, item := range read.Clusters {
		settings, err := c.settingsOf(item)
		if err != nil {
			return nil, c.failed(item, err)
		}
		all = append(all, settings)
	}
	return all, c.checkKubeconfigs(read, all)
}

// checkKubeconfigs returns an error if two clusters share a kubeconfig: the users of one
// would sign in to the other.
func (c *clusters) checkKubeconfigs(read *config.File, all []*clusterSettings) error {
	owners := map[string]string{}
	for i, settings := range all {
		path := settings.ownKubeconfig
		if path == "" {
			continue
		}
		path = filepath.Clean(path)
		if owner, shared := owners[path]; shared {
			return c.failed(read.Clusters[i], fmt.Errorf("generateKubeconfig: %s is that of cluster %q, too (give each cluster a file of its own)", path, owner))
		}
		owners[path] = settings.program.clusterID
	}
	return nil
}

// assemble makes the server serve the clusters of the configuration that it started with.
func (c *clusters) assemble(ctx context.Context, shared assembly) error {
	if c.assembly = shared; c.several {
		return c.apply(ctx, c.program.config)
	}
	id := c.program.clusterID
	c.settings.Store(&map[string]*clusterSettings{id: c.flags})
	return c.Apply([]cluster.Item{{ID: id, New: func() (*cluster.Cluster, error) {
		created, guarding, err := shared.cluster(ctx, c.flags)
		c.guards.Store(&map[string]*guard{id: guarding})
		return created, err
	}}}, id)
}

// apply makes the server serve the clusters of a configuration file.
func (c *clusters) apply(ctx context.Context, read *config.File) error {
	all, err := c.all(read)
	if err != nil {
		return err
	}
	shared, byID, defaultID := c.assembly, map[string]*clusterSettings{}, ""
	shared.cache.Size = min(maxCached, max(minCached, allCached/len(all)))
	guards := map[string]*guard{}
	var items []cluster.Item
	for i, item := range read.Clusters {
		if byID[item.ID] = all[i]; item.Default {
			defaultID = item.ID
		}
		guards[item.ID] = c.guard(item.ID)
		items = append(items, cluster.Item{ID: item.ID, Version: item.Version, New: func() (*cluster.Cluster, error) {
			own := shared
			own.log = shared.log.With("cluster", item.ID)
			created, guarding, err := own.cluster(ctx, all[i])
			if err == nil {
				err = c.writeKubeconfig(all[i])
			}
			if err != nil {
				return nil, c.failed(item, err)
			}
			guards[item.ID] = guarding
			return created, nil
		}})
	}
	if err := c.Apply(items, defaultID); err != nil {
		return err
	}
	for _, settings := range all {
		settings.program.item = nil // its nodes take many times the memory of the text
	}
	c.settings.Store(&byID)
	c.guards.Store(&guards)
	return nil
}

// guard returns the guard of the cluster with an ID; nil if there is no such cluster.
func (c *clusters) guard(id string) *guard {
	if guards := c.guards.Load(); guards != nil {
		return (*guards)[id]
	}
	return nil
}

func (c *clusters) failed(item *config.Cluster, err error) error {
	return cli.Usagef("reading the configuration %s: line %d: cluster %q: %w", c.program.configPath, item.Line, item.ID, err)
}

// settingsOf returns the settings of an item of clusters.
func (c *clusters) settingsOf(item *config.Cluster) (*clusterSettings, error) {
	own := *c.program
	own.clusterID, own.config, own.item = item.ID, item.Settings, item
	s := &clusterSettings{program: &own}
	flags := pflag.NewFlagSet(item.ID, pflag.ContinueOnError)
	s.addFlags(flags)
	flags.StringVar(&s.ownKubeconfig, "generate-kubeconfig", "", "")
	addClientFlags(flags, &s.ownClient)
	for _, value := range item.Settings.Values {
		if err := setDefault(flags, value.Flag, value.Text); err != nil {
			return nil, fmt.Errorf("%s: %w", strings.TrimPrefix(value.Key, "server."), err)
		}
	}
	if err := checkClient(s.ownClient); err != nil {
		return nil, err
	}
	s.backendModesGiven = flags.Changed("backend-mode")
	s.stsEndpoint, s.stsEndpointDial = c.flags.stsEndpoint, c.flags.stsEndpointDial
	return s, nil
}

// checkNoClusterFlags returns an error if a flag of the command line is about one
// cluster, but the configuration has several: the flag would be ignored.
func checkNoClusterFlags(flags *pflag.FlagSet) error {
	own := pflag.NewFlagSet("", pflag.ContinueOnError)
	(&clusterSettings{}).addFlags(own)
	addClientFlags(own, &kubeconfig.Client{})
	var given error
	flags.Visit(func(flag *pflag.Flag) {
		ofCluster := own.Lookup(flag.Name) != nil || flag.Name == "cluster-id" || flag.Name == "generate-kubeconfig" || flag.Name == "kubeconfig-pregenerated"
		if ofCluster && !slices.Contains([]string{denyFlag, "sts-endpoint", "sts-endpoint-dial"}, flag.Name) {
			given = cli.Usagef("--%s is for one cluster, and the configuration has clusters: set it in their items", flag.Name)
		}
	})
	return given
}

// namedHosts returns the STS hosts that the settings of clusters name, and their regions.
// The most important hosts of all clusters come first.
func namedHosts(all []*clusterSettings) (hosts, regions []string) {
	var lists [][]string
	for _, settings := range all {
		lists, regions = append(lists, settings.namedHosts()), append(regions, settings.stsRegions...)
	}
	for i := 0; len(lists) > 0; i++ {
		lists = slices.DeleteFunc(lists, func(list []string) bool { return i >= len(list) })
		for _, list := range lists {
			if !slices.Contains(hosts, list[i]) {
				hosts = append(hosts, list[i])
			}
		}
	}
	return hosts, regions
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
		started := c.program.config.Rest()
		c.program.config.Clusters = nil // the nodes in it take many times the memory of the text
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
	c.metrics.SetClustersInvalid(err != nil)
	if err != nil {
		c.log.Error("the configuration file is invalid: the clusters in force stay, and a restart would fail", "file", c.program.configPath, "error", err)
		return
	}
	c.log.Info("read the clusters of the configuration file", "file", c.program.configPath, "clusters", len(read.Clusters))
	for _, warning := range read.Warnings {
		c.log.Warn("part of the configuration file has no effect", "file", c.program.configPath, "warning", warning.Error())
	}
	if !maps.Equal(started, read.Rest()) {
		c.log.Warn("the configuration file changed outside of clusters: that takes effect only after a restart", "file", c.program.configPath)
	}
}

// rereaders returns what follows a file.
func (c *clusters) rereaders() (files []rereader) {
	if c.several {
		files = append(files, c)
	}
	if settings := c.settings.Load(); settings != nil {
		for _, s := range *settings {
			if s.modes != nil {
				files = append(files, s.modes)
			}
		}
	}
	for _, served := range c.Clusters() {
		for _, s := range served.Sources() {
			if s, ok := s.(source.Rereader); ok {
				files = append(files, s)
			}
		}
	}
	if c.denied != nil {
		files = append(files, c.denied)
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
