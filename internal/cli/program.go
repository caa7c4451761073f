// Package cli is the command-line interface that the three programs share: streams,
// output formats, exit codes, hints, progress and help.
package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// A Program is a program without its main.
type Program func(ctx context.Context, args []string, env Environment, streams Streams) error

// Main runs a program, prints its error and returns its exit code. The first interrupt,
// SIGTERM or given signal cancels the context; a second one kills the program.
func Main(name string, run Program, signals ...os.Signal) int {
	caught, stop := signal.NotifyContext(context.Background(), append(signals, os.Interrupt, syscall.SIGTERM)...)
	defer stop()
	// The order matters: once the program is seen to stop, a second signal must kill
	// it.
	ctx, cancel := context.WithCancelCause(context.Background())
	context.AfterFunc(caught, func() { stop(); cancel(context.Cause(caught)) })
	env := Environment(os.Environ())
	err := run(ctx, os.Args[1:], env, Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	if err == nil {
		return 0
	}
	return Report(os.Stderr, name, err, colored(isTerminal(os.Stderr), env))
}
