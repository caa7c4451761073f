package program

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"syscall"
	"time"
)

// Once is what one run of a program took.
type Once struct {
	Wall time.Duration
	// Peak is the resident memory at most, in MiB.
	Peak float64
}

// RunOnce runs a program to its end and throws away what it prints. The launcher
// is this program's own small process: Linux counts in a program's peak what the
// process that started it had resident, and a load generator has much.
func RunOnce(ctx context.Context, launcher string, command Command) (Once, error) {
	cmd := exec.CommandContext(ctx, launcher, append([]string{LaunchCommand, command.Path}, command.Args...)...)
	cmd.Env = command.Env
	output, err := cmd.Output()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return Once{}, fmt.Errorf("running %s: %w: %s", command.Path, err, exit.Stderr)
	}
	if err != nil {
		return Once{}, fmt.Errorf("running %s: %w", command.Path, err)
	}
	var once Once
	if err := json.Unmarshal(output, &once); err != nil {
		return Once{}, fmt.Errorf("running %s: reading what it took: %w", command.Path, err)
	}
	return once, nil
}

// LaunchCommand is the argument that has this program call Launch.
const LaunchCommand = "launch"

// Launch runs a program and prints what it took.
func Launch(out, stderr io.Writer, args []string) error {
	if len(args) == 0 {
		return errors.New("launching: expected a program")
	}
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stderr = stderr
	started := time.Now()
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("launching: %w", err)
	}
	once := Once{Wall: time.Since(started)}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return errors.New("launching: this system does not tell what a process took")
	}
	once.Peak = float64(usage.Maxrss) / 1024
	return json.NewEncoder(out).Encode(once)
}
