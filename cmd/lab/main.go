// Lab brings up a Kubernetes cluster that people sign in to with AWS IAM, on
// one machine and with no network: a local AWS, a real kube-apiserver, and the
// authenticator between them.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// version is set by the linker.
var version = "unknown"

func main() {
	signals := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup asks to outlive the terminal
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), signals...)
	context.AfterFunc(ctx, stop) // the first signal ends us in order, a second one at once
	err := run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr})
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "lab: %v\n", err)
		os.Exit(1)
	}
}

type streams struct {
	in       io.Reader
	out, err io.Writer
}

func run(ctx context.Context, args []string, io streams) error {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(io.in)
	root.SetOut(io.out)
	root.SetErr(io.err)
	return root.ExecuteContext(ctx)
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "lab",
		Short: "A Kubernetes cluster with AWS IAM sign-in on this machine, offline",
		Long: `Lab brings up a local AWS, a real kube-apiserver with its etcd, and the
authenticator as its token webhook. Everything it writes is in one directory;
~/.aws and ~/.kube are not touched.`,
		Example: `  lab up                  # bring it up, in the background
  lab tour                # sign in with AWS IAM, step by step
  eval "$(lab env)"       # use it in this shell
  kubectl auth whoami
  lab down                # end it and remove its files`,
		Version:       version,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newUp(), newEnv(), newStatus(), newTour(), newDown())
	return root
}
