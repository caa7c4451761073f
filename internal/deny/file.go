package deny

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"

	"github.com/kube-iam/authenticator/internal/file"
	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// Config is the configuration of [New]. Path must be set.
type Config struct {
	// Path is the path of the file.
	Path string
	// Log gets a line for every reading. Nil discards it.
	Log *slog.Logger
	// Watch reports changes of the file. Nil uses the operating system's notifications.
	Watch file.Watch
}

// File follows a deny file. It is safe for concurrent use.
type File struct {
	config   Config
	follower *file.Follower
	inForce  atomic.Pointer[list]
}

// New reads a deny file, which must be valid. During [File.Run], a version that is
// missing, invalid or empty leaves the last good one in force: the loss of the file
// must not let a leaked key in again.
func New(ctx context.Context, config Config) (*File, error) {
	if config.Path == "" {
		return nil, errors.New("following a deny file: the path is missing")
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	content, err := file.Read(ctx, config.Path, maxBytes)
	if err != nil {
		return nil, fmt.Errorf("reading the deny file: %w", err)
	}
	entries, err := parseFile(config.Path, content)
	if err != nil {
		return nil, err
	}
	f := &File{config: config}
	f.use(entries)
	f.follower = file.Follow(file.Config{
		Path: config.Path, Limit: maxBytes, Content: content, Watch: config.Watch, Log: config.Log,
		Whole: func(content []byte) bool { _, err := parse(content); return err == nil && !isEmpty(content) },
	})
	return f, nil
}

// Name returns the name of the file in rules.
func (f *File) Name() string { return Source }

// Denies returns the rule that denies a principal, and reports whether there is one.
func (f *File) Denies(principal identity.Principal) (mapper.Rule, bool) {
	return f.inForce.Load().denies(principal)
}

// Len returns the number of entries in force.
func (f *File) Len() int { return len(*f.inForce.Load()) }

// Reread makes Run read the file again soon.
func (f *File) Reread() { f.follower.Reread() }

// Run follows the file until ctx is done.
func (f *File) Run(ctx context.Context) { f.follower.Run(ctx, f.changed) }

func (f *File) changed(content []byte, err error) {
	var entries list
	if err == nil {
		entries, err = parseFile(f.config.Path, content)
	}
	if err != nil {
		f.config.Log.Error("the deny file cannot be read: its last good content stays in force, and a restart would fail",
			"file", f.config.Path, "entries", f.Len(), "error", err)
		return
	}
	f.use(entries)
}

func (f *File) use(entries list) {
	f.inForce.Store(&entries)
	f.config.Log.Info("read the deny file", "file", f.config.Path, "entries", len(entries))
}

// parseFile parses the content of a file, which must not be empty: a file is empty on a
// full disk, or while a shell waits for the command that writes it.
func parseFile(path string, content []byte) (list, error) {
	if isEmpty(content) {
		return nil, fmt.Errorf("%s is empty (to deny nobody, leave a comment in it)", path)
	}
	entries, err := parse(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return entries, nil
}

func isEmpty(content []byte) bool { return len(bytes.TrimSpace(content)) == 0 }
