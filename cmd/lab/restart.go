package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/pkg/lab"
)

func newRestart() *cobra.Command {
	command := &cobra.Command{
		Use:   "restart [PART]",
		Short: "Restart a part of the lab, such as kube-apiserver, or all of them",
		Long: `Restart a part of the lab's cluster, or start it if it has ended. Without PART, restart
all of them. Their data and addresses stay. "lab status" lists the parts. In a lab
of provider kind, they are the containers of the cluster.

A lab that was killed is not restarted: "lab up" resumes it.`,
		Example: `  lab restart kube-apiserver
  lab restart`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			info, err := open(cmd)
			if err != nil {
				return err
			}
			var parts []string
			for _, part := range info.Parts {
				parts = append(parts, part.Name)
			}
			if len(args) > 0 && !slices.Contains(parts, args[0]) {
				return cli.Unknown("part", args[0], parts)
			}
			if err := lab.RestartIn(cmd.Context(), info.Dir, args...); err != nil {
				return err
			}
			for _, part := range parts {
				if len(args) == 0 || part == args[0] {
					fmt.Fprintf(cmd.ErrOrStderr(), "lab: restarted %s\n", part)
				}
			}
			return nil
		},
	}
	addDirFlag(command)
	return command
}
