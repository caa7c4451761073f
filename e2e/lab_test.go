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

// TestKilledLab kills a lab with SIGKILL, and brings it up again in the same place. It is
// taken up: shells that use it go on.
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
		if r := run("down"); r.err != nil || !strings.Contains(r.stderr, "lab: ending the lab in "+dir+" (") {
			t.Errorf("down: %v: %s", r.err, r.stderr)
		}
		if log, err := os.ReadFile(filepath.Join(dir, lab.LogFile)); err != nil || !strings.Contains(string(log), " ends this lab\n") {
			t.Errorf("the log does not say who ended the lab (%v):\n%s", err, log)
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
	used := func(command string) result {
		return s.try(`eval "$(` + bin + "/lab env --dir " + dir + `)" && ` + command)
	}
	for _, command := range []string{"aws iam create-user --user-name survivor", "kubectl create configmap survivor"} {
		if r := used(command); r.err != nil {
			t.Fatalf("%s: %v: %s", command, r.err, r.stderr)
		}
	}
	environment := s.run(bin + "/lab env --dir " + dir)
	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	eventually(t, watchDelay, "known to be dead", func() bool {
		r := run("status")
		return r.err != nil && strings.Contains(r.stdout, "by a killed lab") && strings.Contains(r.stderr, "a killed one left ") &&
			strings.Contains(r.stderr, " resumes it")
	})
	if cluster != "" { // one container has stopped too
		docker(t, "stop", "--time", "0", cluster+"-worker")
	}
	again := up()
	if again.PID == first.PID || again.Endpoint != first.Endpoint || again.AWS != first.AWS {
		t.Errorf("the first lab has process %d, %s and %s, the second %d, %s and %s",
			first.PID, first.Endpoint, first.AWS, again.PID, again.Endpoint, again.AWS)
	}
	for _, command := range []string{"aws iam get-user --user-name survivor", "kubectl get configmap survivor"} {
		if r := s.try(environment + "\n" + command); r.err != nil {
			t.Errorf("%s, in a shell of the first lab: %v: %s", command, r.err, r.stderr)
		}
	}
	if cluster != "" {
		restartContainers(t, again, run)
	}
	output := s.run(bin + "/lab tour --dir " + dir)
	if !strings.Contains(output, "[system:masters system:authenticated]") {
		t.Errorf("nobody is signed in:\n%s", output)
	}
}

// restartContainers stops the containers of a lab, first one and then all, which status sees
// and restart mends.
func restartContainers(t *testing.T, info lab.Info, run func(arguments string) result) {
	t.Helper()
	var names []string
	for _, part := range info.Parts {
		names = append(names, part.Name)
	}
	for _, stopped := range [][]string{names[:1], names} {
		docker(t, append([]string{"stop", "--time", "0"}, stopped...)...)
		r := run("status")
		if r.err == nil || !strings.Contains(r.stdout, "ENDED") {
			t.Errorf("status: %v: %s%s", r.err, r.stdout, r.stderr)
		}
		for _, name := range stopped {
			if !strings.Contains(r.stderr, name) {
				t.Errorf("status does not say that %s has ended: %s", name, r.stderr)
			}
		}
		part := ""
		if len(stopped) == 1 {
			part = stopped[0]
		}
		if r := run("restart " + part); r.err != nil {
			t.Fatalf("restart %s: %v: %s", part, r.err, r.stderr)
		}
		if r := run("status"); r.err != nil {
			t.Errorf("after the restart: %v: %s", r.err, r.stderr)
		}
	}
}

// TestEndedPart kills a part of a lab, which status sees and restart mends. Then all parts
// restart.
func TestEndedPart(t *testing.T) {
	t.Parallel()
	if suite.Info().Provider == lab.Kind {
		t.Skip("TestKilledLab stops the containers of kind")
	}
	config, err := newConfig("parts")
	if err != nil {
		t.Fatal(err)
	}
	own, err := lab.Up(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := own.Close(); err != nil {
			t.Error(err)
		}
	})
	s := newShellIn(t, own, awsCLIs(t)[0])
	bin := filepath.Dir(config.Authenticator)
	run := func(arguments string) result { return s.try(bin + "/lab " + arguments + " --dir " + config.Dir) }
	if r := run("status"); r.err != nil {
		t.Fatalf("status: %v: %s", r.err, r.stderr)
	}
	s.run("kubectl create configmap survivor")
	for _, part := range own.Info().Parts {
		info, err := lab.Inspect(t.Context(), config.Dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, running := range info.Parts {
			if running.Name == part.Name {
				if err := syscall.Kill(running.PID, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
		}
		eventually(t, watchDelay, part.Name+" known to have ended", func() bool {
			r := run("status")
			return r.err != nil && strings.Contains(r.stderr, part.Name) && strings.Contains(r.stderr, "ended")
		})
		if r := run("restart " + part.Name); r.err != nil {
			t.Fatalf("restart %s: %v: %s", part.Name, r.err, r.stderr)
		}
		if r := run("status"); r.err != nil {
			t.Errorf("after the restart of %s: %v: %s", part.Name, r.err, r.stderr)
		}
	}
	if r := run("restart"); r.err != nil {
		t.Fatalf("restart: %v: %s", r.err, r.stderr)
	}
	s.run("kubectl get configmap survivor")
	if output := s.run(bin + "/lab tour --dir " + config.Dir); !strings.Contains(output, "[system:masters system:authenticated]") {
		t.Errorf("nobody is signed in:\n%s", output)
	}
}
