package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth/edit"
)

// mapping is what map list prints for programs.
type mapping struct {
	ARN       string   `json:"arn,omitempty"`
	UserID    string   `json:"userID,omitempty"`
	SSO       *diffSSO `json:"sso,omitempty"`
	AccountID string   `json:"accountID,omitempty"`
	Username  string   `json:"username,omitempty"`
	Groups    []string `json:"groups"`
	Section   string   `json:"section"`
	Line      int      `json:"line"`
	// Applies is false if the entry has no effect, such as a duplicate.
	Applies bool `json:"applies"`
}

// principal returns the principal as the argument of map get and map remove.
func (m mapping) principal() string {
	switch {
	case m.SSO != nil:
		text := "permissionSetName=" + m.SSO.PermissionSet + ",accountID=" + m.SSO.AccountID
		if m.SSO.Partition != "" && m.SSO.Partition != "aws" {
			text += ",partition=" + m.SSO.Partition
		}
		return text
	case m.AccountID != "":
		return m.AccountID
	}
	return cmp.Or(m.ARN, m.UserID)
}

func newMapList(p *program) *cobra.Command {
	var o mapOptions
	var output cli.Output
	command := &cobra.Command{
		Use:   "list",
		Short: "List the mappings",
		Long:  "List the mappings in aws-auth. Entries that are dropped for a mistake are not listed: see \"authenticator lint\".",
		Example: `  authenticator map list
  authenticator map list -f aws-auth.yaml -o wide`,
		Args: cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			result, _, err := o.read(cmd.Context(), p)
			if err != nil {
				return err
			}
			return printMappings(p, &output, mappingsOf(result))
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
			principal, err := parsePrincipal(args[0])
			if err != nil {
				return err
			}
			result, document, err := o.read(cmd.Context(), p)
			if err != nil {
				return err
			}
			var found []mapping
			for _, m := range mappingsOf(result) {
				if m.is(principal) {
					found = append(found, m)
				}
			}
			if len(found) > 0 {
				return printMappings(p, &output, found)
			}
			if written, err := edit.Find(document, principal); err != nil {
				return err
			} else if len(written) > 0 {
				return fmt.Errorf("the entry of %s in %s is ignored for a mistake: see \"authenticator lint\"", principal, written[0].Section)
			}
			return fmt.Errorf("%s is not mapped", principal)
		},
	}
	o.addFlags(command.Flags())
	output.AddFlag(command, cli.Table, cli.Wide, cli.JSON, cli.YAML, cli.Name)
	return command
}

// is reports whether a mapping is for a principal.
func (m mapping) is(p edit.Principal) bool {
	other := mapping{ARN: p.ARN, AccountID: p.Account}
	if p.SSO != nil {
		other.SSO = &diffSSO{p.SSO.PermissionSet, p.SSO.AccountID, p.SSO.Partition}
	}
	return strings.EqualFold(m.principal(), other.principal())
}

func mappingsOf(result *awsauth.Result) []mapping {
	mappings := []mapping{}
	bySection := map[string][]mapping{}
	for entry, applies := range result.Table.Entries() {
		m := mapping{ARN: entry.ARN, UserID: entry.UserID, Username: entry.Username.String(), Groups: texts(entry.Groups), Section: entry.Rule.Section, Line: entry.Rule.Line, Applies: applies}
		if entry.SSO != nil {
			m.SSO = &diffSSO{entry.SSO.PermissionSet, entry.SSO.AccountID, entry.SSO.Partition}
		}
		bySection[m.Section] = append(bySection[m.Section], m)
	}
	for account, applies := range result.Table.Accounts() {
		m := mapping{AccountID: account.ID, Groups: []string{}, Section: account.Rule.Section, Line: account.Rule.Line, Applies: applies}
		bySection[m.Section] = append(bySection[m.Section], m)
	}
	for _, section := range awsauth.Sections() {
		mappings = append(mappings, bySection[section]...)
		delete(bySection, section)
	}
	for _, object := range slices.Sorted(maps.Keys(bySection)) {
		mappings = append(mappings, bySection[object]...)
	}
	return mappings
}

func texts(templates []mapper.Template) []string {
	list := make([]string, len(templates))
	for i, template := range templates {
		list[i] = template.String()
	}
	return list
}

func printMappings(p *program, output *cli.Output, mappings []mapping) error {
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
			cells := []any{m.principal(), username, groups}
			if wide {
				cells = append(cells, cmp.Or(m.UserID, "-"), m.Section, m.Line, m.Applies)
			}
			rows.Add(cells...)
		}
		return rows
	})
}
