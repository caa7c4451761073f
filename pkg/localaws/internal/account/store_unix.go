//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package account

import (
	"errors"
	"io"
	"os"
	"syscall"
)

// lockFile takes a lock that the kernel releases when the process dies. The lock
// file stays, because waiting processes have it open.
func lockFile(path string) (io.Closer, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = ErrInUse
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

// syncDir syncs a directory, so that a rename in it is on the disk.
func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
