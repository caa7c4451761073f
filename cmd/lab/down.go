package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/pkg/lab"
)

func newDown() *cobra.Command {
	command := &cobra.Command{
		Use:   "down",
		Short: "End the lab and remove its files",
		Long: `End the lab and remove its files, except its log. It also removes what a killed
lab left behind. It prints whose lab it ends, and adds to the lab's log who ended it.`,
		Example: "  lab down",
		Args:    cli.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := dirOf(cmd)
			if err != nil {
				return err
			}
			was, err := lab.Down(cmd.Context(), dir, cmd.ErrOrStderr())
			if err != nil {
				return err
			}
			if was {
				fmt.Fprintln(cmd.ErrOrStderr(), "lab: down")
			} else {
				fmt.Fprintln(cmd.ErrOrStderr(), "lab: none was running")
			}
			if os.Getenv(lab.DirVariable) == dir {
				fmt.Fprintf(cmd.ErrOrStderr(), "lab: this shell still has the lab's variables; to leave: eval \"$(%s)\"\n", typed(cmd, "env --unset"))
			}
			return nil
		},
	}
	addDirFlag(command)
	return command
}
