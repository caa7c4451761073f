package main

import (
	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/lab"
)

func newLogs() *cobra.Command {
	follow := false
	command := &cobra.Command{
		Use:   "logs [PART]",
		Short: "Print the log of a part of the lab",
		Long: `Print the log of a part of the lab: lab (the default), which has the local AWS and the
progress of lab up, or a program of the control plane, such as authenticator or
kube-apiserver. The error for an unknown part lists those that there are. In a lab with
kind, the pods have logs of their own: kubectl logs.`,
		Example: `  lab logs
  lab logs authenticator --follow`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := dirOf(cmd)
			if err != nil {
				return err
			}
			part := "lab"
			if len(args) > 0 {
				part = args[0]
			}
			return lab.PrintLog(cmd.Context(), dir, part, follow, cmd.OutOrStdout())
		},
	}
	command.Flags().BoolVarP(&follow, "follow", "f", false, "go on until interrupted")
	addDirFlag(command)
	return command
}
