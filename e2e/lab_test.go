//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/kube-iam/authenticator/pkg/lab"
)

// TestKilledLab kills a lab with SIGKILL, and brings it up again in the same place.
func TestKilledLab(t *testing.T) {
	t.Parallel()
	config, err := newConfig("killed")
	if err != nil {
		t.Fatal(err)
	}
	dir, bin := config.Dir, filepath.Dir(config.Authenticator)
	s := newShell(t, awsCLIs(t)[0])
	run := func(arguments string) result {
		return s.try("KUBEBUILDER_ASSETS=" + suite.Info().Assets + " " + bin + "/lab " + arguments + " --dir " + dir)
	}
	var cluster string // with provider kind
	t.Cleanup(func() {
		if r := run("down"); r.err != nil {
			t.Errorf("down: %v: %s", r.err, r.stderr)
		}
		if _, err := os.Stat(filepath.Join(dir, "aws")); err == nil {
			t.Error("its files are still there")
		}
		if cluster != "" && containersOf(t, cluster) != "" {
			t.Errorf("of cluster %s there are still containers or networks: %s", cluster, containersOf(t, cluster))
		}
	})
	up := func() lab.Info {
		t.Helper()
		if r := run("up --provider " + suite.Info().Provider); r.err != nil {
			t.Fatalf("up: %v: %s", r.err, r.stderr)
		}
		info, err := lab.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	first := up()
	cluster = strings.TrimSpace(s.run("kubectl --kubeconfig " + first.Kubeconfig + ` get nodes --output name | sed -n 's|node/\(.*\)-control-plane$|\1|p'`))
	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, watchDelay, "known to be dead", func() bool {
		r := run("status")
		return r.err != nil && strings.Contains(r.stdout, "false")
	})
	if again := up(); again.PID == first.PID || again.Endpoint == first.Endpoint {
		t.Errorf("the second lab has process %d and endpoint %s of the first", again.PID, again.Endpoint)
	}
	output := s.run(bin + "/lab tour --dir " + dir)
	if !strings.Contains(output, "[system:masters system:authenticated]") {
		t.Errorf("nobody is signed in:\n%s", output)
	}
}
