package file

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/fsnotify/fsnotify"
)

// A followed file is in a synctest bubble, whose clock stops while files are written.
type followed struct {
	t        *testing.T
	path     string
	follower *Follower
	// event reports a change of the directory.
	event func()

	mu   sync.Mutex
	seen []string
}

// follow follows a file. Content that ends in a full stop is whole.
func follow(t *testing.T, watch Watch) *followed {
	t.Helper()
	f := &followed{t: t, path: filepath.Join(t.TempDir(), "file")}
	write(t, f.path, "first.")
	if watch == nil {
		watch = func(ctx context.Context, _ string, changed func()) error {
			f.event = changed
			<-ctx.Done()
			return nil
		}
	}
	f.follower = Follow(Config{
		Path: f.path, Limit: 1000, Content: []byte("first."), Watch: watch,
		Whole: func(content []byte) bool { return strings.HasSuffix(string(content), ".") },
	})
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		f.follower.Run(ctx, func(content []byte, err error) {
			switch {
			case errors.Is(err, fs.ErrNotExist):
				content = []byte("gone")
			case err != nil:
				content = []byte("error")
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			f.seen = append(f.seen, string(content))
		})
	})
	t.Cleanup(func() { stop(); running.Wait() })
	f.pass(time.Second)
	return f
}

// pass lets time pass.
func (f *followed) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// write writes the file in place, and reports the change.
func (f *followed) write(content string) {
	f.t.Helper()
	write(f.t, f.path, content)
	// The clock of the file system is not the bubble's.
	now := time.Now()
	if err := os.Chtimes(f.path, now, now); err != nil {
		f.t.Fatal(err)
	}
	f.event()
}

func (f *followed) rename(content string) {
	f.t.Helper()
	write(f.t, f.path+".new", content)
	if err := os.Rename(f.path+".new", f.path); err != nil {
		f.t.Fatal(err)
	}
	f.event()
}

func (f *followed) remove() {
	f.t.Helper()
	if err := os.Remove(f.path); err != nil {
		f.t.Fatal(err)
	}
	f.event()
}

func (f *followed) expect(want ...string) {
	f.t.Helper()
	if seen := f.take(); !slices.Equal(seen, want) {
		f.t.Errorf("seen %q, want %q", seen, want)
	}
}

func (f *followed) take() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := f.seen
	f.seen = nil
	return seen
}

const enough = quiet + 10*time.Millisecond

func TestFollow(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]func(f *followed){
		"nothing happened": func(f *followed) {
			f.event()
			f.pass(enough)
			f.expect()
		},
		"replaced": func(f *followed) {
			f.rename("second.")
			f.pass(enough)
			f.expect("second.")
		},
		"written in place": func(f *followed) {
			f.write("")
			f.pass(quiet - 10*time.Millisecond)
			f.write("second")
			f.pass(quiet - 10*time.Millisecond)
			f.expect()
			f.write("second, and last.")
			f.pass(2 * quiet)
			f.expect("second, and last.")
		},
		"never quiet and whole": func(f *followed) {
			for i := range 25 {
				f.write(strings.Repeat("x", i) + ".")
				f.pass(quiet / 2)
			}
			if seen := f.take(); len(seen) != 1 {
				f.t.Errorf("%q seen in 2.5 s, want one", seen)
			}
		},
		"never quiet and never whole": func(f *followed) {
			for i := range 50 {
				f.write(strings.Repeat("x", i))
				f.pass(quiet / 2)
			}
			f.expect()
			f.write("whole.")
			f.pass(2 * quiet)
			f.expect("whole.")
		},
		"quiet and not whole": func(f *followed) {
			f.write("second")
			f.pass(enough)
			f.expect("second")
			f.event()
			f.pass(enough)
			f.expect()
		},
		"away for a moment": func(f *followed) {
			f.remove()
			f.pass(quiet / 2)
			f.rename("second.")
			f.pass(2 * quiet)
			f.expect("second.")
		},
		"gone and back": func(f *followed) {
			f.remove()
			f.pass(enough)
			f.expect("gone")
			f.rename("first.")
			f.pass(enough)
			f.expect("first.")
		},
		"a directory": func(f *followed) {
			f.remove()
			if err := os.Mkdir(f.path, 0o700); err != nil {
				f.t.Fatal(err)
			}
			f.event()
			f.pass(time.Second)
			f.event()
			f.pass(time.Second)
			f.expect("error")
		},
		"change that is not reported": func(f *followed) {
			write(f.t, f.path, "second.")
			f.pass(period / 2)
			f.expect()
			f.pass(period/2 + enough)
			f.expect("second.")
		},
		"read again": func(f *followed) {
			f.follower.Reread()
			f.pass(enough)
			f.expect("first.")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { test(follow(t, nil)) })
		})
	}
}

