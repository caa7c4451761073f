package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
)

func run(ctx context.Context, args []string, env cli.Environment, streams cli.Streams) error {
	return cli.Execute(ctx, newRoot(env), args, streams)
}

func newRoot(env cli.Environment) *cobra.Command {
	root := &cobra.Command{
		Use:   "localaws",
		Short: "A local AWS that really checks signatures and policies",
		Long: `A local AWS: STS, IAM, EKS, EC2 and more on loopback, for unmodified AWS
CLIs and SDKs. It checks every signature, trust policy and permission, and never
reaches the real AWS.`,
		Example: `  localaws serve &
  eval "$(localaws env)"
  aws sts get-caller-identity`,
	}
	root.AddCommand(newServe(), newEnv(env), newInstances(env), newClock(env), newFaults(env), newState(env), newEvents(env), newRelay(), cli.NewVersion("localaws", version))
	return root
}
