package cluster

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

const (
	// readyPeriod is how often a cluster that replaces another is asked whether it has
	// read its sources.
	readyPeriod = 100 * time.Millisecond
	// patience is how long a replacement may take to read its sources before the log
	// says that it does not, and how long a server that starts waits for its clusters.
	patience = 10 * time.Second
)

// ErrUnknown means that the set has no cluster with an ID.
var ErrUnknown = errors.New("this server has no such cluster")

// Served is what a [Set] serves: a [Cluster], or what embeds one.
type Served interface {
	ID() string
	Run(ctx context.Context)
	Ready() error
	Sources() []source.Source
	VerifyClient(connection *tls.ConnectionState) error
}

// An Item is a cluster that a [Set] is to serve.
type Item[C Served] struct {
	ID string
	// Version identifies the settings. An item whose version did not change keeps its
	// cluster.
	Version string
	// New returns a new cluster with the settings.
	New func() (C, error)
	// Begin is called once the new clusters of all items were created, before the new one
	// of this item is served. Nil does nothing.
	Begin func() error
}

// A Set is the clusters of a server. It can change while the server runs: a lookup
// takes no lock, a request keeps the cluster that it found, and a cluster stops once its
// last request is answered. It is safe for concurrent use.
type Set[C Served] struct {
	// BeforeStop is called after the last request of a cluster that left the set, before the
	// cluster stops. Nil does nothing. It must be set before Run.
	BeforeStop func()

	log  *slog.Logger
	view atomic.Pointer[view[C]]

	mu sync.Mutex
	// wanted are the clusters that were applied last. One that replaces another is
	// here before it is in the view.
	wanted map[string]*member[C]
	// ctx is that of Run; nil while it does not run.
	ctx     context.Context
	started time.Time
	running sync.WaitGroup
}

// A view is what a set serves.
type view[C Served] struct {
	byID map[string]*member[C]
	// fallback is the ID of the default cluster; empty if there is none.
	fallback string
}

// A member is a cluster of a set.
type member[C Served] struct {
	cluster C
	version string
	stop    context.CancelFunc

	mu       sync.Mutex
	requests int
	// retired is set once the member has left the view, and idle is closed once it has
	// no request either.
	retired bool
	idle    chan struct{}
}

// enter begins a request, unless the member has left the view.
func (m *member[C]) enter() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.retired {
		return false
	}
	m.requests++
	return true
}

// leave ends a request.
func (m *member[C]) leave() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.requests--; m.retired && m.requests == 0 {
		close(m.idle)
	}
}

// retire lets no request enter any more.
func (m *member[C]) retire() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.retired = true; m.requests == 0 {
		close(m.idle)
	}
}

// NewSet returns an empty set. Nil discards the log.
func NewSet[C Served](log *slog.Logger) *Set[C] {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Set[C]{log: log, wanted: map[string]*member[C]{}}
	s.view.Store(&view[C]{})
	return s
}

// Apply makes the set serve exactly these clusters, and the default one also by the
// empty ID. If it cannot create one of them, it changes nothing.
//
// A new cluster is served at once. A cluster that changed is replaced once the
// replacement has read its sources, so that no token gets another answer meanwhile.
func (s *Set[C]) Apply(items []Item[C], defaultID string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	wanted, err := s.create(items)
	if err != nil {
		return err
	}
	before := s.view.Load()
	after := &view[C]{byID: map[string]*member[C]{}, fallback: defaultID}
	retired := s.members()
	s.wanted = wanted
	for id, m := range wanted {
		serving := before.byID[id]
		if serving == nil {
			serving = m
		}
		after.byID[id] = serving
		delete(retired, serving)
		delete(retired, m)
	}
	s.view.Store(after)
	for m := range retired {
		if wanted[m.cluster.ID()] == nil {
			s.log.Info("removed a cluster", "cluster", m.cluster.ID())
		}
		s.retire(m)
	}
	if s.ctx != nil {
		s.start()
	}
	return nil
}

