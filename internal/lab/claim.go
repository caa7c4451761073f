package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// ErrRunning means that a lab runs in the directory, or is coming up there.
var ErrRunning = errors.New("a lab is running or coming up here already")

const (
	// lockFile marks a directory as a lab's: nothing is removed from one without it.
	lockFile = "lab.lock"
	// infoFile describes the lab. Whoever runs it holds a lock on the file too,
	// so that what a killed lab wrote is never taken for what is.
	infoFile = "lab.json"
	// newInfoFile is the description while it is written.
	newInfoFile = infoFile + ".new"
)

// A claim is the right to run in a directory. It is a lock that the kernel
// holds for the process, so that no way of dying can leave it behind.
type claim struct {
	// dir has one name only, whatever links lead to it.
	dir   string
	lock  *os.File
	infos []*os.File
}

// claimDir claims a directory for a lab: one that a lab had before, an empty one
// or a new one. Any other holds somebody's files.
func claimDir(dir string) (_ *claim, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the lab's directory (--dir names another): %w", err)
	}
	c := &claim{}
	if c.dir, err = canonical(dir); err != nil {
		return nil, err
	}
	if err := mayBeALabs(c.dir); err != nil {
		return nil, err
	}
	if c.lock, err = os.OpenFile(filepath.Join(c.dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, fmt.Errorf("opening the lab's lock (--dir names another directory): %w", err)
	}
	if err := syscall.Flock(int(c.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = c.lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %s (lab down ends it)", ErrRunning, c.dir)
		}
		return nil, fmt.Errorf("locking the lab's directory %s: %w", c.dir, err)
	}
	return c, nil
}

// canonical is a directory's one name. What runs in it is known by that.
func canonical(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return "", fmt.Errorf("finding the lab's directory: %w", err)
	}
	return dir, nil
}

func mayBeALabs(dir string) error {
	state, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("finding the lab's directory: %w", err)
	}
	// Its owner could put in our place the programs that kubectl runs.
	if owner, ok := state.Sys().(*syscall.Stat_t); ok && int(owner.Uid) != os.Geteuid() {
		return fmt.Errorf("the directory %s belongs to another user (--dir names another)", dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("reading the lab's directory: %w", err)
	}
	if len(entries) > 0 && !slices.ContainsFunc(entries, isMark) {
		return fmt.Errorf("the directory %s holds files that are not a lab's (name a new or an empty one by --dir)", dir)
	}
	return nil
}

func isMark(entry fs.DirEntry) bool { return entry.Name() == lockFile && entry.Type().IsRegular() }

// isALabs reports whether a lab has claimed the directory before.
func isALabs(dir string) bool {
	state, err := os.Lstat(filepath.Join(dir, lockFile))
	return err == nil && state.Mode().IsRegular()
}

// publish writes the description of the lab that holds the claim. It is there
// whole or not at all, and locked for as long as this process lives.
func (c *claim) publish(info Info) error {
	text, err := json.MarshalIndent(info, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the lab's description: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(c.dir, newInfoFile), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("writing the lab's description: %w", err)
	}
	// Kept open, the earlier one too: someone may have opened that just now.
	c.infos = append(c.infos, file)
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("locking the lab's description: %w", err)
	}
	if _, err := file.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("writing the lab's description: %w", err)
	}
	if err := os.Rename(file.Name(), filepath.Join(c.dir, infoFile)); err != nil {
		return fmt.Errorf("writing the lab's description: %w", err)
	}
	return nil
}

// published is the description of the lab that runs in dir, if one does.
func published(dir string) (info Info, ok bool, err error) {
	file, err := os.Open(filepath.Join(dir, infoFile))
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return Info{}, false, nil
	}
	if err != nil {
		return Info{}, false, fmt.Errorf("reading the lab's description: %w", err)
	}
	defer file.Close()
	switch err := syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); {
	case err == nil: // nobody's: left behind
		return Info{}, false, nil
	case !errors.Is(err, syscall.EWOULDBLOCK):
		return Info{}, false, fmt.Errorf("testing the lock of the lab's description: %w", err)
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return Info{}, false, fmt.Errorf("reading the lab's description: %w", err)
	}
	if err := json.Unmarshal(text, &info); err != nil {
		return Info{}, false, fmt.Errorf("reading the lab's description %s: %w", file.Name(), err)
	}
	return info, true, nil
}

// withdraw the description: the lab is at its end.
func (c *claim) withdraw() error { return c.remove(infoFile, newInfoFile) }

// clear ends the processes and removes the files of a lab that was killed.
func (c *claim) clear(ctx context.Context, progress io.Writer) error {
	ended, err := endLeftovers(ctx, c.dir)
	for _, process := range ended {
		fmt.Fprintf(progress, "lab: ended %s, left behind by a killed lab\n", process)
	}
	if err == nil {
		err = removeKind(ctx, c.dir, progress)
	}
	if err != nil {
		return fmt.Errorf("cleaning up after a killed lab: %w", err)
	}
	return c.removeState()
}

// removeState removes what a lab keeps in its directory besides the mark that it
// is a lab's, and its log, which tells of the failure that one looks for.
func (c *claim) removeState() error {
	return c.remove(infoFile, newInfoFile, "aws", "authenticator", "controlplane", kindDir, "kubeconfig", "owner.kubeconfig", "kube-cache", "tour")
}

func (c *claim) remove(names ...string) error {
	claimed, err := c.lock.Stat()
	if err != nil {
		return fmt.Errorf("removing the lab's state: %w", err)
	}
	// A directory that was removed and made again may be another lab's.
	if now, err := os.Lstat(c.lock.Name()); err != nil || !os.SameFile(claimed, now) {
		return nil
	}
	for _, name := range names {
		if err := os.RemoveAll(filepath.Join(c.dir, name)); err != nil {
			return fmt.Errorf("removing the lab's state: %w", err)
		}
	}
	return nil
}

// release lets go of the directory: by then nothing runs in it any more.
func (c *claim) release() error {
	var errs []error
	for _, file := range append(c.infos, c.lock) {
		// Not by closing alone: a program that is just being started has the file too.
		errs = append(errs, syscall.Flock(int(file.Fd()), syscall.LOCK_UN), file.Close())
	}
	return errors.Join(errs...)
}
