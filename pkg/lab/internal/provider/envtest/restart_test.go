package envtest

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/pkg/lab/internal/private/privatetest"
	"github.com/kube-iam/authenticator/pkg/lab/internal/provider"
)

// startCluster returns a cluster whose authenticator runs, and whose program is missing.
func startCluster(t *testing.T) *Cluster {
	t.Helper()
	sleep, err := exec.LookPath("sleep")
	if err != nil {
		t.Skip("sleep is not installed")
	}
	dir := privatetest.Open(t, privatetest.Path(t))
	if err := os.Mkdir(dir.Path(provider.AuthenticatorDir), 0o700); err != nil {
		t.Fatal(err)
	}
	running, err := startProgram(dir, provider.AuthenticatorLog, nil, sleep, "sleep", "600")
	if err != nil {
		t.Fatal(err)
	}
	return &Cluster{spec: provider.Spec{Dir: dir, Authenticator: dir.Path("missing")}, plane: &controlPlane{}, authenticator: running}
}

// TestRestartOfAMissingProgram restarts the authenticator while its program is missing, as
// during a build, and then restarts it again.
func TestRestartOfAMissingProgram(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	for range 2 {
		if err := c.Restart(t.Context(), "authenticator"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("restarting: %v", err)
		}
	}
}

// TestRestartOfAHangingProgram checks that a restart goes on after it had to kill a program.
func TestRestartOfAHangingProgram(t *testing.T) {
	t.Parallel()
	c := startCluster(t)
	hanging := c.authenticator
	if err := hanging.command.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	hanging.grace = time.Millisecond
	if err := c.Restart(t.Context(), "authenticator"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("restarting = %v, want it to start the program", err)
	}
}
