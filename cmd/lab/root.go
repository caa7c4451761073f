package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"
	"k8s.io/klog/v2"

	"github.com/kube-iam/authenticator/internal/cli"
)

func run(ctx context.Context, args []string, env cli.Environment, streams cli.Streams) error {
	klog.LogToStderr(false) // client-go logs with it; commands return their errors
	klog.SetOutput(io.Discard)
	return cli.Execute(ctx, newRoot(env), args, streams)
}

func newRoot(env cli.Environment) *cobra.Command {
	root := &cobra.Command{
		Use:   "lab",
		Short: "A Kubernetes cluster with AWS IAM sign-in on this machine, offline",
		Long: `Lab brings up a local AWS, a real kube-apiserver with its etcd, and the
authenticator as its token webhook. Its data is in one directory;
~/.aws and ~/.kube are not touched.`,
		Example: `  lab up                  # bring it up, in the background
  lab tour                # sign in with AWS IAM, step by step
  eval "$(lab env)"       # use it in this shell
  kubectl auth whoami
  lab down                # end it and remove its files`,
		Version: version,
	}
	root.AddCommand(newUp(env), newEnv(env), newStatus(), newTour(), newWhy(env), newLogs(), newRestart(), newDown(), cli.NewVersion("lab", version))
	return root
}
