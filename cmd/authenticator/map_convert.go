package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/convert"
)

func newMapConvert(p *program) *cobra.Command {
	var o mapOptions
	var to, clusterName string
	command := &cobra.Command{
		Use:   "convert",
		Short: "Print the mappings as EKS access entries or as IAMIdentityMappings",
		Long: `Print the mappings as commands of the AWS CLI that create the same access entries in EKS,
or as IAMIdentityMappings, the objects of --backend-mode CRD.

A comment and a line on standard error name what has no equivalent. The exit code is then 1.`,
		Example: `  authenticator map convert --to access-entries --cluster-name my-cluster
  authenticator map convert --to crd -f aws-auth.yaml`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if clusterName == "" {
				clusterName = p.ClusterID
			}
			switch {
			case to == "":
				return cli.Usagef("the format is missing: name it with --to (supported: %s)", strings.Join(convert.Formats(), ", "))
			case to == convert.AccessEntries && clusterName == "":
				return cli.Usagef("the name of the EKS cluster is missing: name it with --cluster-name")
			case to != convert.AccessEntries && to != convert.CRD:
				return cli.Usagef("--to: %w", cli.Unknown("format", to, convert.Formats()))
			}
			result, _, err := o.read(cmd.Context(), p)
			if err != nil {
				return err
			}
			text, lost := convert.Convert(result.Table, to, clusterName)
			if err := p.printf(p.out, "%s", text); err != nil {
				return err
			}
			for _, what := range lost {
				fmt.Fprintf(p.err, "authenticator: not converted: %s\n", cli.Printable(what))
			}
			if len(lost) > 0 {
				return fmt.Errorf("%d mappings or parts of them could not be converted", len(lost))
			}
			return nil
		},
	}
	o.addFlags(command.Flags())
	command.Flags().StringVar(&to, "to", "", "format: "+strings.Join(convert.Formats(), " or "))
	command.Flags().StringVar(&clusterName, "cluster-name", "", "name of the EKS cluster (default: the cluster ID)")
	_ = command.RegisterFlagCompletionFunc("to", cobra.FixedCompletions(convert.Formats(), cobra.ShellCompDirectiveNoFileComp))
	return command
}
