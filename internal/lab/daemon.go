package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// LogFile is the file that a lab in the background writes to.
const LogFile = "lab.log"

// progressVariable tells a lab in the background that file descriptor 3 leads to
// its parent, who wants to know what it is doing until it is ready.
const progressVariable = "LAB_PROGRESS_TO_PARENT"

// Background runs the command, which brings a lab up in the foreground, as a
// process that outlives this one, and returns when that lab is ready. What the
// lab says meanwhile is copied to progress.
func Background(ctx context.Context, dir string, command *exec.Cmd, progress io.Writer) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the lab's directory: %w", err)
	}
	log, err := os.Create(filepath.Join(dir, LogFile))
	if err != nil {
		return fmt.Errorf("opening the lab's log: %w", err)
	}
	defer log.Close()
	reader, writer, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("making a pipe to the lab: %w", err)
	}
	defer reader.Close()
	command.Stdout, command.Stderr = log, log
	command.ExtraFiles = []*os.File{writer} // becomes descriptor 3
	command.Env = append(os.Environ(), progressVariable+"=1")
	// A session of its own: neither Ctrl-C nor the closing of the terminal ends it.
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = command.Start()
	_ = writer.Close()
	if err != nil {
		return fmt.Errorf("starting the lab: %w", err)
	}
	// Whoever gives up waiting does not want a lab.
	stop := context.AfterFunc(ctx, func() { _ = command.Process.Signal(syscall.SIGTERM) })
	defer stop()
	if _, err := io.Copy(progress, reader); err != nil {
		return fmt.Errorf("following the lab: %w", err)
	}
	if _, err := Open(dir); !errors.Is(err, ErrNotRunning) {
		return errors.Join(err, ctx.Err())
	}
	// The pipe was closed without a lab: the process is at its end.
	if err := command.Wait(); err != nil {
		return fmt.Errorf("the lab did not come up: %s", tail(filepath.Join(dir, LogFile)))
	}
	return errors.Join(errors.New("the lab ended at once"), ctx.Err())
}

// ParentProgress is the writer that [Background] listens to; closing it says
// that the lab is ready. It is nil in a process that Background did not start.
func ParentProgress() io.WriteCloser {
	if os.Getenv(progressVariable) == "" {
		return nil
	}
	const descriptor = 3
	syscall.CloseOnExec(descriptor) // else it would stay open as long as the programs that we start
	return os.NewFile(descriptor, "progress")
}

// Down ends the lab that runs in dir and waits until it is gone; what a killed
// lab left behind is cleaned up too. It reports whether a lab was running.
func Down(ctx context.Context, dir string) (bool, error) {
	pid, err := holder(dir)
	if err != nil {
		return false, err
	}
	if pid != 0 {
		if err := askToEnd(ctx, dir, pid); err != nil {
			return true, err
		}
	}
	if _, err := endLeftovers(ctx, dir); err != nil {
		return pid != 0, fmt.Errorf("cleaning up after a killed lab: %w", err)
	}
	return pid != 0, removeState(dir)
}

// askToEnd sends SIGTERM and waits for the lab to let go of its directory.
func askToEnd(ctx context.Context, dir string, pid int) error {
	if err := signal(pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("ending the lab (process %d): %w", pid, err)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if held, err := holder(dir); err != nil || held == 0 {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waiting for the lab (process %d) to end: %w", pid, ctx.Err())
		}
	}
}
