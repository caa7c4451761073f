package private

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/kube-iam/authenticator/internal/file"
)

// An UnsafeError reports a file or directory that another user can change or replace.
type UnsafeError struct {
	Path string
	Mode fs.FileMode
	// Owner is the user ID of its owner.
	Owner int
}

func (e *UnsafeError) Error() string {
	if !trusted(e.Owner) {
		return fmt.Sprintf("%s belongs to another user (uid %d, mode %04o): expected this user or root", e.Path, e.Owner, e.Mode.Perm())
	}
	remedy := "chmod go-w " + e.Path + " makes it safe"
	if e.Mode&fs.ModeSticky != 0 { // others need to write there, as in /tmp
		remedy = "expected a directory of your own, such as " + filepath.Join(e.Path, "lab")
	}
	return fmt.Sprintf("other users can write to %s (uid %d, mode %04o): %s", e.Path, e.Owner, e.Mode.Perm(), remedy)
}

// maxLinks bounds the symbolic links of a path, as Linux does.
const maxLinks = 40

// resolve returns the path of a directory without symbolic links. No other user can
// change what is at that path: each directory on the way belongs to this user or
// root, and others either cannot write to it, or it is sticky, like /tmp, and they
// cannot replace our directory in it. With create, resolve makes missing directories.
//
// It starts at the root, so that a directory that passed the check stays safe.
func resolve(path string, create bool) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	const root = string(filepath.Separator)
	current, rest, links := root, elements(path), 0
	state, err := os.Lstat(root)
	if err != nil {
		return "", err
	}
	for {
		if err := checkAncestor(current, state, len(rest) == 0); err != nil {
			return "", err
		}
		if len(rest) == 0 {
			return current, nil
		}
		next := filepath.Join(current, rest[0])
		rest = rest[1:]
		if state, err = lstat(next, create); err != nil {
			return "", err
		}
		if state.Mode()&fs.ModeSymlink == 0 {
			current = next
			continue
		}
		if links++; links > maxLinks {
			return "", &fs.PathError{Op: "resolving", Path: path, Err: syscall.ELOOP}
		}
		target, err := follow(next, state)
		if err != nil {
			return "", err
		}
		if filepath.IsAbs(target) {
			current = root
		}
		rest = append(elements(target), rest...)
		if state, err = os.Lstat(current); err != nil {
			return "", err
		}
	}
}

func elements(path string) []string {
	return strings.FieldsFunc(path, func(r rune) bool { return r == filepath.Separator })
}

func lstat(path string, create bool) (fs.FileInfo, error) {
	state, err := os.Lstat(path)
	if create && errors.Is(err, fs.ErrNotExist) {
		if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		return os.Lstat(path)
	}
	return state, err
}

// follow returns the target of a symbolic link. It refuses another user's link,
// which that user can change.
func follow(path string, state fs.FileInfo) (string, error) {
	if owner, _ := owned(state); !trusted(owner) {
		return "", &UnsafeError{Path: path, Mode: state.Mode(), Owner: owner}
	}
	return os.Readlink(path)
}

// checkAncestor checks a directory on the way. Being sticky is not enough for the
// last one, since others could add files to it.
func checkAncestor(path string, state fs.FileInfo, last bool) error {
	if !last && state.Mode()&fs.ModeSticky != 0 {
		// The owner of the directory in it is checked next.
		if owner, _ := owned(state); state.IsDir() && trusted(owner) {
			return nil
		}
	}
	return checkDirectory(path, state)
}

func checkDirectory(path string, state fs.FileInfo) error {
	if !state.IsDir() {
		return fmt.Errorf("%s is %s: expected a directory: %w", path, file.Kind(state.Mode()), syscall.ENOTDIR)
	}
	if owner, _ := owned(state); !trusted(owner) || othersWrite(state) {
		return &UnsafeError{Path: path, Mode: state.Mode(), Owner: owner}
	}
	return nil
}

// trusted reports whether a user can change our files anyway.
func trusted(uid int) bool { return uid == 0 || uid == os.Geteuid() }

// othersWrite reports whether another user can write to a file.
func othersWrite(state fs.FileInfo) bool {
	mode := state.Mode().Perm()
	return mode&0o002 != 0 || mode&0o020 != 0 && !isOurs(group(state))
}

func group(state fs.FileInfo) int {
	if system, ok := state.Sys().(*syscall.Stat_t); ok {
		return int(system.Gid)
	}
	return -1
}

// owned returns the user ID of a file's owner, and the number of its hard links.
func owned(state fs.FileInfo) (uid int, links uint64) {
	if system, ok := state.Sys().(*syscall.Stat_t); ok {
		return int(system.Uid), uint64(system.Nlink) //nolint:unconvert // the type of Nlink depends on the platform
	}
	return -1, 0
}
