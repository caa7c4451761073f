package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"
)

func newVersion(p *program) *cobra.Command {
	var short bool
	var output string
	command := &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  authenticator version --short",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			if short {
				fmt.Fprintln(p.out, version)
				return nil
			}
			return printAs(p.out, output, struct {
				Version  string `json:"version"`
				Go       string `json:"go"`
				Platform string `json:"platform"`
			}{version, runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH})
		},
	}
	command.Flags().BoolVarP(&short, "short", "s", false, "the version number alone")
	command.Flags().StringVarP(&output, "output", "o", "json", "json or yaml")
	return command
}
