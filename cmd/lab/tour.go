package main

import (
	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/pkg/lab"
)

func newTour() *cobra.Command {
	command := &cobra.Command{
		Use:   "tour",
		Short: "Sign in with AWS IAM step by step, showing each command and its output",
		Long: `Walk through the six steps that give an IAM user access to a cluster: create the
user, allow it to describe the cluster, create its access key, map it in aws-auth,
configure the CLI, and get a kubeconfig and sign in.

The commands run as they are printed. If the AWS CLI is not installed, the tour
uses the AWS SDK instead. The tour can be repeated: it first deletes its user, and
replaces mapRoles and mapUsers of aws-auth, with all that you added to them.`,
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
