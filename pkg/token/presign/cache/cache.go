// Package cache keeps small secrets in files that only this user can read. A file
// is replaced as a whole, and removed some time after its content expires.
package cache

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/kube-iam/authenticator/internal/file"
)

const (
	// maxSize is the limit for one file, in bytes. A session token has at most 4 KiB.
	maxSize = 64 << 10
	// maxWait is how long Lock waits for another process, which may wait for a user
	// to type an MFA code.
	maxWait = 30 * time.Second
	// poll is how often Lock tries.
	poll = 20 * time.Millisecond
	// grace is how long an expired file is kept, so that the clocks of file systems
	// do not matter.
	grace = time.Hour
	// maxSwept is how many files one Write looks at to remove the expired ones.
	maxSwept = 1000
	// suffix is that of our files. Other files in the directory stay.
	suffix = ".json"
)

// A Key names a file.
type Key [32]byte

func (k Key) String() string { return hex.EncodeToString(k[:]) }

// Dir is a directory of this user.
type Dir struct{ path string }

// Open opens the directory, and creates it if it is missing. The error says why the
// directory is not private.
func Open(path string) (*Dir, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is %s: expected a directory", path, file.Kind(info.Mode()))
	}
	if err := checkPrivate(path, info); err != nil {
		return nil, err
	}
	return &Dir{path}, nil
}

// Read returns the content that Write wrote; nil if there is none.
func (d *Dir) Read(ctx context.Context, key Key) ([]byte, error) {
	path := d.file(key)
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is %s: expected a regular file", path, file.Kind(info.Mode()))
	}
	if err := checkPrivate(path, info); err != nil {
		return nil, err
	}
	content, err := file.Read(ctx, path, maxSize)
	if errors.Is(err, fs.ErrNotExist) { // removed in between
		return nil, nil
	}
	return content, err
}

// Write replaces the content, and removes files that have expired.
func (d *Dir) Write(key Key, content []byte, now, expires time.Time) error {
	if len(content) > maxSize {
		return fmt.Errorf("writing %s: %d bytes are too many (at most %d)", d.file(key), len(content), maxSize)
	}
	path := d.file(key)
	if err := file.Write(path, content, 0o600); err != nil {
		return err
	}
	d.sweep(now)
	// The modification time tells later sweeps when the content expires.
	return os.Chtimes(path, time.Time{}, expires)
}

// sweep removes files that have expired, and what an interrupted Write left. It is
// best effort: a file that stays is harmless.
func (d *Dir) sweep(now time.Time) {
	dir, err := os.Open(d.path)
	if err != nil {
		return
	}
	defer dir.Close()
	entries, _ := dir.ReadDir(maxSwept)
	for _, entry := range entries {
		info, err := entry.Info()
		if err == nil && info.Mode().IsRegular() && strings.Contains(entry.Name(), suffix) && now.Sub(info.ModTime()) > grace {
			_ = os.Remove(filepath.Join(d.path, entry.Name()))
		}
	}
}

// Lock waits until no other process has the lock for the key, and takes it. Keys may
// share a lock, so that the number of lock files is limited: a process must hold one
// lock at most.
func (d *Dir) Lock(ctx context.Context, key Key) (unlock func(), err error) {
	// Without O_NONBLOCK, opening a FIFO would wait forever.
	lock := flock.New(filepath.Join(d.path, "lock-"+key.String()[:1]), flock.SetPermissions(0o600), flock.SetFlag(os.O_CREATE|os.O_RDONLY|syscall.O_NONBLOCK))
	waiting, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	if _, err := lock.TryLockContext(waiting, poll); err != nil {
		_ = lock.Close()
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case waiting.Err() != nil:
			return nil, fmt.Errorf("another process has held the lock %s for %s", lock.Path(), maxWait)
		}
		return nil, err
	}
	return func() { _ = lock.Close() }, nil
}

func (d *Dir) file(key Key) string { return filepath.Join(d.path, key.String()+suffix) }
