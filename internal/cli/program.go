// Package cli is the command-line interface that the three programs share: streams,
// output formats, exit codes, hints, progress and help.
package cli

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// A Program is a program without its main.
type Program func(ctx context.Context, args []string, env Environment, streams Streams) error

// Main runs a program, prints its error and returns its exit code. From the first call of
// the context's Done on, the first interrupt, SIGTERM or given signal cancels the context,
// and a second one kills the program. Before, the first kills it; [Execute] calls Done
// unless the command is [Brief].
func Main(name string, run Program, signals ...os.Signal) int {
	ctx := newInterruptible(append(signals, os.Interrupt, syscall.SIGTERM))
	env := Environment(os.Environ())
	err := run(ctx, os.Args[1:], env, Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr})
	if err == nil {
		return 0
	}
	return Report(os.Stderr, name, err, colored(isTerminal(os.Stderr), env))
}

// interruptible is a context that the first signal cancels. It catches signals from the
// first call of Done on: for that Go starts a thread, which takes 5 to 10 % of the time of a
// command that waits for nothing, such as the output of a cached token. See [Brief].
type interruptible struct {
	context.Context

	cancel  context.CancelCauseFunc
	signals []os.Signal
	caught  sync.Once
}

func newInterruptible(signals []os.Signal) *interruptible {
	ctx, cancel := context.WithCancelCause(context.Background())
	return &interruptible{Context: ctx, cancel: cancel, signals: signals}
}

// Done implements [context.Context].
func (i *interruptible) Done() <-chan struct{} {
	i.caught.Do(i.catch)
	return i.Context.Done()
}

func (i *interruptible) catch() {
	caught, stop := signal.NotifyContext(context.Background(), i.signals...)
	// The order matters: once the program is seen to stop, a second signal must kill it.
	context.AfterFunc(caught, func() { stop(); i.cancel(context.Cause(caught)) })
}
