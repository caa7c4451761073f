//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// A process of this machine, from /proc.
type process struct {
	pid int
	// started distinguishes it from another process with the same number.
	started string
	// cgroup is the directory of its own cgroup; empty if it has none.
	cgroup string
}

// authenticatorProcess returns the authenticator of the suite's lab.
func authenticatorProcess(t *testing.T) *process {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		command, _ := os.ReadFile(file) // the process may have ended
		if !strings.HasPrefix(string(command), "authenticator\x00server\x00") || !strings.Contains(string(command), suite.Info().Dir+"/") {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			t.Fatal(err)
		}
		return &process{pid: pid, started: startOf(pid)}
	}
	t.Fatalf("no authenticator of the lab in %s is among the processes", suite.Info().Dir)
	return nil
}

// startOf returns when a process started; empty if it does not exist.
func startOf(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	_, afterName, _ := strings.Cut(string(stat), ") ")
	if fields := strings.Fields(afterName); len(fields) > 19 && fields[0] != "Z" {
		return fields[19]
	}
	return ""
}

// mustRun fails the test if the process has ended.
func (p *process) mustRun(t *testing.T) {
	t.Helper()
	if startOf(p.pid) == p.started {
		return
	}
	why := ""
	for _, file := range []string{"memory.events", "memory.oom_control"} { // of cgroup v2 and v1
		if text, err := os.ReadFile(filepath.Join(p.cgroup, file)); p.cgroup != "" && err == nil {
			why = fmt.Sprintf(" (%s of its cgroup: %q)", file, text)
		}
	}
	t.Fatalf("the authenticator has ended%s; its log says:\n%s", why, suite.AuthenticatorLog(context.Background()))
}

// memory returns a size in /proc/PID/status in bytes.
func (p *process) memory(t *testing.T, name string) int {
	t.Helper()
	p.mustRun(t)
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^` + name + `:\s+(\d+) kB$`).FindSubmatch(status)
	if found == nil {
		t.Fatalf("the status of the process has no %s", name)
	}
	size, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return size << 10
}

// peakMemory returns its peak resident memory.
func (p *process) peakMemory(t *testing.T) int {
	t.Helper()
	return p.memory(t, "VmHWM")
}

// limitMemory makes the kernel kill the process above a limit, as in a kubelet's
// pod, with a cgroup that is removed after the process. Where no cgroup can be
// created, the test checks only the peak.
func (p *process) limitMemory(t *testing.T, limit int) {
	t.Helper()
	if err := p.joinCgroup(t, limit); err != nil {
		t.Logf("no cgroup limits the authenticator's memory, so only its peak is looked at: %v", err)
		return
	}
	t.Logf("the authenticator has %d MiB, by %s", limit>>20, p.cgroup)
}

// joinCgroup creates a cgroup and moves the process there. Its resident memory stays
// charged to the old cgroup, so the limit is reduced by that.
func (p *process) joinCgroup(t *testing.T, limit int) error {
	memberships, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return err
	}
	root, file := "/sys/fs/cgroup", "memory.max"
	own := regexp.MustCompile(`(?m)^0::(.*)$`).FindSubmatch(memberships)
	if v1 := regexp.MustCompile(`(?m)^\d+:memory:(.*)$`).FindSubmatch(memberships); v1 != nil {
		root, file, own = "/sys/fs/cgroup/memory", "memory.limit_in_bytes", v1
	}
	if own == nil {
		return fmt.Errorf("/proc/self/cgroup names none: %q", memberships)
	}
	dir := filepath.Join(root, string(own[1]), fmt.Sprintf("authenticator-e2e-%d", p.pid))
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	t.Cleanup(func() {
		if err := os.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.WriteFile(filepath.Join(dir, file), []byte(strconv.Itoa(limit-p.memory(t, "VmRSS"))), 0o600); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte(strconv.Itoa(p.pid)), 0o600); err != nil {
		return err
	}
	p.cgroup = dir
	return nil
}
