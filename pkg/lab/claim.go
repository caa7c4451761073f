package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"syscall"

	"github.com/kube-iam/authenticator/pkg/lab/internal/private"
	"github.com/kube-iam/authenticator/pkg/lab/internal/provider"
	"github.com/kube-iam/authenticator/pkg/lab/internal/provider/envtest"
	"github.com/kube-iam/authenticator/pkg/lab/internal/provider/kind"
)

// ErrRunning means that a lab is running or coming up in the directory.
var ErrRunning = errors.New("a lab is running or coming up here already")

const (
	// lockFile marks a directory as a lab's. Without it, nothing is removed.
	lockFile = "lab.lock"
	// infoFile describes the lab. A running lab keeps the file locked, so that
	// a killed lab's file is never taken for a running lab's.
	infoFile = "lab.json"
	// newInfoFile is infoFile while it is written.
	newInfoFile = infoFile + ".new"
)

// A claim is the right to run in a directory. It is a file lock, which the kernel
// releases however the process ends.
type claim struct {
	dir   *private.Dir
	lock  *os.File
	infos []*os.File
}

// claimDir claims a directory for a lab. It must be new, empty or an earlier
// lab's: any other may hold the user's files.
func claimDir(path string) (_ *claim, err error) {
	dir, err := private.Make(path)
	if err != nil {
		return nil, refused(err)
	}
	defer func() {
		if err != nil {
			_ = dir.Close()
		}
	}()
	if err := mayBeALabs(dir); err != nil {
		return nil, err
	}
	lock, err := dir.Append(lockFile)
	if err != nil {
		return nil, fmt.Errorf("opening the lab's lock (--dir names another directory): %w", err)
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %s (%s ends it)", ErrRunning, dir.Path(), provider.Command(dir.Path(), "down"))
		}
		return nil, fmt.Errorf("locking the lab's directory %s: %w", dir.Path(), err)
	}
	return &claim{dir: dir, lock: lock}, nil
}

// openDir opens a directory that may be a lab's. It returns nil if it is missing.
func openDir(path string) (*private.Dir, error) {
	dir, err := private.Open(path)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		return nil, refused(err)
	}
	return dir, nil
}

func refused(err error) error {
	return fmt.Errorf("opening the lab's directory (--dir names another): %w", err)
}

func mayBeALabs(dir *private.Dir) error {
	entries, err := dir.Entries()
	if err != nil {
		return fmt.Errorf("reading the lab's directory: %w", err)
	}
	if len(entries) > 0 && !slices.ContainsFunc(entries, isMark) {
		return fmt.Errorf("directory %s holds files that are not a lab's (name a new or empty directory with --dir)", dir.Path())
	}
	return nil
}

func isMark(entry fs.DirEntry) bool { return entry.Name() == lockFile && entry.Type().IsRegular() }

// isALabs reports whether a lab has claimed the directory before.
func isALabs(path string) (bool, error) {
	dir, err := openDir(path)
	if err != nil || dir == nil {
		return false, err
	}
	defer dir.Close()
	entries, err := dir.Entries()
	if err != nil {
		return false, fmt.Errorf("reading the lab's directory: %w", err)
	}
	return slices.ContainsFunc(entries, isMark), nil
}

// publish writes the description of the lab. Readers see all of it or none, and
// it stays locked while this process runs.
func (c *claim) publish(info Info) error {
	text, err := json.MarshalIndent(info, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the lab's description: %w", err)
	}
	file, err := c.dir.Create(newInfoFile, 0o600)
	if err != nil {
		return fmt.Errorf("writing the lab's description: %w", err)
	}
	// The earlier file stays open and locked too: another process may have opened it.
	c.infos = append(c.infos, file)
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("locking the lab's description: %w", err)
	}
	if _, err := file.Write(append(text, '\n')); err != nil {
		return fmt.Errorf("writing the lab's description: %w", err)
	}
	if err := c.dir.Rename(newInfoFile, infoFile); err != nil {
		return fmt.Errorf("writing the lab's description: %w", err)
	}
	return nil
}

