package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/pkg/lab"
)

func newLogs() *cobra.Command {
	var follow bool
	command := &cobra.Command{
		Use:   "logs [PART]",
		Short: "Print the log of a part of the lab, such as the authenticator",
		Long: `Print the log of a part of the lab. Without PART, list the parts that have a log in the
lab's directory, with the path of each. A lab that did not come up keeps its logs.

In a lab of provider kind, the logs of the cluster's parts are on its nodes: kubectl logs
prints them.`,
		Example: `  lab logs
  lab logs authenticator --follow`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if follow && len(args) == 0 {
				return cli.Usagef("--follow requires a PART (lab logs lists them)")
			}
			dir, err := dirOf(cmd)
			if err != nil {
				return err
			}
			logs, err := lab.Logs(dir)
			if err != nil {
				return err
			}
			if len(logs) == 0 {
				return fmt.Errorf("no logs are in %s (lab up starts a lab)", dir)
			}
			if len(args) == 0 {
				return listLogs(cmd, logs)
			}
			var parts []string
			for _, log := range logs {
				if log.Part == args[0] {
					return log.Copy(cmd.Context(), cli.PrintableTo(cmd.OutOrStdout()), follow)
				}
				parts = append(parts, log.Part)
			}
			return cli.Unknown("part", args[0], parts)
		},
	}
	addDirFlag(command)
	command.Flags().BoolVarP(&follow, "follow", "f", false, "print what is added too, until interrupted")
	return command
}

func listLogs(cmd *cobra.Command, logs []lab.Log) error {
	var output cli.Output
	return output.Print(cmd.OutOrStdout(), logs, func(bool) cli.Rows {
		rows := cli.Rows{Header: []string{"PART", "LOG"}}
		for _, log := range logs {
			rows.Add(log.Part, log.Path)
		}
		return rows
	})
}
