package main

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/mapedit"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth/edit"
)

func newMapList(p *program) *cobra.Command {
	var o mapOptions
	var output cli.Output
	command := &cobra.Command{
		Use:   "list",
		Short: "List the mappings",
		Long:  "List the mappings in aws-auth. Entries that are ignored because of a mistake are not listed: see \"authenticator lint\".",
		Example: `  authenticator map list
  authenticator map list -f aws-auth.yaml -o wide`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			result, _, err := o.read(cmd.Context(), p)
			if err != nil {
				return err
			}
			return printMappings(p, &output, mapedit.MappingsOf(result))
		},
	}
	o.addFlags(command.Flags())
	output.AddFlag(command, cli.Table, cli.Wide, cli.JSON, cli.YAML, cli.Name)
	return command
}

func newMapGet(p *program) *cobra.Command {
	var o mapOptions
	var output cli.Output
	command := &cobra.Command{
		Use:   "get PRINCIPAL",
		Short: "Show the mappings of a principal",
		Long: `Show the mappings of a principal as they are written in aws-auth. The exit code is 1 if
it has none. To see how an identity is mapped, run "authenticator explain".

` + principalUsage,
		Example: "  authenticator map get arn:aws:iam::111122223333:role/Admin -o yaml",
		Args:    cli.NamedArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			principal, err := o.principal(p, args[0])
			if err != nil {
				return err
			}
			result, document, err := o.read(cmd.Context(), p)
			if err != nil {
				return err
			}
			var found []mapedit.Mapping
			for _, m := range mapedit.MappingsOf(result) {
				if m.Is(principal) {
					found = append(found, m)
				}
			}
			if len(found) > 0 {
				return printMappings(p, &output, found)
			}
			if written, err := edit.Find(document, principal); err != nil {
				return err
			} else if len(written) > 0 {
				return &cli.Error{
					Code: cli.ExitFailure, Hint: "this command shows the mistake: " + o.lint(p),
					Err: fmt.Errorf("the entry of %s in %s is ignored for a mistake", principal, written[0].Section),
				}
			}
			return fmt.Errorf("%s is not mapped", principal)
		},
	}
	o.addFlags(command.Flags())
	output.AddFlag(command, cli.Table, cli.Wide, cli.JSON, cli.YAML, cli.Name)
	return command
}

func printMappings(p *program, output *cli.Output, mappings []mapedit.Mapping) error {
	return output.Print(p.out, mappings, func(wide bool) cli.Rows {
		rows := cli.Rows{Header: []string{"PRINCIPAL", "USERNAME", "GROUPS"}}
		if wide {
			rows.Header = append(rows.Header, "USER-ID", "SECTION", "LINE", "APPLIES")
		}
		for _, m := range mappings {
			username := m.Username
			if m.AccountID != "" {
				username = "(the principal's ARN)"
			}
			groups := strings.Join(m.Groups, ",")
			if groups == "" {
				groups = "-"
			}
			cells := []any{m.Principal(), username, groups}
			if wide {
				cells = append(cells, cmp.Or(m.UserID, "-"), m.Section, m.Line, m.Applies)
			}
			rows.Add(cells...)
		}
		return rows
	})
}
