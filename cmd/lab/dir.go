package main

import (
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/lab"
)

const dirFlag = "dir"

// addDirFlag adds the flag that all commands share: where the lab lives.
func addDirFlag(command *cobra.Command) {
	command.Flags().String(dirFlag, "", "directory of everything the lab writes (default: kube-iam-lab in the user's cache directory)")
}

func dirOf(command *cobra.Command) (string, error) {
	dir, err := command.Flags().GetString(dirFlag)
	if err != nil {
		return "", err
	}
	if dir == "" {
		return lab.DefaultDir()
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", fmt.Errorf("finding the directory %s: %w", dir, err)
	}
	return dir, nil
}
