package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// staleAfter is the age of a temporary file whose process must have ended.
const staleAfter = time.Hour

// Write writes a file as a whole or not at all. It removes what a killed process left of
// an earlier write.
func Write(path string, content []byte, mode fs.FileMode) error {
	if err := CheckWrite(path); err != nil {
		return err
	}
	return place(path, content, mode, nil, os.Rename)
}

// CheckWrite returns the error of [Write] for a path that is no regular file: as root, it
// would replace even /dev/null.
func CheckWrite(path string) error {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("writing %s: %w", path, checkRegular(path, info))
	}
	return nil
}

// Replace is [Write], but a file that exists keeps its mode, and its owner and group if the
// system allows that: root must not take a user's file away. Without the group, its rights
// are only those that everybody has.
func Replace(path string, content []byte, mode fs.FileMode) error {
	was, err := os.Stat(path)
	if err != nil || !was.Mode().IsRegular() {
		return Write(path, content, mode)
	}
	return place(path, content, was.Mode().Perm(), was, os.Rename)
}

// Create writes a file as a whole or not at all, like [Write]. It fails with
// [fs.ErrExist] if the path exists.
func Create(path string, content []byte, mode fs.FileMode) error {
	return place(path, content, mode, nil, os.Link)
}

// place writes a temporary file beside path, and moves it there. The file gets the owner of
// was, unless that is nil.
func place(path string, content []byte, mode fs.FileMode, was fs.FileInfo, move func(from, to string) error) error {
	dir, prefix := filepath.Dir(path), "."+filepath.Base(path)+".partial-"
	removeStale(dir, prefix)
	partial, err := os.CreateTemp(dir, prefix)
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	defer func() { _ = os.Remove(partial.Name()) }() // fails, as it should, once it is renamed
	if was != nil && !keepOwner(partial, was) {
		mode = forAnotherGroup(mode)
	}
	_, err = partial.Write(content)
	if err := errors.Join(err, partial.Chmod(mode), partial.Sync(), partial.Close()); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	if err := move(partial.Name(), path); err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}

// forAnotherGroup returns a mode whose group has only the rights that everybody has: they
// were meant for another group.
func forAnotherGroup(mode fs.FileMode) fs.FileMode {
	const group, others = 0o070, 0o007
	return mode&^group | mode&group&(mode&others<<3)
}

// removeStale removes old temporary files, as best it can: no write takes that long.
func removeStale(dir, prefix string) {
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		random, ours := strings.CutPrefix(entry.Name(), prefix)
		if !ours || strings.Trim(random, "0123456789") != "" || !entry.Type().IsRegular() {
			continue
		}
		if info, err := entry.Info(); err == nil && time.Since(info.ModTime()) > staleAfter {
			_ = os.Remove(filepath.Join(dir, entry.Name()))
		}
	}
}
