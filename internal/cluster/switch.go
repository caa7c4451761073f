package cluster

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// A chain is the sources of a cluster in force, and the mapper that asks them. It never
// changes.
type chain struct {
	sources []source.Source
	mapper  mapper.Mapper
}

func newChain(config Config, sources []source.Source) *chain {
	config.Sources = sources
	return &chain{sources, Mapper(config)}
}

// ErrNotRunning means that a cluster cannot switch its sources because it does not run.
var ErrNotRunning = errors.New("the cluster is not running")

// Switch puts other sources in force, by their names, while the cluster runs. Those that
// are in force already stay. It creates the others and waits until they have been read,
// ten seconds at most: until then the old sources decide, and after an error too.
func (c *Cluster) Switch(ctx context.Context, names []string, create func(name string) (source.Source, error)) error {
	c.switching.Lock()
	defer c.switching.Unlock()
	before := c.chain.Load().sources
	var sources, created []source.Source
	for _, name := range names {
		i := slices.IndexFunc(before, func(s source.Source) bool { return s.Name() == name })
		if i >= 0 {
			sources = append(sources, before[i])
			continue
		}
		s, err := create(name)
		if err != nil {
			return fmt.Errorf("creating source %s: %w", name, err)
		}
		sources, created = append(sources, s), append(created, s)
	}
	if !c.start(created) {
		return ErrNotRunning
	}
	if err := awaitRead(ctx, created); err != nil {
		c.stop(created)
		return err
	}
	c.chain.Store(newChain(c.config, sources))
	c.stop(slices.DeleteFunc(slices.Clone(before), func(s source.Source) bool { return slices.Contains(sources, s) }))
	return nil
}

// Replace puts a source in the place of another in force, at once. It does nothing if the
// other is not in force any more.
func (c *Cluster) Replace(old, with source.Source) {
	c.switching.Lock()
	defer c.switching.Unlock()
	sources := slices.Clone(c.chain.Load().sources)
	i := slices.Index(sources, old)
	if i < 0 || !c.start([]source.Source{with}) {
		return
	}
	sources[i] = with
	c.chain.Store(newChain(c.config, sources))
	c.stop([]source.Source{old})
}

// awaitRead waits until sources have been read.
func awaitRead(ctx context.Context, sources []source.Source) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ticker := time.NewTicker(readyPeriod)
	defer ticker.Stop()
	for {
		err := ready(sources)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-ticker.C:
		}
	}
}

// ready returns nil once all sources were read. Its error names the missing ones.
func ready(sources []source.Source) error {
	var missing []error
	for _, s := range sources {
		if s.Current().Table == nil {
			missing = append(missing, fmt.Errorf("source %s is not read yet", s.Name()))
		}
	}
	return errors.Join(missing...)
}

// start runs sources, and reports whether the cluster runs.
func (c *Cluster) start(sources []source.Source) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx == nil {
		return false
	}
	for _, s := range sources {
		ctx, stop := context.WithCancel(c.ctx)
		c.stops[s] = stop
		c.running.Go(func() { s.Run(ctx) })
	}
	return true
}

// stop stops sources.
func (c *Cluster) stop(sources []source.Source) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range sources {
		if stop := c.stops[s]; stop != nil {
			stop()
			delete(c.stops, s)
		}
	}
}
