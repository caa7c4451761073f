package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
)

func newVersion(p *program) *cobra.Command {
	var short bool
	var output cli.Output
	command := &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  authenticator version --short",
		Args:    cli.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if short {
				fmt.Fprintln(p.out, version)
				return nil
			}
			return output.Print(p.out, struct {
				Version  string `json:"version"`
				Go       string `json:"go"`
				Platform string `json:"platform"`
			}{version, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}, nil)
		},
	}
	command.Flags().BoolVarP(&short, "short", "s", false, "the version number alone")
	output.AddFlag(command, cli.JSON, cli.YAML)
	return command
}
