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
		Long: `Image assembles container images from files and tar archives, and tells on
standard output of each what it is: name, platform, size and digest.

Nothing of this machine gets into an image but what is named: files belong to
root, and their time is $SOURCE_DATE_EPOCH, or else the epoch.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newBuild(getenv), newIndex())
	root.SetArgs(args)
	root.SetOut(stdout)
	return root.Execute()
}
