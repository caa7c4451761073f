package cluster_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kube-iam/authenticator/internal/cluster"
	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

type (
	set     = cluster.Set[*cluster.Cluster]
	setItem = cluster.Item[*cluster.Cluster]
)

// followed is a source that notes when it runs, and is read when the test says so.
type followed struct {
	*textSource
	ended atomic.Bool
}

func (f *followed) Run(ctx context.Context) {
	f.textSource.Run(ctx)
	f.ended.Store(true)
}

func (f *followed) runs() bool {
	select {
	case <-f.running:
		return !f.ended.Load()
	default:
		return false
	}
}

func (f *followed) read() {
	f.Swap(source.Snapshot{Table: mapper.NewTable(nil, nil, mapper.RolePathsIgnore)})
}

// newFollowed returns a source that is read already, or not.
func newFollowed(read bool) *followed {
	f := &followed{textSource: newSource("followed", "")}
	if read {
		f.read()
	}
	return f
}

// item returns the item of a cluster with one source.
func item(t *testing.T, id, version string, s source.Source) setItem {
	return setItem{ID: id, Version: version, New: func() (*cluster.Cluster, error) {
		return newCluster(t, "bob", func(c *cluster.Config) { c.ID = id }, s)
	}}
}

// used returns the source that an ID is served with; nil if there is no such cluster.
func used(s *set, id string) (found source.Source) {
	_ = s.Use(id, func(c *cluster.Cluster) { found = c.Sources()[0] })
	return found
}

func apply(t *testing.T, s *set, defaultID string, items ...setItem) {
	t.Helper()
	if err := s.Apply(items, defaultID); err != nil {
		t.Fatal(err)
	}
}

// run runs a set until the returned function is called.
func run(t *testing.T, s *set) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	synctest.Wait()
	return func() { cancel(); running.Wait() }
}

// TestLookup checks that IDs are compared exactly, and that the empty one is the
// default's.
func TestLookup(t *testing.T) {
	s := cluster.NewSet[*cluster.Cluster](nil)
	blue, green := newFollowed(true), newFollowed(true)
	apply(t, s, "green", item(t, "blue", "1", blue), item(t, "green", "1", green))
	for id, want := range map[string]source.Source{"blue": blue, "green": green, "": green, "Blue": nil, "blu": nil, "blue2": nil, "red": nil} {
		if got := used(s, id); got != want {
			t.Errorf("%q: %v, want %v", id, got, want)
		}
		found, ok := s.Find(id)
		if ok != (want != nil) || ok && id != "" && found != id {
			t.Errorf("%q: found %q, %v", id, found, ok)
		}
	}
	apply(t, s, "", item(t, "blue", "1", blue))
	if used(s, "") != nil || used(s, "green") != nil {
		t.Error("a removed cluster is served, or there still is a default")
	}
	if err := s.Use("green", func(*cluster.Cluster) { t.Error("a removed cluster is used") }); !errors.Is(err, cluster.ErrUnknown) {
		t.Errorf("using a removed cluster: %v", err)
	}
}

// TestApplyRunsAndStops checks that the sources of new clusters run, and that those of
// removed clusters stop, and no others.
func TestApplyRunsAndStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := cluster.NewSet[*cluster.Cluster](nil)
		blue, green, red := newFollowed(true), newFollowed(true), newFollowed(false)
		apply(t, s, "", item(t, "blue", "1", blue), item(t, "green", "1", green))
		if blue.runs() {
			t.Error("a source runs before Run")
		}
		stop := run(t, s)
		apply(t, s, "", item(t, "blue", "1", newFollowed(false)), item(t, "red", "1", red))
		synctest.Wait()
		if !blue.runs() || green.runs() || !red.runs() {
			t.Errorf("the unchanged one runs: %v, the removed one: %v, the new one: %v", blue.runs(), green.runs(), red.runs())
		}
		if used(s, "blue") != blue || used(s, "red") != red {
			t.Error("an unchanged cluster was replaced, or a new one waits until it is read")
		}
		stop()
		if blue.runs() || red.runs() {
			t.Error("a source runs after the end")
		}
		apply(t, s, "", item(t, "late", "1", newFollowed(true))) // nothing runs any more
	})
}

// logged are the lines of a log.
type logged chan string

func (l logged) Write(line []byte) (int, error) {
	l <- string(line)
	return len(line), nil
}