// published returns the description of the lab that runs in a directory, and
// reports whether one does.
func published(path string) (info Info, ok bool, err error) {
	dir, err := openDir(path)
	if err != nil || dir == nil {
		return Info{}, false, err
	}
	defer dir.Close()
	file, err := dir.Open(infoFile)
	if errors.Is(err, fs.ErrNotExist) {
		return Info{}, false, nil
	}
	if err != nil {
		return Info{}, false, fmt.Errorf("reading the lab's description: %w", err)
	}
	defer file.Close()
	switch err := syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB); {
	case err == nil: // left behind by a killed lab
		return Info{}, false, nil
	case !errors.Is(err, syscall.EWOULDBLOCK):
		return Info{}, false, fmt.Errorf("testing the lock of the lab's description: %w", err)
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return Info{}, false, fmt.Errorf("reading the lab's description: %w", err)
	}
	if err := json.Unmarshal(text, &info); err != nil {
		return Info{}, false, fmt.Errorf("reading the lab's description %s: %w", dir.Path(infoFile), err)
	}
	return info, true, nil
}

// abandoned returns the description of the lab that was killed in a directory, and
// reports whether one was: a lab that ends removes it. None may run there. A description
// that was not written in full, as on a full disk, is empty.
func abandoned(dir *private.Dir) (info Info, ok bool, err error) {
	text, err := dir.ReadFile(infoFile)
	if errors.Is(err, fs.ErrNotExist) {
		return Info{}, false, nil
	}
	if err != nil {
		return Info{}, false, fmt.Errorf("reading the killed lab's description: %w", err)
	}
	if err := json.Unmarshal(text, &info); err != nil {
		return Info{}, true, nil //nolint:nilerr // see above
	}
	return info, true, nil
}

// withdraw removes the description, since the lab is ending.
func (c *claim) withdraw() error { return c.remove(infoFile, newInfoFile) }

// clear ends the processes and removes the files of a lab that was killed.
func (c *claim) clear(ctx context.Context, progress io.Writer) error {
	err := endLeftovers(ctx, c.dir, progress)
	if err == nil {
		err = kind.RemoveLeftovers(ctx, c.dir, func(format string, args ...any) { fmt.Fprintf(progress, "lab: "+format+"\n", args...) })
	}
	if err != nil {
		return fmt.Errorf("cleaning up after a killed lab: %w", err)
	}
	return c.removeState()
}

// removeState removes a lab's files. It keeps the mark of a lab's directory, and the
// log, which may explain a failure.
func (c *claim) removeState() error {
	return c.remove(infoFile, newInfoFile, controlSocket, processesFile, awsDir, provider.AuthenticatorDir, provider.AccessDir, envtest.Dir, kind.Dir, kubeconfigFile, ownerKubeconfigFile, "kube-cache", tourDir, callersDir)
}

// removeData removes what is of no use without a running lab, and large. The other files
// show what the lab has done.
func (c *claim) removeData() error { return c.remove(processesFile, envtest.EtcdDir) }

// remove removes files from the claimed directory. If the directory was replaced by
// another one, which may be another lab's, that one's files stay.
func (c *claim) remove(names ...string) error {
	if err := c.dir.RemoveAll(names...); err != nil {
		return fmt.Errorf("removing the lab's state: %w", err)
	}
	return nil
}

// release ends the claim. By then nothing may run in the directory.
func (c *claim) release() error {
	var errs []error
	for _, file := range append(c.infos, c.lock) {
		// Closing alone may not unlock it: a program that is just being started has
		// the file open too.
		errs = append(errs, syscall.Flock(int(file.Fd()), syscall.LOCK_UN), file.Close())
	}
	return errors.Join(append(errs, c.dir.Close())...)
}
