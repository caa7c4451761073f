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
	"time"
)

// endLeftovers ends what a killed lab left running in dir. A lab's processes
// are known by their command lines, which name files of its directory; nothing
// that was written down can go stale, and no stranger's process is touched.
func endLeftovers(ctx context.Context, dir string) ([]string, error) {
	var ended []string
	for _, process := range processes() {
		if !process.belongsTo(dir) {
			continue
		}
		if err := process.end(ctx); err != nil {
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

// belongsTo reports whether it is a program that a lab in dir starts. Their
// arguments are paths in dir, or flags with such a path: --data-dir=DIR/etcd.
func (p runningProcess) belongsTo(dir string) bool {
	if !slices.Contains([]string{"etcd", "kube-apiserver", "authenticator"}, filepath.Base(p.command[0])) {
		return false
	}
	inside := strings.TrimSuffix(dir, string(filepath.Separator)) + string(filepath.Separator)
	return slices.ContainsFunc(p.command[1:], func(argument string) bool {
		_, value, _ := strings.Cut(argument, "=")
		return strings.HasPrefix(argument, inside) || strings.HasPrefix(value, inside)
	})
}

// processes lists what runs that may be ours: from /proc where there is one,
// else from ps.
func processes() []runningProcess {
	var found []runningProcess
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil || !sharesRoot(filepath.Dir(file)) {
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
	text, err := exec.Command("ps", "-xww", "-o", "pid=,command=").Output() // without -a: our own
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

// sharesRoot reports whether a path means the same to a process as to us. In a
// container the same path is another directory; and what another user's process
// calls its root we may not even know.
func sharesRoot(proc string) bool {
	ours, err := os.Stat("/")
	if err != nil {
		return false
	}
	its, err := os.Stat(filepath.Join(proc, "root"))
	return err == nil && os.SameFile(ours, its)
}

// end kills a process, whose files are to be removed anyway, and waits until it
// is gone.
func (p runningProcess) end(ctx context.Context) error {
	// From here on the handle means this process, whoever gets its number later.
	handle, err := os.FindProcess(p.pid)
	if err != nil || !p.runs() {
		return nil
	}
	defer handle.Release()
	if err := handle.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for p.runs() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// runs reports whether a process is still at work. One that has ended but that
// nobody waits for keeps its number, but has no command line.
func (p runningProcess) runs() bool {
	return slices.ContainsFunc(processes(), func(q runningProcess) bool { return q.pid == p.pid && slices.Equal(q.command, p.command) })
}
