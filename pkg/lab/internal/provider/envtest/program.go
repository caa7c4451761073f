package envtest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/kube-iam/authenticator/pkg/lab/internal/private"
)

// A program is one that this process has started and waits for.
type program struct {
	name    string
	command *exec.Cmd
	log     *os.File
	// exited is closed once the program has ended; err is the reason.
	exited chan struct{}
	err    error
	// grace is the time that it has to stop. The authenticator's own limit is 10 s.
	grace time.Duration
}

// errKilled means that a program was killed, since it did not stop in time.
var errKilled = errors.New("was killed")

// startProgram starts a program, whose output goes to the end of a log.
func startProgram(dir *private.Dir, log string, environ []string, path, name string, arguments ...string) (*program, error) {
	file, err := dir.Append(log)
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", name, err)
	}
	p := &program{name: name, log: file, exited: make(chan struct{}), grace: 12 * time.Second}
	p.command = exec.Command(path, arguments...)
	p.command.Args[0] = name // leftovers are found by this name, whatever the file's is
	p.command.Env = environ
	p.command.Stdout, p.command.Stderr = file, file
	// Ctrl-C must reach the lab alone, which stops its programs in order.
	p.command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.command.Start(); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("starting %s: %w", path, err)
	}
	go func() {
		defer close(p.exited)
		if p.err = p.command.Wait(); p.err == nil {
			p.err = errors.New("exit status 0")
		}
	}()
	return p, nil
}

// stop ends the program as a supervisor does: it sends SIGTERM, and after the grace period
// SIGKILL, for which the error is [errKilled].
func (p *program) stop() error {
	defer p.log.Close()
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("ending %s: %w", p.name, err)
	}
	select {
	case <-p.exited:
		return nil
	case <-time.After(p.grace):
	}
	_ = p.command.Process.Kill()
	<-p.exited
	return fmt.Errorf("ending %s: it did not stop within %s of SIGTERM and %w", p.name, p.grace, errKilled)
}