// create returns the clusters of the items, and creates those that changed.
func (s *Set[C]) create(items []Item[C]) (map[string]*member[C], error) {
	wanted := map[string]*member[C]{}
	var begin []func() error
	var errs []error
	for _, item := range items {
		if wanted[item.ID] != nil {
			errs = append(errs, fmt.Errorf("cluster %q occurs twice", item.ID))
			continue
		}
		m := s.unchanged(item)
		if m == nil {
			created, err := item.New()
			if err != nil {
				errs = append(errs, err)
				continue
			}
			m = &member[C]{cluster: created, version: item.Version, idle: make(chan struct{})}
			if item.Begin != nil {
				begin = append(begin, item.Begin)
			}
		}
		wanted[item.ID] = m
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	for _, f := range begin {
		errs = append(errs, f())
	}
	return wanted, errors.Join(errs...)
}

// unchanged returns the cluster of an item if it is there already: the one that is
// served, or one that is about to replace it.
func (s *Set[C]) unchanged(item Item[C]) *member[C] {
	for _, m := range []*member[C]{s.view.Load().byID[item.ID], s.wanted[item.ID]} {
		if m != nil && m.version == item.Version {
			return m
		}
	}
	return nil
}

// members returns all clusters of the set, served or not.
func (s *Set[C]) members() map[*member[C]]struct{} {
	all := map[*member[C]]struct{}{}
	for _, of := range []map[string]*member[C]{s.view.Load().byID, s.wanted} {
		for m := range maps.Values(of) {
			all[m] = struct{}{}
		}
	}
	return all
}

// retire stops a cluster that is not in the view any more, after its last request.
func (s *Set[C]) retire(m *member[C]) {
	if m.stop == nil || s.ctx == nil {
		return
	}
	s.running.Go(func() {
		m.retire()
		<-m.idle
		if s.BeforeStop != nil {
			s.BeforeStop()
		}
		m.stop()
	})
}

// start runs the clusters that do not run yet.
func (s *Set[C]) start() {
	for _, m := range s.wanted {
		if m.stop != nil {
			continue
		}
		ctx, stop := context.WithCancel(s.ctx)
		m.stop = stop
		s.running.Go(func() { m.cluster.Run(ctx) })
		if s.view.Load().byID[m.cluster.ID()] != m {
			s.running.Go(func() { s.replaceWith(ctx, m) })
		}
	}
}

// replaceWith puts a cluster in the place of an older one once its sources are read.
func (s *Set[C]) replaceWith(ctx context.Context, m *member[C]) {
	ticker := time.NewTicker(readyPeriod)
	defer ticker.Stop()
	began, late := time.Now(), false
	for {
		err := m.cluster.Ready()
		if err == nil {
			err = s.losses(m)
		}
		if err == nil {
			break
		}
		if !late && time.Since(began) >= patience {
			late = true
			s.log.Error("a changed cluster is not ready: its old settings stay in force until it is", "cluster", m.cluster.ID(), "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx == nil || s.wanted[m.cluster.ID()] != m {
		return // the server stops, or another edit was faster
	}
	before := s.view.Load()
	after := &view[C]{byID: maps.Clone(before.byID), fallback: before.fallback}
	after.byID[m.cluster.ID()] = m
	s.view.Store(after)
	s.retire(before.byID[m.cluster.ID()])
	s.log.Info("replaced a cluster", "cluster", m.cluster.ID())
}

// losses returns an error for each section that does not parse, and whose last good content
// the cluster that is served has and its replacement lacks.
func (s *Set[C]) losses(replacement *member[C]) error {
	served := s.view.Load().byID[replacement.cluster.ID()]
	if served == nil {
		return nil
	}
	lost := map[string][]string{}
	for _, of := range served.cluster.Sources() {
		if current := of.Current(); current.Table != nil {
			lost[of.Name()] = current.Lost
		}
	}
	var errs []error
	for _, of := range replacement.cluster.Sources() {
		before, ok := lost[of.Name()]
		for _, section := range of.Current().Lost {
			if ok && !slices.Contains(before, section) {
				errs = append(errs, fmt.Errorf("source %s: %s does not parse, and its last good content would be lost", of.Name(), section))
			}
		}
	}
	return errors.Join(errs...)
}

// Run follows the sources of all clusters until ctx is done. It must be called once.
func (s *Set[C]) Run(ctx context.Context) {
	s.mu.Lock()
	s.ctx, s.started = ctx, time.Now()
	s.start()
	s.mu.Unlock()
	freeMemory(ctx, s.tables, debug.FreeOSMemory)
	s.mu.Lock()
	s.ctx = nil // nothing starts any more
	s.mu.Unlock()
	s.running.Wait()
}

// tables returns the tables that are in force.
func (s *Set[C]) tables() map[*mapper.Table]struct{} {
	all := map[*mapper.Table]struct{}{}
	for _, c := range s.Clusters() {
		for _, of := range c.Sources() {
			all[of.Current().Table] = struct{}{}
		}
	}
	return all
}

// Find returns the ID of a cluster, and whether the set has it. The empty ID is that of
// the default cluster.
func (s *Set[C]) Find(id string) (clusterID string, ok bool) {
	if m := s.view.Load().find(id); m != nil {
		return m.cluster.ID(), true
	}
	return "", false
}

func (v *view[C]) find(id string) *member[C] {
	if id == "" {
		id = v.fallback
	}
	return v.byID[id]
}

// Use calls f with the cluster with an ID, which does not stop before f returns. The
// empty ID is that of the default cluster. It returns ErrUnknown if there is none.
func (s *Set[C]) Use(id string, f func(C)) error {
	for {
		m := s.view.Load().find(id)
		if m == nil {
			return ErrUnknown
		}
		if m.enter() {
			defer m.leave()
			f(m.cluster)
			return nil
		}
	}
}

// VerifyClient returns why the client of a connection may not send reviews for the
// cluster with an ID; nil if it may.
func (s *Set[C]) VerifyClient(id string, connection *tls.ConnectionState) error {
	var refused error
	unknown := s.Use(id, func(c C) { refused = c.VerifyClient(connection) })
	return errors.Join(unknown, refused)
}

// Clusters returns the clusters that are served, sorted by their IDs.
func (s *Set[C]) Clusters() []C {
	byID := s.view.Load().byID
	all := make([]C, 0, len(byID))
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		all = append(all, byID[id].cluster)
	}
	return all
}

// All returns the clusters that are served, and those that are about to replace one.
func (s *Set[C]) All() []C {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, serving := s.Clusters(), s.view.Load().byID
	for _, id := range slices.Sorted(maps.Keys(s.wanted)) {
		if m := s.wanted[id]; m != serving[id] {
			all = append(all, m.cluster)
		}
	}
	return all
}

// Ready returns nil once the cluster with an ID has read its sources.
func (s *Set[C]) Ready(id string) error {
	m := s.view.Load().find(id)
	if m == nil {
		return ErrUnknown
	}
	return m.cluster.Ready()
}

// Started returns nil once every cluster has read its sources, or the set has run for
// ten seconds: no broken source of one cluster keeps a server out of service for the
// others.
func (s *Set[C]) Started() error {
	s.mu.Lock()
	started := s.started
	s.mu.Unlock()
	if !started.IsZero() && time.Since(started) >= patience {
		return nil
	}
	var missing []error
	for _, c := range s.Clusters() {
		if err := c.Ready(); err != nil {
			missing = append(missing, fmt.Errorf("cluster %s: %w", c.ID(), err))
		}
	}
	return errors.Join(missing...)
}
