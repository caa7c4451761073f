package lab

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// ErrRunning means that a lab already runs in the directory.
var ErrRunning = errors.New("a lab is running here already")

const lockFile = "lock"

// A claim is the right to run in a directory. It is a lock that the kernel
// holds for the process, so that no way of dying can leave it behind.
type claim struct{ file *os.File }

func claimDir(dir string) (*claim, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the lab's directory: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lab's lock: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("%w: %s (lab down ends it)", ErrRunning, dir)
		}
		return nil, fmt.Errorf("locking the lab's directory %s: %w", dir, err)
	}
	if err := file.Truncate(0); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("writing the lab's lock: %w", err)
	}
	if _, err := fmt.Fprintln(file, os.Getpid()); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("writing the lab's lock: %w", err)
	}
	return &claim{file}, nil
}

func (c *claim) release() error {
	if c == nil {
		return nil
	}
	return c.file.Close()
}

// holder is the process that runs a lab in dir; 0 when none does. The process
// ID is read from the lock file only while somebody holds the lock, so it can
// not be that of a stranger who got the number later.
func holder(dir string) (int, error) {
	file, err := os.OpenFile(filepath.Join(dir, lockFile), os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("opening the lab's lock: %w", err)
	}
	defer file.Close()
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if err == nil {
		return 0, nil
	}
	if !errors.Is(err, syscall.EWOULDBLOCK) {
		return 0, fmt.Errorf("testing the lab's lock: %w", err)
	}
	text, err := os.ReadFile(file.Name())
	if err != nil {
		return 0, fmt.Errorf("reading the lab's lock: %w", err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("reading the lab's lock %s: %w", file.Name(), err)
	}
	return pid, nil
}
