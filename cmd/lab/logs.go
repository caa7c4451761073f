package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/pkg/lab"
)

func newLogs() *cobra.Command {
	var follow bool
	command := &cobra.Command{
		Use:   "logs [PART]",
		Short: "Print the log of a part of the lab, such as the authenticator",
		Long: `Print the log of a part of the lab. Without PART, list the parts that have a log, each
with the path of its file or the names of its pods. A lab that did not come up keeps the
logs in its directory.

In a lab of provider kind, the parts of the control planes are pods. If there are several
control planes, each line begins with the name of its pod.`,
		Example: `  lab logs
  lab logs authenticator --follow`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if follow && len(args) == 0 {
				return cli.Usagef("--follow requires a PART (%s lists them)", typed(cmd, "logs"))
			}
			dir, err := dirOf(cmd)
			if err != nil {
				return err
			}
			logs, err := lab.Logs(dir)
			if err != nil {
				return err
			}
			if info, err := lab.Status(dir); len(logs) == 0 && err == nil && !info.Running {
				return fmt.Errorf("no logs are in %s (%s starts a lab)", dir, typed(cmd, "up"))
			}
			if len(args) == 0 {
				return listLogs(cmd, dir, logs)
			}
			if log, ok := logOfPart(logs, args[0]); ok {
				return log.Copy(cmd.Context(), cli.PrintableTo(cmd.OutOrStdout()), follow)
			}
			inPods, err := podLogs(cmd, dir)
			if err != nil {
				return err
			}
			if log, ok := logOfPart(inPods, args[0]); ok {
				return log.Copy(cmd.Context(), cli.PrintableTo(cmd.OutOrStdout()), follow)
			}
			var parts []string
			for _, log := range append(logs, inPods...) {
				parts = append(parts, log.Part)
			}
			return cli.Unknown("part", args[0], parts)
		},
	}
	addDirFlag(command)
	command.Flags().BoolVarP(&follow, "follow", "f", false, "print what is added too, until interrupted")
	return command
}

func logOfPart(logs []lab.Log, part string) (lab.Log, bool) {
	i := slices.IndexFunc(logs, func(log lab.Log) bool { return log.Part == part })
	if i < 0 {
		return lab.Log{}, false
	}
	return logs[i], true
}

// podLogs returns the logs in pods of the lab in a directory; none if it does not run.
func podLogs(cmd *cobra.Command, dir string) ([]lab.Log, error) {
	info, err := lab.Status(dir)
	if err != nil {
		return nil, err
	}
	return info.PodLogs(cmd.Context())
}

// listLogs lists the logs in the directory and those in pods.
func listLogs(cmd *cobra.Command, dir string, logs []lab.Log) error {
	inPods, err := podLogs(cmd, dir)
	if err != nil {
		fmt.Fprintln(cmd.ErrOrStderr(), "lab: warning: the logs in pods are not listed:", cli.Indented(err.Error()))
	}
	logs = append(logs, inPods...)
	var output cli.Output
	return output.Print(cmd.OutOrStdout(), logs, func(bool) cli.Rows {
		rows := cli.Rows{Header: []string{"PART", "LOG"}}
		for _, log := range logs {
			where := log.Path
			if len(log.Pods) > 0 {
				where = "pod kube-system/" + strings.Join(log.Pods, ", kube-system/")
			}
			rows.Add(log.Part, where)
		}
		return rows
	})
}
