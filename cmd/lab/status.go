package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/pkg/lab"
)

func newStatus() *cobra.Command {
	var output cli.Output
	command := &cobra.Command{
		Use:   "status",
		Short: "Show whether the lab runs, with all its parts, and where its files and endpoints are",
		Long: `Show whether the lab runs, which of its parts have ended, and where its files and
endpoints are. A part is a program or, with provider kind, a container. For a lab that
was killed, show what it left.

The exit code is 0 if the lab runs with all its parts, and otherwise 1.`,
		Example: `  lab status
  lab status -o json | jq -r .endpoint`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := dirOf(cmd)
			if err != nil {
				return err
			}
			info, err := lab.Inspect(cmd.Context(), dir)
			if err != nil {
				return err
			}
			s := status{info, logOf(dir)}
			if err := output.Print(cmd.OutOrStdout(), s, s.rows); err != nil {
				return err
			}
			return info.Ready()
		},
	}
	addDirFlag(command)
	output.AddFlag(command, cli.Table, cli.Wide, cli.JSON, cli.YAML)
	return command
}

// status is what the command prints.
type status struct {
	lab.Info
	// Log is the path of the lab's log; empty if there is none.
	Log string `json:"log,omitempty"`
}

// logOf returns the path of the log of the lab in a directory; empty if there is none.
func logOf(dir string) string {
	logs, err := lab.Logs(dir)
	if i := slices.IndexFunc(logs, func(log lab.Log) bool { return log.Part == "lab" }); err == nil && i >= 0 {
		return logs[i].Path
	}
	return ""
}

func (s status) rows(wide bool) (rows cli.Rows) {
	info := s.Info
	rows.Add("RUNNING", info.Running)
	if info.Running {
		rows.Add("CLUSTER", info.Cluster)
		rows.Add("PROVIDER", info.Provider)
		rows.Add("ENDPOINT", info.Endpoint)
		rows.Add("REGION", info.Region)
		rows.Add("ACCOUNT", info.Account)
		addParts(&rows, info.Parts)
	}
	if info.Left != nil {
		rows.Add("LEFT", "by a killed lab")
		addParts(&rows, info.Left.Running)
	}
	if info.Running && wide {
		rows.Add("OWNER", info.OwnerARN)
		rows.Add("LOCAL AWS", info.AWS)
		rows.Add("WEBHOOK", info.Webhook)
		rows.Add("KUBECONFIG", info.Kubeconfig)
		if info.OwnerKubeconfig != "" {
			rows.Add("OWNER'S", info.OwnerKubeconfig)
		}
		rows.Add("PROCESS", info.PID)
		rows.Add("USER", info.User)
		rows.Add("SINCE", info.Since.Local().Format(time.DateTime))
		rows.Add("READY AFTER", fmt.Sprintf("%.1f s", info.StartSeconds))
	}
	rows.Add("DIRECTORY", info.Dir)
	if s.Log != "" {
		rows.Add("LOG", s.Log)
	}
	return rows
}

// addParts adds a row for the parts that run, and one for those that have ended.
func addParts(rows *cli.Rows, parts []lab.Part) {
	var running, ended []string
	for _, part := range parts {
		if part.Running {
			running = append(running, part.String())
		} else {
			ended = append(ended, part.Name)
		}
	}
	if len(running) > 0 {
		rows.Add("PARTS", strings.Join(running, ", "))
	}
	if len(ended) > 0 {
		rows.Add("ENDED", strings.Join(ended, ", "))
	}
}
