// Bench compares the authenticator with aws-iam-authenticator, its peer, and with
// the floor, the least that a server can do, against one stand-in for STS. `make
// bench-compare` builds and runs it. See README.md.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/kube-iam/authenticator/hack/bench/internal/floor"
	"github.com/kube-iam/authenticator/internal/loadtest/program"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run compares, or acts as one of the processes that a comparison starts.
func run(ctx context.Context, args []string) error {
	switch {
	case len(args) > 0 && args[0] == program.LaunchCommand:
		return program.Launch(os.Stdout, os.Stderr, args[1:])
	case len(args) == 3 && args[0] == floorCommand:
		return floor.Serve(ctx, args[1], args[2] == withSTS)
	}
	o, err := parseOptions(args)
	if err != nil {
		return err
	}
	return compare(ctx, o, os.Stdout, os.Stderr)
}
