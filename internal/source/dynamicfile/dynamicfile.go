// Package dynamicfile is the source that follows a file: the manifest or the
// data of an aws-auth ConfigMap.
package dynamicfile

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/fsnotify/fsnotify"

	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// Config of [New]. Path must be set.
type Config struct {
	// Path of the file.
	Path string
	// Options of reading the file. Its Source is the name of this one.
	Options awsauth.Options
	// OnRead is called after every reading. Nil means never.
	OnRead func()
	// Log of what is wrong with the file. Nil means nowhere.
	Log *slog.Logger
	// After is the clock. Nil means time.After.
	After func(time.Duration) <-chan time.Time
}

// settling is how long after a first event the file is read: one that is written
// in place, not put in the old one's place, is empty for a moment.
const settling = 100 * time.Millisecond

// File follows a file of mappings.
type File struct {
	source.InForce
	config  Config
	watcher *fsnotify.Watcher
	last    *awsauth.Result
	content []byte // of last
}

// New reads the file and watches it; it must be there and parse. From [File.Run]
// on a version that does not parse leaves the last good one in force, and the
// file's removal revokes all that it granted.
func New(config Config) (*File, error) {
	if config.Path == "" {
		return nil, errors.New("following a file of mappings: no path is given")
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	if config.After == nil {
		config.After = time.After
	}
	if config.OnRead == nil {
		config.OnRead = func() {}
	}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("watching %s: %w", config.Path, err)
	}
	f := &File{config: config, watcher: watcher}
	// The directory is watched, and before the file is read: editors, and the
	// kubelet for a mounted ConfigMap, put a new file in the old one's place.
	if err := watcher.Add(filepath.Dir(config.Path)); err != nil {
		return nil, errors.Join(fmt.Errorf("watching %s: %w", config.Path, err), watcher.Close())
	}
	if err := f.read(); err != nil {
		return nil, errors.Join(err, watcher.Close())
	}
	return f, nil
}

// Name is the name that rules give as their source.
func (f *File) Name() string { return f.config.Options.Source }

// Close ends the watch of a file that [File.Run] does not follow.
func (f *File) Close() { _ = f.watcher.Close() }

// Run follows the file until ctx is done.
func (f *File) Run(ctx context.Context) {
	defer f.Close()
	var settled <-chan time.Time
	for {
		select {
		case <-settled:
			settled = nil
			f.reread()
		case <-ctx.Done():
			return
		case _, open := <-f.watcher.Events:
			if !open {
				return
			}
			if settled == nil {
				settled = f.config.After(settling)
			}
		case err, open := <-f.watcher.Errors:
			if !open {
				return
			}
			// Events may be lost, so look.
			f.config.Log.Warn("watching the file of mappings failed", "file", f.config.Path, "error", err)
			f.reread()
		}
	}
}

func (f *File) reread() {
	err := f.read()
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if f.last != nil {
			f.last = nil
			f.Swap(source.Snapshot{Table: mapper.NewTable(nil, nil, f.config.Options.RolePaths)})
			f.config.OnRead()
			f.config.Log.Warn("the file of mappings is gone: nobody is mapped by it any more", "file", f.config.Path)
		}
	case err != nil:
		f.config.Log.Error("the file of mappings cannot be read: what it said last stays in force", "file", f.config.Path, "error", err)
	}
}

func (f *File) read() error {
	content, err := os.ReadFile(f.config.Path)
	if err != nil {
		return fmt.Errorf("reading mappings: %w", err)
	}
	if f.last != nil && bytes.Equal(content, f.content) {
		return nil // something else happened in the directory
	}
	result, err := awsauth.ParseFile(content, f.last, f.config.Options)
	if err != nil {
		return fmt.Errorf("%s: %w", f.config.Path, err)
	}
	f.last, f.content = result, content
	f.Swap(source.Snapshot{Table: result.Table, Problems: result.Problems})
	f.config.OnRead()
	f.config.Log.Info("read the file of mappings", "file", f.config.Path, "problems", len(result.Problems))
	for _, problem := range result.Problems {
		problem.Log(f.config.Log, "problem in "+f.config.Path)
	}
	return nil
}

var _ source.Source = (*File)(nil)
