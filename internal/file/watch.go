package file

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fsnotify/fsnotify"
)

// A Watch calls changed once it watches a file, and whenever the file may have
// changed. It returns when ctx is done, or with an error if it cannot watch.
type Watch func(ctx context.Context, path string, changed func()) error

// Notify watches with the operating system's notifications. It watches the directory
// of the file, because editors, and the kubelet for a mounted ConfigMap, replace the
// file.
func Notify(ctx context.Context, path string, changed func()) error {
	dir := filepath.Dir(path)
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watching %s: %w", dir, err)
	}
	defer func() { _ = watcher.Close() }()
	if err := watcher.Add(dir); err != nil {
		return fmt.Errorf("watching %s: %w", dir, err)
	}
	changed()
	for {
		select {
		case <-ctx.Done():
			return nil
		case event, open := <-watcher.Events:
			if !open {
				return nil
			}
			if concerns(event, path) {
				changed()
			}
		case _, open := <-watcher.Errors: // events may be lost
			if !open {
				return nil
			}
			changed()
		}
	}
}

// concerns reports whether an event in its directory can be a change of a file. What is
// written to another file, such as a log, is none, unless the file is a link that may
// lead to it.
func concerns(event fsnotify.Event, path string) bool {
	const otherNames = fsnotify.Create | fsnotify.Remove | fsnotify.Rename
	if event.Op&otherNames != 0 || filepath.Base(event.Name) == filepath.Base(path) {
		return true
	}
	info, err := os.Lstat(path)
	return err != nil || info.Mode()&fs.ModeSymlink != 0
}
