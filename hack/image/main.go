// Image assembles container images from files and tar archives: without an
// engine, without a registry, and the same bytes from the same inputs.
package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"
)

func main() {
	if err := run(os.Args[1:], os.Getenv, os.Stdout); err != nil {
		fmt.Fprintf(os.Stderr, "image: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string, getenv func(string) string, stdout io.Writer) error {
	root := &cobra.Command{
		Use:   "image",
		Short: "Assemble container images without an engine",
		Long: `Image assembles container images from files and tar archives, and prints the name,
platform, size and digest of each.

An image has only the files that are named: they belong to root, and their time is
$SOURCE_DATE_EPOCH, or else the epoch.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newBuild(getenv), newIndex())
	root.SetArgs(args)
	root.SetOut(stdout)
	return root.Execute()
}
