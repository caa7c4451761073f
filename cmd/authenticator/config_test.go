package main

import (
	"slices"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/config"
)

func commandNamed(t *testing.T, root *cobra.Command, name string) *cobra.Command {
	t.Helper()
	command, _, err := root.Find([]string{name})
	if err != nil || command.Name() != name {
		t.Fatalf("command %q: %v", name, err)
	}
	return command
}

// TestEveryServerFlagHasAConfigKey checks that the configuration file can set all that
// the server's flags set.
func TestEveryServerFlagHasAConfigKey(t *testing.T) {
	server := commandNamed(t, newRoot(cli.Environment{}, cli.Streams{}), "server")
	flags := config.Flags()
	server.LocalNonPersistentFlags().VisitAll(func(flag *pflag.Flag) {
		switch flag.Name {
		case "help", "check-config": // these are for one run only
			return
		}
		if !slices.Contains(flags[""], flag.Name) && !slices.Contains(flags["server"], flag.Name) {
			t.Errorf("--%s has no key in the configuration file", flag.Name)
		}
	})
}

// TestEveryConfigKeyHasAFlag checks that no key is accepted and then ignored.
func TestEveryConfigKeyHasAFlag(t *testing.T) {
	root := newRoot(cli.Environment{}, cli.Streams{})
	for name, flags := range config.Flags() {
		commands := root.Commands()
		if name != "" {
			commands = []*cobra.Command{commandNamed(t, root, name)}
		}
		for _, flag := range flags {
			if !slices.ContainsFunc(commands, func(c *cobra.Command) bool {
				return c.Flags().Lookup(flag) != nil || root.PersistentFlags().Lookup(flag) != nil
			}) {
				t.Errorf("the key for --%s of %q sets a flag that does not exist", flag, name)
			}
		}
	}
}
