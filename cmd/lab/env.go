package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/pkg/lab"
)

func newEnv(env cli.Environment) *cobra.Command {
	var leave bool
	command := &cobra.Command{
		Use:   "env",
		Short: "Print what a shell needs to use the lab",
		Long: `Print POSIX shell commands that make aws and kubectl use the lab. They set:

  - the variables that point AWS clients at the local AWS
    (localaws env --help says which clients ignore them)
  - KUBECONFIG, with an administrator's context
  - KUBECACHEDIR, so that kubectl keeps its cache in the lab
  - PATH, with kubectl
  - LAB_DIR, so that the lab commands of the shell use this lab

--unset prints how to leave; it does not restore what was set before.`,
		Example: `  eval "$(lab env)"
  aws sts get-caller-identity
  kubectl get configmap -n kube-system
  eval "$(lab env --unset)"`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if leave {
				return printLeave(cmd, env)
			}
			info, err := open(cmd)
			if err != nil {
				return err
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), info.Shell(env))
			return err
		},
	}
	addDirFlag(command)
	command.Flags().BoolVar(&leave, "unset", false, "print what unsets the variables instead; needs no running lab")
	return command
}

// printLeave prints how to leave a lab, whether it runs or not.
func printLeave(cmd *cobra.Command, env cli.Environment) error {
	dir, err := dirOf(cmd)
	if err != nil {
		return err
	}
	info, err := lab.Status(dir)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(cmd.OutOrStdout(), info.Leave(env))
	return err
}
