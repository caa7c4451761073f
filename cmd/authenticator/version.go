package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

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
			built := readBuild()
			// aws-iam-authenticator's keys: upper case in JSON, lower case in YAML.
			if output.String() == cli.YAML {
				return output.Print(p.out, struct {
					Version  string `json:"version"`
					Commit   string `json:"commit"`
					Date     string `json:"date"`
					Go       string `json:"go"`
					Platform string `json:"platform"`
				}(built), nil)
			}
			return output.Print(p.out, built, nil)
		},
	}
	command.Flags().BoolVarP(&short, "short", "s", false, "print only the version number")
	output.AddFlag(command, cli.JSON, cli.YAML)
	return command
}

// build describes how this program was built.
type build struct {
	Version string
	// Commit and Date come from version control; empty if the build did not record
	// them.
	Commit, Date string
	Go           string
	Platform     string
}

func readBuild() build {
	b := build{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			switch setting.Key {
			case "vcs.revision":
				b.Commit = setting.Value
			case "vcs.time":
				b.Date = setting.Value
			}
		}
	}
	return b
}
