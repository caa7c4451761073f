package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Write writes a file as a whole or not at all. It removes what a killed process left of
// an earlier write.
func Write(path string, content []byte, mode fs.FileMode) error {
	return place(path, content, mode, os.Rename)
}

// Create writes a file as a whole or not at all, like [Write]. It fails with
// [fs.ErrExist] if the path exists.
func Create(path string, content []byte, mode fs.FileMode) error {
	return place(path, content, mode, os.Link)
}

// place writes a temporary file beside path, and moves it there.
func place(path string, content []byte, mode fs.FileMode, move func(from, to string) error) error {
	dir, prefix := filepath.Dir(path), "."+filepath.Base(path)+".partial-"
	removeStale(dir, prefix)
	partial, err := os.CreateTemp(dir, prefix)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer func() {
		_ = os.Remove(partial.Name()) // fails, as it should, once renamed
		_ = partial.Close()
	}()
	// The lock says that the file is in use, until it has its name. Some file systems have
	// none: then nobody can take the file for a stale one either.
	_ = lock(partial)
	_, err = partial.Write(content)
	if err := errors.Join(err, partial.Chmod(mode), partial.Sync()); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := move(partial.Name(), path); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// removeStale removes the temporary files whose process has ended, as best it can.
func removeStale(dir, prefix string) {
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		random, ours := strings.CutPrefix(entry.Name(), prefix)
		if !ours || strings.Trim(random, "0123456789") != "" || !entry.Type().IsRegular() {
			continue
		}
		name := filepath.Join(dir, entry.Name())
		f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
		if err != nil {
			continue
		}
		if lock(f) == nil {
			_ = os.Remove(name)
		}
		_ = f.Close()
	}
}

func lock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
