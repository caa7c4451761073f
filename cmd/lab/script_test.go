package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli/clitest"
	"github.com/kube-iam/authenticator/internal/controlplane"
	"github.com/kube-iam/authenticator/internal/controlplane/indextest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"lab": main})
}

// TestScript runs the scripts, which need no running lab. The e2e suite has one.
func TestScript(t *testing.T) {
	index := publish(t)
	clitest.Scripts(t, testscript.Params{Setup: func(env *testscript.Env) error {
		env.Setenv("XDG_CACHE_HOME", env.WorkDir+"/cache")
		env.Setenv("INDEX", index)
		env.Setenv(controlplane.ReleasesVariable, strings.TrimSuffix(index, "/index.yaml"))
		env.Setenv(controlplane.IndexVariable, "http://127.0.0.1:1/no-index.yaml") // no script connects to other machines
		return os.Chmod(env.WorkDir, 0o700)                                        // a lab requires it of its parent, whatever the umask is
	}})
}

// publish serves an index of programs that do nothing.
func publish(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, program := range controlplane.Programs() {
		if err := os.WriteFile(filepath.Join(dir, program), []byte("not a program"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var index indextest.Index
	index.Publish(controlplane.KubernetesVersion, indextest.Pack(t, dir, controlplane.Programs()...))
	index.PublishRelease(controlplane.KubernetesVersion, controlplane.ControllerManager, []byte("not a program"))
	return index.Serve(t)
}

func TestCommands(t *testing.T) {
	clitest.Commands(t, func() *cobra.Command { return newRoot(nil) })
}