// TestReplacement checks that a changed cluster is served with its old settings until
// the new ones are read.
func TestReplacement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lines := make(logged, 10)
		s := cluster.NewSet[*cluster.Cluster](slog.New(slog.NewTextHandler(lines, nil)))
		before, after := newFollowed(true), newFollowed(false)
		apply(t, s, "", item(t, "blue", "1", before))
		stop := run(t, s)
		apply(t, s, "", item(t, "blue", "2", after))
		time.Sleep(9 * time.Second)
		synctest.Wait()
		if used(s, "blue") != before || !before.runs() || !after.runs() || len(lines) > 0 {
			t.Error("while the replacement is not read, it is served, or the log says something")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if line := <-lines; len(lines) > 0 || !strings.Contains(line, "its old settings stay in force") || !strings.Contains(line, "source followed is not read yet") {
			t.Errorf("after a minute the log has %s, and %d more lines", line, len(lines))
		}
		after.read()
		time.Sleep(time.Second)
		if used(s, "blue") != after || before.runs() {
			t.Errorf("the replacement is read: it is served: %v, the old one runs: %v", used(s, "blue") == after, before.runs())
		}
		stop()
	})
}

// TestReplacementLosesNothing checks that a changed cluster keeps its old settings while a
// section does not parse whose last good content only the old source has.
func TestReplacementLosesNothing(t *testing.T) {
	lose := func(f *followed, sections ...string) {
		f.Swap(source.Snapshot{Table: mapper.NewTable(nil, nil, mapper.RolePathsIgnore), Lost: sections})
	}
	synctest.Test(t, func(t *testing.T) {
		lines := make(logged, 10)
		s := cluster.NewSet[*cluster.Cluster](slog.New(slog.NewTextHandler(lines, nil)))
		before, after := newFollowed(true), newFollowed(true)
		lose(before, "mapUsers")
		lose(after, "mapRoles", "mapUsers")
		apply(t, s, "", item(t, "blue", "1", before))
		stop := run(t, s)
		apply(t, s, "", item(t, "blue", "2", after))
		time.Sleep(time.Minute)
		synctest.Wait()
		if used(s, "blue") != before {
			t.Error("the replacement is served, although it has lost mapRoles")
		}
		if line := <-lines; !strings.Contains(line, "source followed: mapRoles does not parse") || strings.Contains(line, "mapUsers") {
			t.Errorf("logged %s", line)
		}
		lose(after, "mapUsers") // the other has lost it too
		time.Sleep(time.Second)
		if used(s, "blue") != after {
			t.Error("the replacement is not served, although it loses nothing more")
		}
		stop()
	})
}

// TestEditsWhileReplacing checks edits that come before a replacement is read: another
// change, the old settings again, and the removal.
func TestEditsWhileReplacing(t *testing.T) {
	for name, test := range map[string]struct{ version, serving, running string }{
		"another change":         {"3", "1", "13"},
		"the old settings again": {"1", "1", "1"},
		"the same change again":  {"2", "1", "12"},
		"the removal":            {"", "", ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := cluster.NewSet[*cluster.Cluster](nil)
			sources := map[string]*followed{"1": newFollowed(true), "2": newFollowed(false), "3": newFollowed(false)}
			apply(t, s, "", item(t, "blue", "1", sources["1"]))
			stop := run(t, s)
			apply(t, s, "", item(t, "blue", "2", sources["2"]))
			synctest.Wait()
			if test.version == "" {
				apply(t, s, "")
			} else {
				apply(t, s, "", item(t, "blue", test.version, sources[test.version]))
			}
			time.Sleep(time.Second)
			running := ""
			for _, version := range []string{"1", "2", "3"} {
				if sources[version].runs() {
					running += version
				}
			}
			if running != test.running {
				t.Errorf("%s: sources %q run, want %q", name, running, test.running)
			}
			if serving := used(s, "blue"); test.serving == "" && serving != nil || test.serving != "" && serving != sources[test.serving] {
				t.Errorf("%s: the wrong cluster is served", name)
			}
			stop()
		})
	}
}

// TestRequestsKeepTheirCluster checks that a removed cluster stops after its last request,
// and that new requests do not find it meanwhile.
func TestRequestsKeepTheirCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := cluster.NewSet[*cluster.Cluster](nil)
		blue := newFollowed(true)
		var ranBefore []bool // the stop, each time
		s.BeforeStop = func() { ranBefore = append(ranBefore, blue.runs()) }
		apply(t, s, "", item(t, "blue", "1", blue))
		stop := run(t, s)
		release := make(chan struct{})
		var request sync.WaitGroup
		request.Go(func() { _ = s.Use("blue", func(*cluster.Cluster) { <-release }) })
		synctest.Wait()
		apply(t, s, "")
		time.Sleep(time.Minute)
		if !blue.runs() || used(s, "blue") != nil || ranBefore != nil {
			t.Errorf("with a request: the cluster runs: %v, is found: %v", blue.runs(), used(s, "blue") != nil)
		}
		close(release)
		request.Wait()
		synctest.Wait()
		if blue.runs() || !slices.Equal(ranBefore, []bool{true}) {
			t.Errorf("after the last request: the cluster runs: %v, ran before its stop: %v", blue.runs(), ranBefore)
		}
		stop()
	})
}

