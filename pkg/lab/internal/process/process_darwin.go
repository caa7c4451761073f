package process

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// inspect reads the identity of a process and the PID of its parent.
func inspect(pid int) (_ Identity, parent int, err error) {
	state, err := unix.SysctlKinfoProc("kern.proc.pid", pid)
	if err != nil {
		return Identity{}, 0, endedOr(pid, err)
	}
	const zombie = 5 // SZOMB of sys/proc.h
	if state.Proc.P_stat == zombie {
		return Identity{}, 0, os.ErrProcessDone
	}
	executable, _, err := arguments(pid)
	if err != nil {
		return Identity{}, 0, endedOr(pid, err)
	}
	started := state.Proc.P_starttime
	return Identity{
		PID:        pid,
		Started:    fmt.Sprintf("%d.%06d", started.Sec, started.Usec),
		Executable: executable,
	}, int(state.Eproc.Ppid), nil
}

// endedOr returns os.ErrProcessDone if the process is gone, and otherwise err with
// context.
func endedOr(pid int, err error) error {
	if errors.Is(unix.Kill(pid, 0), unix.ESRCH) {
		return os.ErrProcessDone
	}
	return fmt.Errorf("reading process %d: %w", pid, err)
}

// pids lists the processes of this user.
func pids() ([]int, error) {
	all, err := unix.SysctlKinfoProcSlice("kern.proc.uid", os.Geteuid())
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, state := range all {
		pids = append(pids, int(state.Proc.P_pid))
	}
	return pids, nil
}

// commandOf returns the command line of a process. It is empty for one that has
// ended.
func commandOf(pid int) []string {
	_, command, err := arguments(pid)
	if err != nil {
		return nil
	}
	return command
}

var errTruncated = errors.New("reading a command line: truncated")

func arguments(pid int) (executable string, command []string, err error) {
	raw, err := unix.SysctlRaw("kern.procargs2", pid)
	if err != nil {
		return "", nil, err
	}
	return parseArguments(raw)
}

// parseArguments parses kern.procargs2: the number of arguments, the path of the
// program, padding, and the arguments, each with a trailing zero byte. The
// environment follows.
func parseArguments(raw []byte) (executable string, command []string, err error) {
	const size = 4
	if len(raw) < size {
		return "", nil, errTruncated
	}
	count, rest := int(binary.NativeEndian.Uint32(raw)), raw[size:]
	path, rest, found := bytes.Cut(rest, []byte{0})
	if !found {
		return "", nil, errTruncated
	}
	rest = bytes.TrimLeft(rest, "\x00")
	for len(command) < count {
		argument, after, found := bytes.Cut(rest, []byte{0})
		if !found {
			return "", nil, errTruncated
		}
		command, rest = append(command, string(argument)), after
	}
	return string(path), command, nil
}
