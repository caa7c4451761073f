// Package file writes the files of a local AWS.
package file

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Write writes a file as a whole or not at all. It replaces what is at the path: a link
// leads it nowhere else, and an existing file does not keep its mode.
func Write(path string, content []byte, mode fs.FileMode) error {
	partial, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(partial.Name()) }() // fails, as expected, after the rename
	_, err = partial.Write(content)
	if err := errors.Join(err, partial.Chmod(mode), partial.Close()); err != nil {
		return err
	}
	return os.Rename(partial.Name(), path)
}
