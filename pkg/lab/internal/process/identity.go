// Package process signals a process only after it has verified which process it is.
// A PID alone is not enough: the system reuses it when the process has ended.
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// An Identity identifies a process even after another one has reused its PID. It
// can be stored.
type Identity struct {
	PID int `json:"pid"`
	// Started is the start time in a format of the platform. Compare it only.
	Started string `json:"started"`
	// Executable is the path of the program's file.
	Executable string `json:"executable"`
}

var (
	// ErrReused means that the process has ended and another one has its PID.
	ErrReused = errors.New("another process has its PID now")
	// ErrUnproven means that the identity has no start time or executable.
	ErrUnproven = errors.New("its start time and executable were not recorded")
	// errEnding means that the process does not run any more, but may have open files.
	errEnding = fmt.Errorf("its files may be open: %w", os.ErrProcessDone)
)

// Of returns the identity of the process that has the PID now. The error is
// [os.ErrProcessDone] when there is no such process, or it has ended.
func Of(pid int) (Identity, error) {
	identity, _, err := inspect(pid)
	return identity, err
}

// Verify returns nil while the process runs. Otherwise the error is
// [os.ErrProcessDone], [ErrReused] or [ErrUnproven].
func (i Identity) Verify() error {
	if i.PID <= 0 || i.Started == "" || i.Executable == "" {
		return ErrUnproven
	}
	switch now, err := Of(i.PID); {
	case err != nil:
		return err
	case now != i:
		return ErrReused
	}
	return nil
}

// Signal sends a signal to the process, and never to another one. When the process
// does not run, it returns the error of Verify.
func (i Identity) Signal(signal os.Signal) error {
	if i.PID <= 0 {
		return ErrUnproven
	}
	// The handle, opened before the check, refers to the process that is checked. Linux
	// has such handles, pidfds; on other systems the PID can be reused between the check
	// and the signal.
	handle, err := os.FindProcess(i.PID)
	if err != nil {
		return err
	}
	defer handle.Release()
	if err := i.Verify(); err != nil {
		return err
	}
	return handle.Signal(signal)
}

// Kill kills the process and waits until it has ended, so that what it listened on is
// free.
func (i Identity) Kill(ctx context.Context) error {
	if err := i.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		switch err := i.Verify(); {
		case errors.Is(err, errEnding):
		case errors.Is(err, os.ErrProcessDone) || errors.Is(err, ErrReused):
			return nil
		case err != nil:
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for process %d to end: %w", i.PID, context.Cause(ctx))
		}
	}
}
