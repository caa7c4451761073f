package file

import (
	"context"
	"fmt"

	"github.com/fsnotify/fsnotify"
)

// A Watch calls changed once it watches a directory, and whenever something may
// have changed there. It returns when ctx is done, or with an error if it cannot
// watch.
type Watch func(ctx context.Context, dir string, changed func()) error

// Notify watches with the operating system's notifications.
func Notify(ctx context.Context, dir string, changed func()) error {
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
		case _, open := <-watcher.Events:
			if !open {
				return nil
			}
			changed()
		case _, open := <-watcher.Errors: // events may be lost
			if !open {
				return nil
			}
			changed()
		}
	}
}
