package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kube-iam/authenticator/internal/cli"
)

func newWhy(env cli.Environment) *cobra.Command {
	command := &cobra.Command{
		Use:   "why [ID]",
		Short: "Show why somebody could not sign in: the last denials of the lab's authenticator",
		Long: `Run "authenticator why" for the lab's authenticator: show its last denied and
undecided sign-ins, and why. ID is the ID of a denial, which the logs have too. In a lab
of provider kind, the command asks every authenticator pod.

Exit codes: 0 found; 1 nothing found, or no lab runs; 2 invalid flags or arguments.`,
		Example: `  lab why
  lab why --last`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			info, err := open(cmd)
			if err != nil {
				return err
			}
			var arguments []string
			cmd.Flags().Visit(func(flag *pflag.Flag) {
				if flag.Name != dirFlag {
					arguments = append(arguments, "--"+flag.Name+"="+flag.Value.String())
				}
			})
			why := info.Why(cmd.Context(), env, append(append(arguments, "--"), args...)...)
			why.Stdout, why.Stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
			err = why.Run()
			if ctx := cmd.Context(); ctx.Err() != nil {
				if cmd.Flags().Changed("watch") {
					return nil
				}
				return context.Cause(ctx)
			}
			// It takes the clock of STS for a right one, but local AWS's may be set.
			if wrong := info.WrongClock(cmd.Context()); wrong != "" {
				fmt.Fprintln(cmd.ErrOrStderr(), "lab:", wrong)
			}
			if exited, ok := errors.AsType[*exec.ExitError](err); ok {
				return &cli.Error{Code: exited.ExitCode()} // it printed why
			}
			if err != nil {
				return fmt.Errorf("running %s: %w", info.Authenticator, err)
			}
			return nil
		},
	}
	addDirFlag(command)
	flags := command.Flags()
	flags.String("arn", "", "only decisions about this user, role or session")
	flags.Bool("last", false, "only the last decision")
	flags.BoolP("watch", "w", false, "also print new denials as they happen, until interrupted")
	var output cli.Output
	output.AddFlag(command, cli.Table, cli.Wide, cli.JSON, cli.YAML)
	return command
}
