// Package cli is the command line that the three programs have in common:
// streams, output formats, exit codes, hints, progress and help.
package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// A Program is everything but main.
type Program func(ctx context.Context, args []string, env Environment, streams Streams) error

// Main runs a program, prints its error and returns its exit code. The context
// ends at the first interrupt, SIGTERM or given signal; a second one kills.
func Main(name string, run Program, signals ...os.Signal) int {
	caught, stop := signal.NotifyContext(context.Background(), append(signals, os.Interrupt, syscall.SIGTERM)...)
	defer stop()
	// In this order: whoever sees that the program stops can be sure that a second
	// signal kills it.
	ctx, cancel := context.WithCancelCause(context.Background())
	context.AfterFunc(caught, func() { stop(); cancel(context.Cause(caught)) })
	env := Environment(os.Environ())
	err := run(ctx, os.Args[1:], env, Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	if err == nil {
		return 0
	}
	return report(os.Stderr, name, err, colored(isTerminal(os.Stderr), env))
}
