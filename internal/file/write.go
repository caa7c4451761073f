package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Write writes a file as a whole or not at all.
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
	partial, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer func() { _ = os.Remove(partial.Name()) }() // fails, as it should, once it is renamed
	_, err = partial.Write(content)
	if err := errors.Join(err, partial.Chmod(mode), partial.Sync(), partial.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := move(partial.Name(), path); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
