package cluster_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/cluster"
	"github.com/kube-iam/authenticator/internal/source"
)

// runs runs a cluster until the test ends.
func runs(t *testing.T, c *cluster.Cluster) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { c.Run(ctx) })
	t.Cleanup(func() { stop(); running.Wait() })
	synctest.Wait()
}

// isRunning reports whether a source runs.
func (s *switchedSource) isRunning() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.runs
}

// A switchedSource knows whether it runs. It is read late after it starts.
type switchedSource struct {
	*textSource
	late time.Duration
	text string
	mu   sync.Mutex
	runs bool
}

func (s *switchedSource) Run(ctx context.Context) {
	s.set(true)
	defer s.set(false)
	if s.late > 0 {
		select {
		case <-ctx.Done():
			return
		case <-time.After(s.late):
		}
		s.Swap(newSource(s.name, s.text).Current())
	}
	<-ctx.Done()
}

func (s *switchedSource) set(runs bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs = runs
}

// TestSwitch checks when other sources are put in force, and what runs then.
func TestSwitch(t *testing.T) {
	errMaking := errors.New("no such file")
	for name, test := range map[string]struct {
		late     time.Duration
		makeErr  error
		username string
		err      string
		took     time.Duration
	}{
		"at once":           {0, nil, "new", "", 0},
		"once it is read":   {3 * time.Second, nil, "new", "", 3 * time.Second},
		"not before":        {time.Hour, nil, "old", "source B is not read yet", 10 * time.Second},
		"cannot be created": {0, errMaking, "old", "creating source B: no such file", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				kept := &switchedSource{textSource: newSource("A", "[]")}
				old := &switchedSource{textSource: newSource("old", maps("alice", "old"))}
				text := maps("alice", "new")
				read := text
				if test.late > 0 {
					read = ""
				}
				next := &switchedSource{textSource: newSource("B", read), late: test.late, text: text}
				c, err := newCluster(t, "alice", nil, kept, old)
				if err != nil {
					t.Fatal(err)
				}
				create := func(string) (source.Source, error) { return next, test.makeErr }
				if err := c.Switch(t.Context(), []string{"B"}, create); test.makeErr == nil && !errors.Is(err, cluster.ErrNotRunning) {
					t.Errorf("before Run: %v", err)
				}
				runs(t, c)
				began := time.Now()
				err = c.Switch(t.Context(), []string{"B", "A"}, create)
				synctest.Wait()
				if (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
					t.Errorf("%v, want %q", err, test.err)
				}
				if took := time.Since(began); took < test.took || took > test.took+200*time.Millisecond {
					t.Errorf("it took %s, want %s", took, test.took)
				}
				if got := c.Authenticate(t.Context(), bearer()); got.User.Username != test.username {
					t.Errorf("alice is %q, want %q", got.User.Username, test.username)
				}
				isNew := test.username == "new"
				if next.isRunning() != isNew || old.isRunning() == isNew || !kept.isRunning() {
					t.Errorf("the new source runs: %v, the old one: %v, the one of both: %v", next.isRunning(), old.isRunning(), kept.isRunning())
				}
				if err := c.Ready(); err != nil {
					t.Errorf("after the switch: %v", err)
				}
			})
		})
	}
}

// TestReplace puts a source in the place of what stood for it, also when that is not in
// force any more.
func TestReplace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		missing := source.NewMissing("A", errors.New("no such file"))
		other := &switchedSource{textSource: newSource("B", maps("alice", "B"))}
		c, err := newCluster(t, "alice", nil, missing, other)
		if err != nil {
			t.Fatal(err)
		}
		runs(t, c)
		if err := c.Ready(); err == nil || !strings.Contains(err.Error(), "source A is not read yet") {
			t.Errorf("while a source is missing: %v", err)
		}
		if got := c.Authenticate(t.Context(), bearer()); got.Outcome.Verdict() != authn.Undecided {
			t.Errorf("alice is %v %q, but the missing source may map her otherwise", got.Outcome, got.User.Username)
		}
		made := &switchedSource{textSource: newSource("A", maps("alice", "A"))}
		c.Replace(missing, made)
		synctest.Wait()
		if got := c.Authenticate(t.Context(), bearer()); got.User.Username != "A" || !made.isRunning() || !other.isRunning() || c.Ready() != nil {
			t.Errorf("alice is %q, the new source runs: %v, the other: %v, ready: %v", got.User.Username, made.isRunning(), other.isRunning(), c.Ready())
		}
		late := &switchedSource{textSource: newSource("A", "[]")}
		c.Replace(missing, late)
		synctest.Wait()
		if late.isRunning() || !made.isRunning() {
			t.Error("a source replaces one that is not in force any more")
		}
	})
}

// TestSwitchUnderLoad switches between two sources while tokens are decided: each
// decision is that of one of them.
func TestSwitchUnderLoad(t *testing.T) {
	create := func(name string) (source.Source, error) {
		return &switchedSource{textSource: newSource(name, maps("alice", name))}, nil
	}
	first, err := create("A")
	if err != nil {
		t.Fatal(err)
	}
	c, err := newCluster(t, "alice", nil, first)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running, asking sync.WaitGroup
	started := make(chan struct{})
	running.Go(func() { c.Run(ctx) })
	go func() {
		for errors.Is(c.Switch(ctx, []string{"A"}, create), cluster.ErrNotRunning) {
		}
		close(started)
	}()
	<-started
	done := make(chan struct{})
	for range 4 {
		asking.Go(func() {
			for {
				if got := c.Authenticate(ctx, bearer()); got.Outcome != authn.Mapped || got.User.Username != "A" && got.User.Username != "B" {
					t.Errorf("alice is %v %q", got.Outcome, got.User.Username)
				}
				_ = c.Ready()
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := range 200 {
		if err := c.Switch(ctx, [][]string{{"B"}, {"A", "B"}, {"A"}}[i%3], create); err != nil {
			t.Error(err)
		}
	}
	close(done)
	asking.Wait()
	stop()
	running.Wait()
}
