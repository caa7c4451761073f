package main

import (
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/file"
)

func newState(env cli.Environment) *cobra.Command {
	var where place
	command := &cobra.Command{
		Use:   "state",
		Short: "Export, import or reset all accounts",
		Long: `Export, import or reset all accounts of a running local AWS: users and their keys,
roles, clusters and everything else, including secrets.`,
		Example: `  localaws state export state.json
  localaws state reset
  localaws state import state.json`,
	}
	where.addTo(command, env)
	command.AddCommand(newStateExport(&where), newStateImport(&where), newStateReset(&where))
	return command
}

func newStateExport(where *place) *cobra.Command {
	return &cobra.Command{
		Use:   "export [FILE]",
		Short: "Write all accounts to a file that only you can read, or to standard output",
		Example: `  localaws state export state.json
  localaws state export | jq .`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			answer, err := where.ask(cmd.Context(), http.MethodGet, "state", nil)
			if err != nil {
				return err
			}
			defer answer.Body.Close()
			if len(args) == 0 || args[0] == "-" {
				if _, err := io.Copy(cmd.OutOrStdout(), answer.Body); err != nil {
					return fmt.Errorf("exporting the state: %w", err)
				}
				return nil
			}
			state, err := io.ReadAll(answer.Body)
			if err == nil {
				err = file.Write(args[0], state, 0o600)
			}
			if err != nil {
				return fmt.Errorf("exporting the state: %w", err)
			}
			return nil
		},
	}
}

func newStateImport(where *place) *cobra.Command {
	return &cobra.Command{
		Use:     "import FILE",
		Short:   "Replace all accounts with exported ones; - reads standard input",
		Example: "  localaws state import state.json",
		Args:    cli.NamedArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			from := cmd.InOrStdin()
			if args[0] != "-" {
				exported, err := os.Open(args[0])
				if err != nil {
					return fmt.Errorf("importing a state: %w", err)
				}
				defer exported.Close()
				from = exported
			}
			return replaceState(cmd, where, http.MethodPut, from)
		},
	}
}

func newStateReset(where *place) *cobra.Command {
	return &cobra.Command{
		Use:     "reset",
		Short:   "Delete everything except the administrators, which keep their keys",
		Example: "  localaws state reset",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return replaceState(cmd, where, http.MethodDelete, nil)
		},
	}
}

func replaceState(cmd *cobra.Command, where *place, method string, body io.Reader) error {
	answer, err := where.ask(cmd.Context(), method, "state", body)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	var counts struct{ Users, Groups, Roles, Clusters, Instances int }
	if err := decode(answer, &counts); err != nil {
		return err
	}
	fmt.Fprintf(cmd.OutOrStdout(), "users: %d, groups: %d, roles: %d, clusters: %d, instances: %d\n",
		counts.Users, counts.Groups, counts.Roles, counts.Clusters, counts.Instances)
	return nil
}
