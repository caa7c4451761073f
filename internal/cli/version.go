package cli

import (
	"fmt"

	"github.com/spf13/cobra"
)

// NewVersion returns the command that prints the version of a program.
func NewVersion(program, version string) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  " + program + " version",
		Args:    NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), version)
			return err
		},
	}
}
