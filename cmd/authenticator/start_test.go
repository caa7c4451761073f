package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"testing"

	"github.com/kube-iam/authenticator/internal/cli/clitest"
)

// TestStartIsLight limits what the program's packages allocate before main, which
// every kubectl call pays for.
func TestStartIsLight(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	command := exec.Command(clitest.Build(t), "version")
	command.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	var trace bytes.Buffer
	command.Stderr = &trace
	if err := command.Run(); err != nil {
		t.Fatalf("%v: %s", err, trace.String())
	}
	total := 0
	for lines := bufio.NewScanner(&trace); lines.Scan(); {
		var name string
		var at, took float64
		var allocated int
		if _, err := fmt.Sscanf(lines.Text(), "init %s @%g ms, %g ms clock, %d bytes", &name, &at, &took, &allocated); err != nil {
			t.Fatalf("%q: %v", lines.Text(), err)
		}
		if allocated > 128<<10 {
			t.Errorf("%s allocates %d KiB at start (move the allocation to where it is needed)", name, allocated>>10)
		}
		total += allocated
	}
	t.Logf("%d KiB allocated at start", total>>10)
	if total == 0 || total > 1280<<10 {
		t.Errorf("%d KiB allocated at start", total>>10)
	}
}
