package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/prometheus/procfs"
)

// inspect reads the identity of a process and the PID of its parent.
func inspect(pid int) (_ Identity, parent int, err error) {
	process, err := procfs.NewProc(pid)
	if err != nil {
		return Identity{}, 0, endedOr(pid, err)
	}
	state, err := process.Stat()
	if err != nil {
		return Identity{}, 0, endedOr(pid, err)
	}
	executable, err := process.Executable()
	if err != nil {
		return Identity{}, 0, endedOr(pid, err)
	}
	// A zombie has a PID but no program. Before it is one, the kernel frees its memory,
	// and only then closes its files.
	if executable == "" {
		if state.State != "Z" || state.NumThreads > 1 {
			return Identity{}, 0, errEnding
		}
		return Identity{}, 0, os.ErrProcessDone
	}
	// The kernel counts the start time from the boot.
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Identity{}, 0, fmt.Errorf("reading the boot ID: %w", err)
	}
	return Identity{
		PID:     pid,
		Started: strings.TrimSpace(string(boot)) + "/" + strconv.FormatUint(state.Starttime, 10),
		// The kernel adds the suffix when a new build replaces the file.
		Executable: strings.TrimSuffix(executable, " (deleted)"),
	}, state.PPID, nil
}

// endedOr returns os.ErrProcessDone if the process is gone, and otherwise err with
// context.
func endedOr(pid int, err error) error {
	if syscall.Kill(pid, 0) == syscall.ESRCH {
		return os.ErrProcessDone
	}
	return fmt.Errorf("reading process %d: %w", pid, err)
}

// pids lists the processes of this user. It skips those with another root
// directory, such as containers, where the same path is another file.
func pids() ([]int, error) {
	all, err := procfs.AllProcs()
	if err != nil {
		return nil, err
	}
	root, err := os.Stat("/")
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, process := range all {
		path := filepath.Join("/proc", strconv.Itoa(process.PID))
		if state, err := os.Stat(path); err != nil || int(state.Sys().(*syscall.Stat_t).Uid) != os.Geteuid() {
			continue
		}
		if its, err := os.Stat(filepath.Join(path, "root")); err == nil && os.SameFile(root, its) {
			pids = append(pids, process.PID)
		}
	}
	return pids, nil
}

// commandOf returns the command line of a process. It is empty for one that has
// ended.
func commandOf(pid int) []string {
	process, err := procfs.NewProc(pid)
	if err != nil {
		return nil
	}
	command, err := process.CmdLine()
	if err != nil {
		return nil
	}
	return command
}
