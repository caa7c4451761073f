package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// endLeftovers ends what a killed lab left running in dir. A lab's processes
// are known by their command lines, which name its directory; nothing that was
// written down can go stale, and no stranger's process is touched.
func endLeftovers(ctx context.Context, dir string) ([]string, error) {
	var ended []string
	for _, process := range processes() {
		if process.pid == os.Getpid() || !process.belongsTo(dir) {
			continue
		}
		if err := end(ctx, process.pid); err != nil {
			return ended, fmt.Errorf("ending %s: %w", process, err)
		}
		ended = append(ended, process.String())
	}
	return ended, nil
}

type runningProcess struct {
	pid     int
	command []string
}

func (p runningProcess) String() string {
	return fmt.Sprintf("%s (process %d)", filepath.Base(p.command[0]), p.pid)
}

func (p runningProcess) belongsTo(dir string) bool {
	switch filepath.Base(p.command[0]) {
	case "etcd", "kube-apiserver", "authenticator":
	default:
		return false
	}
	for _, argument := range p.command[1:] {
		if strings.Contains(argument, dir+string(filepath.Separator)) {
			return true
		}
	}
	return false
}

// processes lists what runs: from /proc where there is one, else from ps.
func processes() []runningProcess {
	var found []runningProcess
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			continue
		}
		// A process may end while it is read.
		if text, err := os.ReadFile(file); err == nil && len(text) > 0 {
			found = append(found, runningProcess{pid, strings.Split(strings.TrimRight(string(text), "\x00"), "\x00")})
		}
	}
	if len(files) > 0 {
		return found
	}
	text, err := exec.Command("ps", "-axww", "-o", "pid=,command=").Output()
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		if pid, err := strconv.Atoi(fields[0]); err == nil {
			found = append(found, runningProcess{pid, fields[1:]})
		}
	}
	return found
}

// end asks a process to stop, and insists after five seconds.
func end(ctx context.Context, pid int) error {
	if err := signal(pid, syscall.SIGTERM); err != nil {
		return err
	}
	insist := time.NewTimer(5 * time.Second)
	defer insist.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for runs(pid) {
		select {
		case <-tick.C:
		case <-insist.C:
			if err := signal(pid, syscall.SIGKILL); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// runs reports whether a process is still at work. One that has ended but that
// nobody waits for keeps its number, but has no command line.
func runs(pid int) bool {
	return slices.ContainsFunc(processes(), func(p runningProcess) bool { return p.pid == pid })
}

func signal(pid int, signal syscall.Signal) error {
	if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
		return err
	}
	return nil
}
