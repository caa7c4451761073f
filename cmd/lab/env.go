package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
)

func newEnv(env cli.Environment) *cobra.Command {
	command := &cobra.Command{
		Use:   "env",
		Short: "Print what a shell needs to use the lab",
		Long: `Print POSIX shell commands that make aws and kubectl use the lab: they set
the variables with which the AWS CLI uses only the local AWS, a KUBECONFIG with an
administrator's context, and a PATH with kubectl.`,
		Example: `  eval "$(lab env)"
  aws sts get-caller-identity
  kubectl get configmap -n kube-system`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			info, err := open(cmd)
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), info.Shell(env))
			return err
		},
	}
	addDirFlag(command)
	return command
}