// TestFollowChangeBeforeRun changes the file after it was read and before it is
// watched, or has read none yet.
func TestFollowChangeBeforeRun(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		read []byte
		now  string
	}{{[]byte("first."), "second."}, {nil, "first."}, {nil, ""}} {
		synctest.Test(t, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			write(t, path, test.now)
			follower := Follow(Config{Path: path, Limit: 1000, Content: test.read, Watch: func(context.Context, string, func()) error {
				return errors.New("no watches left")
			}})
			ctx, stop := context.WithTimeout(t.Context(), time.Second)
			defer stop()
			follower.Run(ctx, func(content []byte, err error) {
				if stop(); err != nil || string(content) != test.now {
					t.Errorf("seen %q, %v", content, err)
				}
			})
			if !errors.Is(ctx.Err(), context.Canceled) {
				t.Errorf("%q was read before: %q was not seen", test.read, test.now)
			}
		})
	}
}

// TestFollowWithoutWatch checks that a failing watch is logged once and retried.
func TestFollowWithoutWatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		tries := 0
		path := filepath.Join(t.TempDir(), "file")
		write(t, path, "first.")
		follower := Follow(Config{
			Path: path, Limit: 1000, Content: []byte("first."), Log: slog.New(slog.NewTextHandler(&log, nil)),
			Watch: func(context.Context, string, func()) error { tries++; return errors.New("no watches left") },
		})
		ctx, stop := context.WithTimeout(t.Context(), 3*period-time.Second)
		defer stop()
		follower.Run(ctx, func([]byte, error) { t.Error("a change was reported") })
		if tries != 3 || strings.Count(log.String(), "no watches left") != 1 {
			t.Errorf("%d tries, want 3; logged: %s", tries, log.String())
		}
	})
}

// TestNotify watches a real directory, with the system's clock.
func TestNotify(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	write(t, path, "first.")
	follower := Follow(Config{Path: path, Limit: 1000, Content: []byte("first.")})
	seen := make(chan string, 16)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { follower.Run(ctx, func(content []byte, _ error) { seen <- string(content) }) })
	defer func() { stop(); running.Wait() }()
	for _, content := range []string{"second.", "third.", "fourth.", "fifth."} { // the first changes may be seen late
		write(t, path+".new", content)
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-seen:
			if got != content {
				t.Errorf("seen %q, want %q", got, content)
			}
		case <-time.After(20 * time.Second):
			t.Fatal("the change was not seen")
		}
	}
	if err := Notify(ctx, filepath.Join(t.TempDir(), "none", "file"), func() {}); err == nil {
		t.Error("Notify accepts a missing directory")
	}
}

// TestConcerns checks that a file that is written to all the time, such as a log, is not
// taken for a change of the file beside it.
func TestConcerns(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, link := filepath.Join(dir, "file"), filepath.Join(dir, "link")
	write(t, file, "first.")
	if err := os.Symlink("log", link); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		path, changed string
		op            fsnotify.Op
		want          bool
	}{
		"the file is written":               {file, "file", fsnotify.Write, true},
		"its mode changes":                  {file, "file", fsnotify.Chmod, true},
		"another is written":                {file, "log", fsnotify.Write, false},
		"another's mode changes":            {file, "log", fsnotify.Chmod, false},
		"another is created":                {file, "..data", fsnotify.Create, true},
		"another is renamed":                {file, "..data_tmp", fsnotify.Rename, true},
		"another is removed":                {file, "..data", fsnotify.Remove, true},
		"what a link leads to is written":   {link, "log", fsnotify.Write, true},
		"another is written, none is there": {filepath.Join(dir, "none"), "log", fsnotify.Write, true},
		"another is created and written":    {file, "log", fsnotify.Create | fsnotify.Write, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			event := fsnotify.Event{Name: filepath.Join(dir, test.changed), Op: test.op}
			if got := concerns(event, test.path); got != test.want {
				t.Errorf("%v concerns %s: %v, want %v", event, test.path, got, test.want)
			}
		})
	}
}
