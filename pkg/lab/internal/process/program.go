package process

import (
	"fmt"
	"path/filepath"
	"slices"
)

// A Program is a process of this user with its command line. The command line helps
// to find a process, but proves nothing: anyone can start one with any arguments.
type Program struct {
	Identity
	Parent  int
	Command []string
}

// Name returns the base name of the first argument.
func (p Program) Name() string { return filepath.Base(p.Command[0]) }

func (p Program) String() string { return fmt.Sprintf("%s (process %d)", p.Name(), p.PID) }

// Find lists this user's programs whose command line matches. The command lines
// passed to matches are never empty.
func Find(matches func(command []string) bool) ([]Program, error) {
	pids, err := pids()
	if err != nil {
		return nil, fmt.Errorf("listing processes: %w", err)
	}
	var found []Program
	for _, pid := range pids {
		// Cheap, and enough to skip most processes.
		if command := commandOf(pid); len(command) == 0 || !matches(command) {
			continue
		}
		// The process may end, or run another program, between two reads.
		identity, parent, err := inspect(pid)
		if err != nil {
			continue
		}
		command := commandOf(pid)
		if len(command) > 0 && matches(command) && identity.Verify() == nil {
			found = append(found, Program{identity, parent, command})
		}
	}
	slices.SortFunc(found, func(p, q Program) int { return p.PID - q.PID })
	return found, nil
}
