// Package private keeps files in a directory that no other user can change. It
// opens regular files only, and follows no link out of the directory or inside it.
package private

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kube-iam/authenticator/internal/file"
)

// A Dir is a directory that only this user and root can write to. File names are
// relative to it and separated by slashes.
//
// Its methods check a name before they use it. This is not a race: no other user can
// change the directory in between, and [os.Root] never leaves it.
type Dir struct {
	path string
	root *os.Root
}

// Make opens the directory, and creates it first if it is missing.
func Make(path string) (*Dir, error) { return open(path, true) }

// Open opens the directory. The error is [fs.ErrNotExist] when it is missing,
// and an [*UnsafeError] when other users can change it.
func Open(path string) (*Dir, error) { return open(path, false) }

func open(path string, create bool) (*Dir, error) {
	path, err := resolve(path, create)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &Dir{path, root}, nil
}

// Close closes the directory. Files that were opened in it stay open.
func (d *Dir) Close() error { return d.root.Close() }

// Path returns the directory's path, which has no symbolic links. With elements it
// returns the path of a file in the directory, for other programs.
func (d *Dir) Path(elements ...string) string {
	return filepath.Join(append([]string{d.path}, elements...)...)
}

// Entries lists the directory.
func (d *Dir) Entries() ([]fs.DirEntry, error) { return fs.ReadDir(d.root.FS(), ".") }

// Mkdir makes a directory and its parents, unless they exist.
func (d *Dir) Mkdir(name string) error {
	made, err := d.descend(name, true)
	if err != nil {
		return err
	}
	return made.Close()
}

// MkdirPublic makes a directory that containers of another user can enter too. On this
// machine, other users still cannot reach it.
func (d *Dir) MkdirPublic(name string) error {
	made, err := d.descend(name, true)
	if err != nil {
		return err
	}
	return errors.Join(made.Chmod(".", 0o755), made.Close())
}

// Check returns an error for a file that Open refuses: a link, a device, a file
// with a second name, or one that others can change. A missing file is not an error.
// Use it for files that other programs open by path.
func (d *Dir) Check(names ...string) error {
	for _, name := range names {
		parent, base, err := d.parent(name)
		if err == nil {
			err = d.checkFile(parent, name, base)
			_ = parent.Close()
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Open opens a file for reading.
func (d *Dir) Open(name string) (*os.File, error) { return d.openFile(name, os.O_RDONLY) }

// Append opens a file for writing at its end, and creates it if it is missing.
func (d *Dir) Append(name string) (*os.File, error) {
	return d.openFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE)
}

// Create replaces anything of this name with a new file, open for writing at its
// end. The target of a link, and the other names of a file, keep their content.
func (d *Dir) Create(name string, mode fs.FileMode) (*os.File, error) {
	parent, base, err := d.parent(name)
	if err != nil {
		return nil, err
	}
	defer parent.Close()
	return create(parent, base, mode)
}

func create(parent *os.Root, base string, mode fs.FileMode) (*os.File, error) {
	if err := parent.Remove(base); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	file, err := parent.OpenFile(base, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return nil, err
	}
	if err := file.Chmod(mode); err != nil { // whatever the umask is
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// ReadFile reads a file.
func (d *Dir) ReadFile(name string) ([]byte, error) {
	file, err := d.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}

// WriteFile replaces a file, or a link, with a new file. Readers see either all of
// the old content or all of the new, even if the disk is full.
func (d *Dir) WriteFile(name string, content []byte, mode fs.FileMode) error {
	parent, base, err := d.parent(name)
	if err != nil {
		return err
	}
	defer parent.Close()
	partial := base + ".new"
	file, err := create(parent, partial, mode)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	err = errors.Join(err, file.Close())
	if err == nil {
		err = parent.Rename(partial, base)
	}
	if err != nil {
		return errors.Join(err, parent.Remove(partial))
	}
	return nil
}

// Rename renames a file of the directory.
func (d *Dir) Rename(from, to string) error { return d.root.Rename(from, to) }

// RemoveAll removes files, links and directories with all they contain. It removes
// a link, never its target. A missing file is not an error.
func (d *Dir) RemoveAll(names ...string) error {
	for _, name := range names {
		parent, base, err := d.parent(name)
		if err == nil {
			err = parent.RemoveAll(base)
			_ = parent.Close()
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Chown gives a directory, with all it contains, to another user. From then on Dir
// refuses to open files in it.
func (d *Dir) Chown(name string, uid, gid int) error {
	dir, err := d.descend(name, false)
	if err != nil {
		return err
	}
	defer dir.Close()
	var below []string
	err = fs.WalkDir(dir.FS(), ".", func(at string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			err = d.checkFile(dir, path.Join(name, at), at)
		}
		below = append(below, at)
		return err
	})
	if err != nil {
		return err
	}
	// Content first: the new owner of a directory can put links into it.
	for _, at := range slices.Backward(below) {
		if err := dir.Lchown(at, uid, gid); err != nil {
			return err
		}
	}
	return nil
}

func (d *Dir) openFile(name string, flag int) (*os.File, error) {
	parent, base, err := d.parent(name)
	if err != nil {
		return nil, err
	}
	defer parent.Close()
	if err := d.checkFile(parent, name, base); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return parent.OpenFile(base, flag, 0o600)
}

// parent opens the directory that contains a file. base is the file's name there.
func (d *Dir) parent(name string) (parent *os.Root, base string, err error) {
	dir, base := path.Split(name)
	parent, err = d.descend(dir, false)
	return parent, base, err
}

// descend opens a subdirectory, one element of its name after the other, and follows
// no link.
func (d *Dir) descend(name string, create bool) (*os.Root, error) {
	current, err := d.root.OpenRoot(".")
	if err != nil {
		return nil, err
	}
	at := ""
	for _, element := range strings.FieldsFunc(name, func(r rune) bool { return r == '/' }) {
		at = path.Join(at, element)
		below, err := d.enter(current, at, element, create)
		_ = current.Close()
		if err != nil {
			return nil, err
		}
		current = below
	}
	return current, nil
}

func (d *Dir) enter(parent *os.Root, name, base string, create bool) (*os.Root, error) {
	if create {
		if err := parent.Mkdir(base, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
	}
	state, err := parent.Lstat(base)
	if err != nil {
		return nil, err
	}
	if err := checkDirectory(d.Path(name), state); err != nil {
		return nil, err
	}
	return parent.OpenRoot(base)
}

func (d *Dir) checkFile(parent *os.Root, name, base string) error {
	state, err := parent.Lstat(base)
	if err != nil {
		return err
	}
	switch owner, links := owned(state); {
	case !state.Mode().IsRegular():
		return fmt.Errorf("%s is %s: expected a regular file", d.Path(name), file.Kind(state.Mode()))
	case links > 1:
		return fmt.Errorf("%s has %d hard links: expected one", d.Path(name), links)
	case !trusted(owner) || othersWrite(state):
		return &UnsafeError{Path: d.Path(name), Mode: state.Mode(), Owner: owner}
	}
	return nil
}
