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

// A store keeps a text in a file, so that what was saved is there after a kill at
// any instant: it is written to a file beside it, which takes its place once it
// is on the disk.
type store struct {
	path string
	lock io.Closer
	// create makes a new file, which nobody else may read.
	create func(path string) (storeFile, error)

	// mu is held while the file is written. Whoever waits for it finds that what
	// it wants saved has been, as part of what the next one wrote.
	mu     sync.Mutex
	saved  uint64
	closed bool
}

type storeFile interface {
	io.WriteCloser
	Sync() error
}

// ErrInUse means that another local AWS has the state file.
var ErrInUse = errors.New("another localaws uses it")

// openStore opens a state file for this process alone, and reads it; nil means
// that there is none yet.
func openStore(path string) (*store, []byte, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, nil, fmt.Errorf("finding the state file: %w", err)
	}
	// However many names the file has, it has one lock and one place to be written.
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	lock, err := lockFile(path + ".lock")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, fmt.Errorf("opening state file %s: there is no directory %s; make it first", path, filepath.Dir(path))
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
		text = []byte{} // an empty file is one
	}
	return &store{path: path, lock: lock, create: createPrivate}, text, nil
}

func createPrivate(path string) (storeFile, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
}

// save returns when a change has been saved: by itself, with all changes until
// now, or by another call that came before. Snapshot tells the text and which
// change was its last.
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
	// Its name is always the same, so that a kill leaves one behind at most.
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
		return errors.Join(err, os.Remove(partial)) // a full disk may need its room
	}
	return syncDir(dir)
}

// close lets others use the file.
func (s *store) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return s.lock.Close()
}

// snapshot is the state as it is now, for the store.
func (a *AWS) snapshot() (text []byte, change uint64, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	text, err = json.Marshal(a.state)
	if err != nil {
		return nil, 0, fmt.Errorf("encoding the state: %w", err)
	}
	return append(text, '\n'), a.changes, nil
}

// save returns when a change of the state has been saved, if it is kept in a
// file; zero is no change. It may not be called under a.mu, which others want meanwhile.
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

// Close saves what has not been saved and gives the state file back; without one
// it does nothing. Calls that change anything fail after it.
func (a *AWS) Close() (err error) {
	a.closing.Do(func() {
		if a.store == nil {
			return
		}
		// What reads leave behind, such as when a key was last used, waits for the
		// next change, or for this.
		err = errors.Join(a.update(func() error { return nil }), a.store.close())
	})
	return err
}
