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

// Once is the cost of one run of a program.
type Once struct {
	Wall time.Duration
	// Peak is the peak resident memory in MiB.
	Peak float64
}

// RunOnce runs a program to its end and discards its output. It starts the program
// through a small launcher process: Linux counts the parent's resident memory in a
// child's peak, and a load generator has much of it. The launcher runs the program
// twice, because its own first start of a process takes it 2 ms. The second run counts.
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
		return Once{}, fmt.Errorf("running %s: reading its cost: %w", command.Path, err)
	}
	return once, nil
}

// LaunchCommand is the argument that makes this program call Launch.
const LaunchCommand = "launch"

// Launch runs a program twice and prints the cost of the second run.
func Launch(out, stderr io.Writer, args []string) error {
	if len(args) == 0 {
		return errors.New("launching: expected a program")
	}
	var once Once
	for range 2 {
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Stderr = stderr
		started := time.Now()
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("launching: %w", err)
		}
		once.Wall = time.Since(started)
		usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		if !ok {
			return errors.New("launching: this system does not report the cost of a process")
		}
		once.Peak = float64(usage.Maxrss) / 1024
	}
	return json.NewEncoder(out).Encode(once)
}
