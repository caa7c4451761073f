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

	"github.com/kube-iam/authenticator/internal/lab/process"
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
	log, err := openLog(dir)
	if err != nil {
		return err
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
	switch info, err := Status(dir); {
	case err != nil:
		return err
	case info.Running && ctx.Err() == nil:
		return nil
	}
	// The pipe was closed without a lab: the process is at its end, and has said why.
	err = command.Wait()
	if err == nil {
		err = errors.New("it ended at once")
	}
	return fmt.Errorf("the lab did not come up (%w); its log is %s", err, filepath.Join(dir, LogFile))
}

// openLog begins the log of a lab in the background. The directory is claimed
// meanwhile, so that no other lab's log is lost.
func openLog(dir string) (*os.File, error) {
	claim, err := claimDir(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = claim.release() }()
	log, err := claim.dir.Create(LogFile, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the lab's log: %w", err)
	}
	return log, nil
}

// ParentProgress is the writer that [Background] listens to; closing it says
// that the lab is ready. It is nil in a process that Background did not start.
func ParentProgress() io.WriteCloser {
	if os.Getenv(progressVariable) == "" {
		return nil
	}
	// Neither is for the programs that we start, who would keep the pipe open.
	const descriptor = 3
	syscall.CloseOnExec(descriptor)
	_ = os.Unsetenv(progressVariable)
	return os.NewFile(descriptor, "progress")
}

// Down ends the lab that runs in dir, or is coming up there, and waits until it
// is gone; what a killed lab left behind is cleaned up too. It reports whether a
// lab was running, and tells progress what it ends.
func Down(ctx context.Context, dir string, progress io.Writer) (was bool, err error) {
	if ok, err := isALabs(dir); err != nil || !ok {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	claim, was, err := claimFromLab(ctx, dir, progress)
	if err != nil {
		return was, err
	}
	defer func() { err = errors.Join(err, claim.release()) }()
	return was, claim.clear(ctx, progress)
}

// claimFromLab claims the directory; a lab that holds it is asked to end.
func claimFromLab(ctx context.Context, dir string, progress io.Writer) (_ *claim, was bool, err error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for asked := 0; ; {
		claim, err := claimDir(dir)
		if !errors.Is(err, ErrRunning) {
			return claim, asked != 0, err
		}
		info, err := Status(dir)
		if err != nil {
			return nil, true, err
		}
		if info.PID != 0 && info.PID != asked {
			fmt.Fprintf(progress, "lab: ending process %d\n", info.PID)
			if err := askToEnd(info); err != nil {
				return nil, true, fmt.Errorf("ending the lab in %s: %w", dir, err)
			}
			asked = info.PID
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, true, fmt.Errorf("waiting for the lab in %s to end: %w", dir, context.Cause(ctx))
		}
	}
}

// askToEnd sends SIGTERM to the lab's process, once that is verified.
func askToEnd(info Info) error {
	err := info.identity().Signal(syscall.SIGTERM)
	switch {
	case errors.Is(err, os.ErrProcessDone):
		return nil
	case errors.Is(err, process.ErrReused):
		// The lab may have ended meanwhile. If it still holds its directory, it runs
		// where PIDs are different.
		if now, err := Status(info.Dir); err != nil || now.identity() != info.identity() {
			return err
		}
		return fmt.Errorf("process %d is not the lab's: the lab may run in another container; end it there", info.PID)
	case errors.Is(err, process.ErrUnproven):
		return fmt.Errorf("process %d: %w, since an earlier version of lab started it: end it with kill %[1]d and try again", info.PID, err)
	case err != nil:
		return fmt.Errorf("signalling process %d: %w", info.PID, err)
	}
	return nil
}
