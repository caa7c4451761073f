package controlplane

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

const (
	partialPrefix = ".partial-"
	// lockFile, in a partial directory, is locked while its process lives. In
	// [Directory.Path], it is locked while partial directories are made or removed.
	lockFile = ".lock"
)

// A partial is a new directory for unfinished programs, beside their destination.
// Each run has its own.
type partial struct {
	path string
	lock *os.File
}

// newPartial makes a partial directory, and removes those of killed runs.
func (d Directory) newPartial() (_ *partial, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("making a directory for unfinished programs: %w", err)
		}
	}()
	dir, err := filepath.Abs(d.Path) // go runs in another directory
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // programs, for all
		return nil, err
	}
	turn, err := lock(dir, syscall.LOCK_EX)
	if err != nil {
		return nil, err
	}
	defer turn.Close()
	if err := removeStale(dir); err != nil {
		return nil, err
	}
	path := filepath.Join(dir, partialPrefix+rand.Text()[:8])
	if err := os.Mkdir(path, 0o755); err != nil { //nolint:gosec // programs, for all
		return nil, err
	}
	held, err := lock(path, syscall.LOCK_EX|syscall.LOCK_NB)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(path))
	}
	return &partial{path, held}, nil
}

func (p *partial) remove() error {
	return errors.Join(os.RemoveAll(p.path), p.lock.Close())
}

// removeStale removes the partial directories that no process holds.
func removeStale(dir string) error {
	found, err := filepath.Glob(filepath.Join(dir, partialPrefix+"*"))
	if err != nil {
		return err
	}
	for _, path := range found {
		held, err := lock(path, syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			continue
		}
		if err != nil {
			return err
		}
		if err := errors.Join(os.RemoveAll(path), held.Close()); err != nil {
			return err
		}
	}
	return nil
}

// lock locks a directory. The kernel releases the lock when the process dies.
func lock(dir string, how int) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), how); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("locking %s: %w", file.Name(), err)
	}
	return file, nil
}