// TestFailedApply checks that nothing changes if one cluster is invalid.
func TestFailedApply(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := cluster.NewSet[*cluster.Cluster](nil)
		blue := newFollowed(true)
		apply(t, s, "blue", item(t, "blue", "1", blue))
		stop := run(t, s)
		broken := errors.New("broken")
		fails := setItem{ID: "red", New: func() (*cluster.Cluster, error) { return nil, broken }}
		green := newFollowed(true)
		begun := item(t, "blue", "2", newFollowed(true))
		begun.Begin = func() error { t.Error("a cluster begins although another cannot be created"); return nil }
		if err := s.Apply([]setItem{begun, item(t, "green", "1", green), fails}, "green"); !errors.Is(err, broken) {
			t.Errorf("the error is %v", err)
		}
		begun.Begin = func() error { return broken }
		if err := s.Apply([]setItem{begun}, "blue"); !errors.Is(err, broken) {
			t.Errorf("the error of a cluster that cannot begin is %v", err)
		}
		twice := []setItem{item(t, "green", "1", green), item(t, "green", "2", green)}
		if err := s.Apply(twice, ""); err == nil || !strings.Contains(err.Error(), `cluster "green" occurs twice`) {
			t.Errorf("the error of two clusters with one ID is %v", err)
		}
		time.Sleep(time.Second)
		if used(s, "blue") != blue || used(s, "") != blue || used(s, "green") != nil || green.runs() {
			t.Error("something changed")
		}
		stop()
	})
}

// TestStarted checks that a server waits for its clusters at the start, but not for ever
// for a broken one.
func TestStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := cluster.NewSet[*cluster.Cluster](nil)
		blue, green := newFollowed(false), newFollowed(false)
		apply(t, s, "", item(t, "blue", "1", blue), item(t, "green", "1", green))
		stop := run(t, s)
		blue.read()
		if err := s.Started(); err == nil || err.Error() != "cluster green: source followed is not read yet" {
			t.Errorf("while a cluster is not read: %v", err)
		}
		if s.Ready("blue") != nil || s.Ready("green") == nil || !errors.Is(s.Ready("red"), cluster.ErrUnknown) {
			t.Errorf("blue: %v, green: %v, red: %v", s.Ready("blue"), s.Ready("green"), s.Ready("red"))
		}
		time.Sleep(10 * time.Second)
		if err := s.Started(); err != nil {
			t.Errorf("after ten seconds: %v", err)
		}
		stop()
	})
}

// TestNoWrongAnswers changes, adds and removes clusters under load: every request gets
// the answer of the cluster that it is for, or the cluster is unknown.
func TestNoWrongAnswers(t *testing.T) {
	s := cluster.NewSet[*cluster.Cluster](nil)
	apply(t, s, "", item(t, "kept", "1", newFollowed(true)))
	ctx, cancel := context.WithCancel(t.Context())
	var running, asking sync.WaitGroup
	running.Go(func() { s.Run(ctx) })
	var over atomic.Bool
	for range 4 {
		asking.Go(func() {
			for !over.Load() {
				for _, id := range []string{"kept", "changed", "new"} {
					err := s.Use(id, func(c *cluster.Cluster) {
						if c.ID() != id || c.Sources()[0].(*followed).ended.Load() {
							t.Errorf("%s: a request gets the cluster %s, or one that has stopped", id, c.ID())
						}
					})
					if err != nil && id == "kept" {
						t.Errorf("%s: %v", id, err)
					}
				}
			}
		})
	}
	for n := range 300 {
		items := []setItem{item(t, "kept", "1", newFollowed(true)), item(t, "changed", fmt.Sprint(n), newFollowed(true))}
		if n%2 == 0 {
			items = append(items, item(t, "new", fmt.Sprint(n), newFollowed(true)))
		}
		apply(t, s, "", items...)
	}
	over.Store(true)
	asking.Wait()
	cancel()
	running.Wait()
}
