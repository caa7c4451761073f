package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/shell"
	"github.com/kube-iam/authenticator/pkg/lab"
)

const dirFlag = "dir"

// addDirFlag adds the flag for the lab's directory, which all commands share.
func addDirFlag(command *cobra.Command) {
	command.Flags().String(dirFlag, "", "directory of the lab's files: new, empty or a lab's, and not writable by other users (default: $LAB_DIR, or kube-iam-lab in the user's cache directory)")
	_ = command.MarkFlagDirname(dirFlag)
}

func dirOf(command *cobra.Command) (string, error) {
	flag := command.Flags().Lookup(dirFlag)
	named := flag.Value.String()
	switch {
	case flag.Changed && named == "":
		// It is likely an unset variable in a script, and must not mean the default lab.
		return "", fmt.Errorf("--%s is empty: expected a directory", dirFlag)
	case !flag.Changed:
		named = os.Getenv(lab.DirVariable)
	}
	if named == "" {
		return lab.DefaultDir()
	}
	dir, err := filepath.Abs(named)
	if err != nil {
		return "", fmt.Errorf("finding the directory %s: %w", named, err)
	}
	return dir, nil
}

// typed returns the command line of another command for the same lab.
func typed(command *cobra.Command, name string) string {
	text := shell.Quote(os.Args[0]) + " " + name
	if flag := command.Flags().Lookup(dirFlag); flag.Changed {
		text += " --" + dirFlag + " " + shell.Quote(flag.Value.String())
	}
	return text
}
