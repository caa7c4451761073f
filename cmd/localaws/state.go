package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
)

func newState(env cli.Environment) *cobra.Command {
	var where place
	command := &cobra.Command{
		Use:   "state",
		Short: "Export, import or reset the account",
		Long: `Export, import or reset the account of a running local AWS: users and their keys,
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
		Short: "Write the account to a file that only you can read, or to standard output",
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
			if err := writePrivate(args[0], answer.Body); err != nil {
				return fmt.Errorf("exporting the state: %w", err)
			}
			return nil
		},
	}
}

// writePrivate writes a whole file or nothing.
func writePrivate(path string, content io.Reader) error {
	partial, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-") // mode 0600
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		return &fs.PathError{Op: "creating", Path: path, Err: pathError.Err} // not the temporary name
	}
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(partial.Name()) }() // fails, as it should, once renamed
	_, err = io.Copy(partial, content)
	if closeError := partial.Close(); err == nil {
		err = closeError
	}
	if err != nil {
		return err
	}
	return os.Rename(partial.Name(), path)
}

func newStateImport(where *place) *cobra.Command {
	return &cobra.Command{
		Use:     "import FILE",
		Short:   "Replace the account with an exported one; - reads standard input",
		Example: "  localaws state import state.json",
		Args:    cli.NamedArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			from := cmd.InOrStdin()
			if args[0] != "-" {
				file, err := os.Open(args[0])
				if err != nil {
					return fmt.Errorf("importing a state: %w", err)
				}
				defer file.Close()
				from = file
			}
			return replaceState(cmd, where, http.MethodPut, from)
		},
	}
}

func newStateReset(where *place) *cobra.Command {
	return &cobra.Command{
		Use:     "reset",
		Short:   "Delete everything except the administrator, which keeps its key",
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
