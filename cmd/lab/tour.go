package main

import (
	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/lab"
)

func newTour() *cobra.Command {
	command := &cobra.Command{
		Use:   "tour",
		Short: "Sign in with AWS IAM step by step, each command shown with its output",
		Long: `Walk through the six steps by which an IAM user is let in to a cluster: create
the user, allow it to describe the cluster, give it an access key, map it in
aws-auth, configure the CLI, get a kubeconfig and sign in.

The commands are run as they are printed, with the AWS CLI if it is installed;
else its calls are made with the AWS SDK. The tour can be taken again.`,
		Example: "  lab up && lab tour",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			info, err := open(cmd)
			if err != nil {
				return err
			}
			return lab.Tour(cmd.Context(), info, cmd.OutOrStdout())
		},
	}
	addDirFlag(command)
	return command
}
