package file

import (
	"context"
	"crypto/sha256"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

const (
	// quiet is how long a file must not have changed before it is read: one that
	// is written in place is empty at first, and then cut short.
	quiet = 200 * time.Millisecond
	// patience is how long a file that keeps changing is waited for. Then it is
	// read if its content is whole.
	patience = 2 * time.Second
	// period is how often we look at a file even if no change is reported:
	// some file systems report none.
	period = time.Minute
)

// Config of [Follow]. Path, Limit and Whole must be set.
type Config struct {
	// Path of the file.
	Path string
	// Limit is the most that is read of it, in bytes.
	Limit int64
	// Content that was read already: it is no change.
	Content []byte
	// Whole reports whether a content that still changes can be used.
	Whole func(content []byte) bool
	// Watch reports changes. Nil means that of the operating system.
	Watch Watch
	// Log of what is wrong with watching. Nil means nowhere.
	Log *slog.Logger
}

// Follower follows a file.
type Follower struct {
	config         Config
	look, reread   chan struct{}
	last           found
	watchingFailed bool
}

// found is what a look at the file found: its content, or what is wrong.
type found struct {
	sum [sha256.Size]byte
	err string
}

func newFound(content []byte, err error) found {
	if err != nil {
		return found{err: err.Error()}
	}
	return found{sum: sha256.Sum256(content)}
}

// Follow returns a follower of a file, which [Follower.Run] starts.
func Follow(config Config) *Follower {
	if config.Watch == nil {
		config.Watch = Notify
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	last := newFound(config.Content, nil)
	config.Content = nil
	return &Follower{
		config: config, last: last,
		look: make(chan struct{}, 1), reread: make(chan struct{}, 1),
	}
}

// Reread has the file read again soon, whether it changed or not.
func (f *Follower) Reread() { signal(f.reread) }

// Run calls changed with what is in the file each time that changes, until ctx
// is done. An error says why the file cannot be read: [fs.ErrNotExist] that it is
// gone.
func (f *Follower) Run(ctx context.Context, changed func(content []byte, err error)) {
	var watching sync.WaitGroup
	watching.Go(func() { f.watch(ctx) })
	defer watching.Wait()
	signal(f.look) // it may have changed since it was read
	for {
		again := false
		select {
		case <-ctx.Done():
			return
		case <-f.reread:
			again = true
		case <-f.look:
		}
		content, err := f.settled(ctx)
		if ctx.Err() != nil {
			return
		}
		if now := newFound(content, err); again || now != f.last {
			f.last = now
			changed(content, err)
		}
	}
}

// watch looks at the file after each change in its directory, and once in a
// period. It watches the directory because editors, and the kubelet for a mounted
// ConfigMap, replace the file; and anew each period, because that may be replaced
// too.
func (f *Follower) watch(ctx context.Context) {
	for ctx.Err() == nil {
		one, cancel := context.WithTimeout(ctx, period)
		err := f.config.Watch(one, filepath.Dir(f.config.Path), func() { signal(f.look) })
		if failed := err != nil && one.Err() == nil; failed != f.watchingFailed {
			if f.watchingFailed = failed; failed {
				f.config.Log.Warn("watching a file failed: changes act within a minute, or at SIGHUP", "file", f.config.Path, "error", err)
			}
		}
		<-one.Done()
		cancel()
		signal(f.look)
	}
}

// settled reads the file once it has been quiet.
func (f *Follower) settled(ctx context.Context) ([]byte, error) {
	started := time.Now()
	before := f.stamp(ctx)
	for {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(quiet):
		}
		now := f.stamp(ctx)
		isQuiet, isLate := now.equals(before), time.Since(started) >= patience
		if before = now; !isQuiet && !isLate {
			continue
		}
		content, err := Read(ctx, f.config.Path, f.config.Limit)
		if isQuiet && f.stamp(ctx).equals(now) {
			return content, err
		}
		if isLate {
			if err == nil && f.config.Whole(content) {
				return content, nil
			}
			started = time.Now()
		}
	}
}

// A stamp changes when a file does.
type stamp struct {
	info fs.FileInfo
	err  string
}

func (f *Follower) stamp(ctx context.Context) stamp {
	info, err := await(ctx, func() (fs.FileInfo, error) { return os.Stat(f.config.Path) })
	if err != nil {
		return stamp{err: err.Error()}
	}
	return stamp{info: info}
}

func (s stamp) equals(other stamp) bool {
	if s.info == nil || other.info == nil {
		return s.err == other.err
	}
	return os.SameFile(s.info, other.info) && s.info.Size() == other.info.Size() && s.info.ModTime().Equal(other.info.ModTime()) && s.info.Mode() == other.info.Mode()
}

// signal leaves one signal in a channel of size 1.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
