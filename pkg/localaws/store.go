package localaws

import (
	"encoding/json"
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
	if err == nil && text == nil {
		text = []byte{} // an empty file counts as none
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

// snapshot encodes the current state for the store.
func (a *AWS) snapshot() (text []byte, change uint64, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	text, err = json.Marshal(a.state)
	if err != nil {
		return nil, 0, fmt.Errorf("encoding the state: %w", err)
	}
	return append(text, '\n'), a.changes, nil
}

// save returns once a change of the state has been saved, if a file keeps it; zero
// is no change. Do not hold a.mu during the call.
func (a *AWS) save(change uint64) error {
	if a.store == nil || change == 0 {
		return nil
	}
	return a.store.save(change, a.snapshot)
}

// update changes the state and saves it.
func (a *AWS) update(change func() error) error {
	a.mu.Lock()
	err := change()
	a.changes++
	last := a.changes
	a.mu.Unlock()
	if err != nil {
		return err
	}
	return a.save(last)
}

// Close saves pending changes and releases the state file; without one it does
// nothing. After Close, calls that change anything fail.
func (a *AWS) Close() (err error) {
	a.closing.Do(func() {
		if a.store == nil {
			return
		}
		// Reads leave changes too, such as a key's last use: they wait for the next
		// change or for Close.
		err = errors.Join(a.update(func() error { return nil }), a.store.close())
	})
	return err
}
