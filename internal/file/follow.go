package file

import (
	"context"
	"crypto/sha256"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"
)

const (
	// quiet is how long a file must not change before it is read: while it is
	// written in place, it is first empty and then incomplete.
	quiet = 200 * time.Millisecond
	// patience is how long to wait for a file that keeps changing. After that it
	// is read if its content is whole.
	patience = 2 * time.Second
	// period is how often we look at a file even if no change is reported:
	// some file systems report none.
	period = time.Minute
)

// Config of [Follow]. Path, Limit and Whole must be set.
type Config struct {
	// Path is the path of the file.
	Path string
	// Limit is the maximum size of the file, in bytes.
	Limit int64
	// Content is the content that was read already. It is not reported as a change. Nil
	// means that none was: then whatever Run finds first is reported.
	Content []byte
	// Whole reports whether the content of a file that keeps changing can be used.
	Whole func(content []byte) bool
	// Watch reports changes. Nil means [Notify].
	Watch Watch
	// Log gets a line when watching fails. Nil discards it.
	Log *slog.Logger
}

// Follower follows a file.
type Follower struct {
	config         Config
	look, reread   chan struct{}
	last           found
	watchingFailed bool
}

// found identifies the result of a look at the file: its content or an error.
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

// Follow returns a follower of a file. [Follower.Run] starts it.
func Follow(config Config) *Follower {
	if config.Watch == nil {
		config.Watch = Notify
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	var last found
	if config.Content != nil { // an empty file has content too
		last = newFound(config.Content, nil)
	}
	config.Content = nil
	return &Follower{
		config: config, last: last,
		look: make(chan struct{}, 1), reread: make(chan struct{}, 1),
	}
}

// Reread makes Run read the file again soon, whether it changed or not.
func (f *Follower) Reread() { signal(f.reread) }

// Run calls changed each time the file changes, until ctx is done. It passes the
// content, or the error of reading it: [fs.ErrNotExist] if the file is missing.
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

// watch looks at the file after each change, and once in a period. It restarts the
// watch each period, because the directory of the file may be replaced too.
func (f *Follower) watch(ctx context.Context) {
	for ctx.Err() == nil {
		one, cancel := context.WithTimeout(ctx, period)
		err := f.config.Watch(one, f.config.Path, func() { signal(f.look) })
		if failed := err != nil && one.Err() == nil; failed != f.watchingFailed {
			if f.watchingFailed = failed; failed {
				f.config.Log.Warn("watching a file failed: changes take effect within a minute, or at SIGHUP", "file", f.config.Path, "error", err)
			}
		}
		<-one.Done()
		cancel()
		signal(f.look)
	}
}

// settled reads the file once it is quiet.
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
	info, err := Await(ctx, func() (fs.FileInfo, error) { return os.Stat(f.config.Path) })
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
