package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	"github.com/kube-iam/authenticator/internal/lab"
)

func newStatus() *cobra.Command {
	var output string
	command := &cobra.Command{
		Use:   "status",
		Short: "Say whether the lab runs, and where everything is",
		Long: `Say whether the lab runs, and where everything is. The exit code is 0 when it
runs and 1 when it does not.`,
		Example: `  lab status
  lab status -o json | jq -r .endpoint`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !slices.Contains(outputs(), output) {
				return fmt.Errorf("--output %q is none of json, yaml, wide", output)
			}
			dir, err := dirOf(cmd)
			if err != nil {
				return err
			}
			info, err := lab.Status(dir)
			if err != nil {
				return err
			}
			if err := printStatus(cmd.OutOrStdout(), info, output); err != nil {
				return err
			}
			return info.Ready()
		},
	}
	addDirFlag(command)
	command.Flags().StringVarP(&output, "output", "o", "", "json, yaml or wide (default: the main things)")
	_ = command.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(outputs()[1:], cobra.ShellCompDirectiveNoFileComp))
	return command
}

// outputs are the forms in which a status can be printed.
func outputs() []string { return []string{"", "json", "yaml", "wide"} }

func printStatus(out io.Writer, info lab.Info, format string) error {
	switch format {
	case "json":
		encoder := json.NewEncoder(out)
		encoder.SetIndent("", "  ")
		return encoder.Encode(info)
	case "yaml":
		text, err := yaml.Marshal(info)
		if err != nil {
			return err
		}
		_, err = out.Write(text)
		return err
	default:
		return printStatusTable(out, info, format == "wide")
	}
}

func printStatusTable(out io.Writer, info lab.Info, wide bool) error {
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := func(name string, value any) { fmt.Fprintf(table, "%s\t%v\n", name, value) }
	row("RUNNING", info.Running)
	if info.Running {
		row("CLUSTER", info.Cluster)
		row("PROVIDER", info.Provider)
		row("ENDPOINT", info.Endpoint)
		row("REGION", info.Region)
		row("ACCOUNT", info.Account)
	}
	if info.Running && wide {
		row("OWNER", info.OwnerARN)
		row("LOCAL AWS", info.AWS)
		row("WEBHOOK", info.Webhook)
		row("KUBECONFIG", info.Kubeconfig)
		if info.OwnerKubeconfig != "" {
			row("OWNER'S", info.OwnerKubeconfig)
		}
		row("PROCESS", info.PID)
		row("READY AFTER", fmt.Sprintf("%.1f s", info.StartSeconds))
	}
	row("DIRECTORY", info.Dir)
	return table.Flush()
}
