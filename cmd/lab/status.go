package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/pkg/lab"
)

func newStatus() *cobra.Command {
	var output cli.Output
	command := &cobra.Command{
		Use:   "status",
		Short: "Show whether the lab runs, and where its files and endpoints are",
		Long: `Show whether the lab runs, and where its files and endpoints are. The exit code
is 0 if it runs and 1 if it does not.`,
		Example: `  lab status
  lab status -o json | jq -r .endpoint`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := dirOf(cmd)
			if err != nil {
				return err
			}
			info, err := lab.Status(dir)
			if err != nil {
				return err
			}
			if err := output.Print(cmd.OutOrStdout(), info, func(wide bool) cli.Rows { return statusRows(info, wide) }); err != nil {
				return err
			}
			return info.Ready()
		},
	}
	addDirFlag(command)
	output.AddFlag(command, cli.Table, cli.Wide, cli.JSON, cli.YAML)
	return command
}

func statusRows(info lab.Info, wide bool) (rows cli.Rows) {
	rows.Add("RUNNING", info.Running)
	if info.Running {
		rows.Add("CLUSTER", info.Cluster)
		rows.Add("PROVIDER", info.Provider)
		rows.Add("ENDPOINT", info.Endpoint)
		rows.Add("REGION", info.Region)
		rows.Add("ACCOUNT", info.Account)
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
		rows.Add("READY AFTER", fmt.Sprintf("%.1f s", info.StartSeconds))
	}
	rows.Add("DIRECTORY", info.Dir)
	if wide {
		rows.Add("LOG", filepath.Join(info.Dir, lab.LogFile))
	}
	return rows
}
