package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli/clitest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"lab": main})
}

// TestScript is what a lab says that does not run; one that runs is e2e's.
func TestScript(t *testing.T) {
	clitest.Scripts(t, testscript.Params{Setup: func(env *testscript.Env) error {
		env.Setenv("XDG_CACHE_HOME", env.WorkDir+"/cache")
		return os.Chmod(env.WorkDir, 0o700) // a lab's parent, whatever the umask is
	}})
}

func TestCommands(t *testing.T) {
	clitest.Commands(t, func() *cobra.Command { return newRoot(nil) })
}
