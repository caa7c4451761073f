package account

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
)

// A store keeps a text in a file. A save survives a kill at any instant: it writes a
// new file, syncs it and renames it.
type store struct {
	path string
	lock io.Closer
	// create creates a file that only this user can read.
	create func(path string) (storeFile, error)

	// mu is held during a write. A save that waits for it may find its change
	// already written by the save before it.
	mu     sync.Mutex
	saved  uint64
	closed bool
}

type storeFile interface {
	io.WriteCloser
	Sync() error
}

// ErrInUse means that another local AWS holds the state file.
var ErrInUse = errors.New("another localaws uses it")

// openStore opens and reads a state file for this process alone; nil means that it
// does not exist yet.
func openStore(path string) (*store, []byte, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, nil, fmt.Errorf("finding the state file: %w", err)
	}
	// Resolve links: one file has one lock and one place to write.
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	lock, err := lockFile(path + ".lock")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("opening state file %s: directory %s does not exist: create it first", path, filepath.Dir(path))
	}
	if err != nil {
		return nil, nil, fmt.Errorf("opening state file %s: %w", path, err)
	}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		_ = lock.Close()
		return nil, nil, fmt.Errorf("reading the state file: %w", err)
	}
	return &store{path: path, lock: lock, create: createPrivate}, text, nil
}

func createPrivate(path string) (storeFile, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

// save returns once a change has been saved, by itself or by another save. Snapshot
// returns the text and the number of its last change.
func (s *store) save(change uint64, snapshot func() ([]byte, uint64, error)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.saved >= change {
		return nil
	}
	if s.closed {
		return fmt.Errorf("writing state file %s: %w", s.path, fs.ErrClosed)
	}
	text, last, err := snapshot()
	if err != nil {
		return err
	}
	if err := s.write(text); err != nil {
		return fmt.Errorf("writing state file %s: %w", s.path, err)
	}
	s.saved = last
	return nil
}

func (s *store) write(text []byte) error {
	dir, name := filepath.Split(s.path)
	// A fixed name, so that a kill leaves at most one file behind.
	partial := filepath.Join(dir, "."+name+".partial")
	if err := os.Remove(partial); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := s.create(partial)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if err == nil {
		err = file.Sync()
	}
	err = errors.Join(err, file.Close())
	if err == nil {
		err = os.Rename(partial, s.path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(partial)) // a full disk may need the space
	}
	return syncDir(dir)
}

// close releases the file.
func (s *store) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return s.lock.Close()
}
