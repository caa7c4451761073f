package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/lab"
	"github.com/kube-iam/authenticator/pkg/localaws"
)

const dirFlag = "dir"

// addDirFlag adds the flag that all commands share: where the lab lives.
func addDirFlag(command *cobra.Command) {
	command.Flags().String(dirFlag, "", "directory of everything the lab writes: new, empty or a lab's, and not writable by other users (default: kube-iam-lab in the user's cache directory)")
	_ = command.MarkFlagDirname(dirFlag)
}

func dirOf(command *cobra.Command) (string, error) {
	flag := command.Flags().Lookup(dirFlag)
	if !flag.Changed {
		return lab.DefaultDir()
	}
	// What a script meant by a variable that is not set was not the default lab.
	if flag.Value.String() == "" {
		return "", fmt.Errorf("--%s is empty", dirFlag)
	}
	dir, err := filepath.Abs(flag.Value.String())
	if err != nil {
		return "", fmt.Errorf("finding the directory %s: %w", flag.Value, err)
	}
	return dir, nil
}

// typed is another command for the same lab, as one types it after this one.
func typed(command *cobra.Command, name string) string {
	text := quoted(os.Args[0]) + " " + name
	if flag := command.Flags().Lookup(dirFlag); flag.Changed {
		text += " --" + dirFlag + " " + quoted(flag.Value.String())
	}
	return text
}

var plain = regexp.MustCompile(`^[\w./-]+$`)

// quoted for a shell, if need be.
func quoted(word string) string {
	if plain.MatchString(word) {
		return word
	}
	return localaws.Quote(word)
}
