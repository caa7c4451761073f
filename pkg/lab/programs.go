package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/internal/controlplane"
	"github.com/kube-iam/authenticator/pkg/lab/internal/private"
	"github.com/kube-iam/authenticator/pkg/lab/internal/process"
)

// processesFile lists the processes that the lab has started. If the lab is killed,
// the next one ends them.
const processesFile = "processes.json"

// A startedProgram is a process that the lab has started.
type startedProgram struct {
	Name string `json:"name"`
	process.Identity
}

func (p startedProgram) String() string { return fmt.Sprintf("%s (process %d)", p.Name, p.PID) }

// recordPrograms writes the list of the lab's running programs. envtest does not
// report their PIDs, so it looks for children of this process that work in the lab's
// directory: no other process is both.
func (l *Lab) recordPrograms() error {
	l.recording.Lock()
	defer l.recording.Unlock()
	children, err := l.children()
	if err != nil {
		return err
	}
	programs := []startedProgram{}
	for _, child := range children {
		programs = append(programs, startedProgram{child.Name(), child.Identity})
	}
	text, err := json.MarshalIndent(programs, "", "  ")
	if err == nil {
		err = l.dir.WriteFile(processesFile, append(text, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("recording the lab's processes: %w", err)
	}
	return nil
}

// children returns the programs that this process has started in the lab's directory.
func (l *Lab) children() ([]process.Program, error) {
	programs, err := programsIn(l.dir)
	return slices.DeleteFunc(programs, func(p process.Program) bool { return p.Parent != os.Getpid() }), err
}

// endIfCancelled calls a function that starts programs and waits for them. If it takes no
// context, as envtest's, it stops waiting once they end: on cancellation they are killed.
func (l *Lab) endIfCancelled(ctx context.Context, start func() error) error {
	started := make(chan error, 1)
	go func() { started <- start() }()
	select {
	case err := <-started:
		return err
	case <-ctx.Done():
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if err := l.killChildren(ctx); err != nil {
			return err
		}
		select {
		case <-started:
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// killChildren kills the programs that this process has started for the lab.
func (l *Lab) killChildren(ctx context.Context) error {
	children, err := l.children()
	if err != nil {
		return err
	}
	for _, child := range children {
		err := child.Kill(context.WithoutCancel(ctx))
		if err != nil && !errors.Is(err, os.ErrProcessDone) && !errors.Is(err, process.ErrReused) {
			return fmt.Errorf("ending %s: %w", child, err)
		}
	}
	return nil
}

// recordedPrograms returns the programs that the last lab in the directory started.
func recordedPrograms(dir *private.Dir) (programs []startedProgram, err error) {
	text, err := dir.ReadFile(processesFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &programs)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the list of the lab's processes (remove %s to go on without it): %w", dir.Path(processesFile), err)
	}
	return programs, nil
}

// programsIn lists the running programs that look like those of a lab in the
// directory.
func programsIn(dir *private.Dir) ([]process.Program, error) {
	return process.Find(func(command []string) bool { return worksIn(command, dir.Path()) })
}

// worksIn reports whether a command line looks like one of a program that a lab in
// dir starts: an argument is a path in dir, or a flag with such a path, like
// --data-dir=DIR/etcd.
func worksIn(command []string, dir string) bool {
	if !slices.Contains([]string{"etcd", "kube-apiserver", controlplane.ControllerManager, "authenticator"}, filepath.Base(command[0])) {
		return false
	}
	inside := strings.TrimSuffix(dir, string(filepath.Separator)) + string(filepath.Separator)
	return slices.ContainsFunc(command[1:], func(argument string) bool {
		_, value, _ := strings.Cut(argument, "=")
		return strings.HasPrefix(argument, inside) || strings.HasPrefix(value, inside)
	})
}
