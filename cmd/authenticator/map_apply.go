package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/file"
	"github.com/kube-iam/authenticator/internal/mapedit"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth/edit"
)

func newMapApply(p *program) *cobra.Command {
	var o editOptions
	command := &cobra.Command{
		Use:   "apply FILE",
		Short: "Replace the cluster's aws-auth with the content of a file",
		Long: `Replace the content of the ConfigMap kube-system/aws-auth with that of a file: a manifest,
its bare data, or JSON. The file - is standard input. Unlike "kubectl apply", it names
who loses access before it writes, and does not lock out you, the last administrator or
a node.`,
		Example: `  authenticator map apply aws-auth.yaml
  authenticator map apply aws-auth.yaml --dry-run`,
		Args: cli.NamedArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			content, err := file.ReadInput(cmd.Context(), p.in, args[0], file.MaxMappings)
			if err != nil {
				return fmt.Errorf("reading the mappings: %w", err)
			}
			options, err := o.options(p, "aws-auth")
			if err != nil {
				return err
			}
			document := edit.File(content)
			read, err := document.Read(options)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			for _, problem := range read.Problems {
				switch problem.Code {
				case mapper.SectionSyntax, mapper.SectionNotList, mapper.SectionTooLarge, mapper.NoSections:
					return fmt.Errorf("%s: %s", args[0], cli.Printable(problem.String()))
				}
			}
			data, err := document.Data()
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			return o.change(cmd.Context(), p, func(edit.Document) (mapedit.Edition, error) {
				return mapedit.Edition{Document: data, Unchanged: "unchanged: aws-auth is like this already"}, nil
			})
		},
	}
	o.addClusterFlags(command.Flags())
	o.addEditFlags(command)
	return command
}
