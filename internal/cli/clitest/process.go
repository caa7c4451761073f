package clitest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/internal/gobuild"
)

// Build builds the program in the test's directory like a release, and returns its
// path.
func Build(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "program")
	build := exec.Command("go", slices.Concat([]string{"build", "-buildvcs=false"}, gobuild.ProgramFlags(), []string{"-ldflags=-s -w", "-o", program, "."})...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if output, err := build.CombinedOutput(); err != nil {
		t.Fatalf("building: %v: %s", err, output)
	}
	return program
}

// Memory returns a memory count of the kernel for a process, in KiB: VmRSS is its
// current memory, VmHWM the peak. Use it instead of the peak that wait returns, which
// includes the parent's.
func Memory(t *testing.T, pid int, count string) (kib int) {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	_, value, _ := strings.Cut(string(status), count+":")
	if _, err := fmt.Sscan(value, &kib); err != nil {
		t.Fatal(err)
	}
	return kib
}
