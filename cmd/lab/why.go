package main

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/lab"
)

func newWhy(env cli.Environment) *cobra.Command {
	command := &cobra.Command{
		Use:   "why [-- ARGUMENT...]",
		Short: "Show why somebody could not sign in to the lab",
		Long: `Show the last denials of the lab's authenticator: authenticator why, for this lab. The
arguments after -- are that command's.`,
		Example: `  lab why
  lab why -- K3QF7M2A
  lab why -- --arn arn:aws:iam::231144931069:user/kubedemy`,
		RunE: func(cmd *cobra.Command, args []string) error {
			info, err := open(cmd)
			if err != nil {
				return err
			}
			return runWhy(cmd, info, env, args)
		},
	}
	addDirFlag(command)
	return command
}

// runWhy runs the authenticator's command. In a lab with kind it uses the lab's kubectl.
func runWhy(cmd *cobra.Command, info lab.Info, env cli.Environment, args []string) error {
	why := exec.CommandContext(cmd.Context(), info.Authenticator, info.Why(args)...)
	why.Stdout, why.Stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
	why.Env = append(env, "PATH="+info.Assets+string(filepath.ListSeparator)+env.Get("PATH"))
	err := why.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Exited() {
		return &cli.Error{Code: exit.ExitCode()} // it has printed why
	}
	if err != nil {
		return fmt.Errorf("running authenticator why: %w", err)
	}
	return nil
}
