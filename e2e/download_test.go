//go:build e2e

package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/internal/controlplane"
	"github.com/kube-iam/authenticator/internal/controlplane/indextest"
	"github.com/kube-iam/authenticator/pkg/lab"
)

// TestDownloadedControlPlane brings up a lab where there is neither a control plane
// nor our source tree: it downloads the programs, and they run.
func TestDownloadedControlPlane(t *testing.T) {
	t.Parallel()
	if suite.Info().Provider != lab.Envtest {
		t.Skip("a node of kind has its own control plane")
	}
	var index indextest.Index
	index.Publish(controlplane.KubernetesVersion, indextest.Pack(t, suite.Info().Assets, controlplane.Programs()...))
	controllers, err := os.ReadFile(filepath.Join(suite.Info().Assets, controlplane.ControllerManager))
	if err != nil {
		t.Fatal(err)
	}
	index.PublishRelease(controlplane.KubernetesVersion, controlplane.ControllerManager, controllers)
	from := index.Serve(t)
	home := t.TempDir()
	if err := os.Chmod(home, 0o700); err != nil {
		t.Fatal(err)
	}
	config, err := newConfig("downloaded")
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(home, "lab")
	copyProgram(t, filepath.Join(filepath.Dir(config.Authenticator), "lab"), program)
	run := func(arguments ...string) string {
		t.Helper()
		command := exec.Command(program, arguments...)
		command.Dir = home
		command.Env = append(os.Environ(), "KUBEBUILDER_ASSETS=", "XDG_CACHE_HOME="+home, controlplane.IndexVariable+"="+from,
			controlplane.ReleasesVariable+"="+strings.TrimSuffix(from, "/index.yaml"))
		output, err := command.CombinedOutput()
		if err != nil {
			t.Errorf("lab %s: %v\n%s", strings.Join(arguments, " "), err, output)
		}
		return string(output)
	}
	t.Cleanup(func() { run("down") })
	output := run("up", "--authenticator", config.Authenticator)
	for _, want := range []string{"lab: missing in ", "lab: downloaded kube-apiserver, etcd and kubectl of Kubernetes " + controlplane.KubernetesVersion, "lab: downloaded kube-controller-manager ", "lab: ready in "} {
		if !strings.Contains(output, want) {
			t.Errorf("lab up does not say %q:\n%s", want, output)
		}
	}
	if output := run("tour"); !strings.Contains(output, "[system:masters system:authenticated]") {
		t.Errorf("the tour does not sign in:\n%s", output)
	}
}

func copyProgram(t *testing.T, from, to string) {
	t.Helper()
	program, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, program, 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
}
