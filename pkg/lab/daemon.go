package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/kube-iam/authenticator/pkg/lab/internal/process"
)

// LogFile is the log of a lab in the background.
const LogFile = "lab.log"

// progressVariable is set for a lab in the background. It means that file
// descriptor 3 is a pipe, from which the parent reads the progress until the lab is
// ready.
const progressVariable = "LAB_PROGRESS_TO_PARENT"

// Background starts a command that brings a lab up in the foreground, as a process
// that outlives this one, and returns when the lab is ready. Until then it copies
// the lab's progress to progress.
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
	// In a session of its own, the lab outlives Ctrl-C and the terminal.
	command.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err = command.Start()
	_ = writer.Close()
	if err != nil {
		return fmt.Errorf("starting the lab: %w", err)
	}
	// A user who stops waiting does not want the lab.
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
	// The pipe was closed, but no lab runs: the process is ending and has printed why.
	err = command.Wait()
	if err == nil {
		err = errors.New("it ended at once")
	}
	return fmt.Errorf("the lab did not come up (%w); its log is %s", err, filepath.Join(dir, LogFile))
}

// openLog creates the log of a lab in the background. It claims the directory
// meanwhile, so that it never replaces a running lab's log.
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

// ParentProgress returns the writer of the pipe that [Background] reads. Close it
// when the lab is ready. It is nil in a process that Background did not start.
func ParentProgress() io.WriteCloser {
	if os.Getenv(progressVariable) == "" {
		return nil
	}
	// The programs that we start must not inherit either: they would keep the pipe open.
	const descriptor = 3
	syscall.CloseOnExec(descriptor)
	_ = os.Unsetenv(progressVariable)
	return os.NewFile(descriptor, "progress")
}

// Down ends the lab that is running or coming up in dir, waits until it has ended,
// and cleans up what a killed lab left behind. It reports whether a lab was running,
// and writes what it ends to progress.
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

// EndKilled cleans up what a killed lab left behind in dir, and reports whether one was
// killed there. If a lab runs there, or the last one ended by itself, it does nothing.
func EndKilled(ctx context.Context, dir string, progress io.Writer) (killed bool, err error) {
	if ok, err := isALabs(dir); err != nil || !ok {
		return false, err
	}
	claim, err := claimDir(dir)
	if errors.Is(err, ErrRunning) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer func() { err = errors.Join(err, claim.release()) }()
	if _, killed, err = abandoned(claim.dir); err != nil || !killed {
		return false, err
	}
	return true, claim.clear(ctx, progress)
}

// claimFromLab claims the directory. If a lab holds it, it asks the lab to end and
// waits.
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
			fmt.Fprintf(progress, "lab: ending the lab in %s (%s)\n", info.Dir, info.owner())
			if err := logEnd(info); err != nil { // such as on a full disk, which down may free
				fmt.Fprintf(progress, "lab: %v\n", err)
			}
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

// logEnd adds who ends a lab to its log. The lab itself gets only a signal, which does
// not tell.
func logEnd(info Info) error {
	dir, err := info.open()
	if err != nil {
		return err
	}
	defer dir.Close()
	log, err := dir.Append(LogFile)
	if err != nil {
		return fmt.Errorf("writing the lab's log: %w", err)
	}
	_, err = fmt.Fprintf(log, "lab: %s: process %d of user %s ends this lab\n", time.Now().Format(time.DateTime), os.Getpid(), username())
	if err := errors.Join(err, log.Close()); err != nil {
		return fmt.Errorf("writing the lab's log: %w", err)
	}
	return nil
}

// username returns the name of this process's user, or its number if it has no name.
func username() string {
	if current, err := user.Current(); err == nil {
		return current.Username
	}
	return strconv.Itoa(os.Getuid())
}

// askToEnd verifies the lab's process and sends it SIGTERM.
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
