// Package program runs the compared programs and measures their time and memory.
// Linux only.
package program

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/kube-iam/authenticator/internal/loadtest/load"
)

const (
	// startTimeout is long enough for aws-iam-authenticator, which may wait for the
	// instance metadata service.
	startTimeout = 30 * time.Second
	// maxLog bounds the log of a server.
	maxLog = 16 << 20
)

// A Command is a program and how to run it.
type Command struct {
	Path string
	Args []string
	// Env is the whole environment.
	Env []string
}

// A Server is a program that serves TokenReviews.
type Server struct {
	*load.Client
	Name string

	cmd  *exec.Cmd
	log  *os.File
	stop context.CancelFunc
	done chan struct{}
}

// Serve starts a server on an address and waits until it serves. Its log goes to a
// file in dir, as in a cluster.
func Serve(ctx context.Context, name, address, dir string, command Command) (*Server, error) {
	log, err := os.OpenFile(filepath.Join(dir, name+".log"), os.O_CREATE|os.O_TRUNC|os.O_RDWR|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("starting %s: %w", name, err)
	}
	ctx, stop := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, command.Path, command.Args...) // kills when ctx is done: the peer ignores SIGTERM
	cmd.Env, cmd.Stdout, cmd.Stderr, cmd.Dir = command.Env, log, log, dir
	if err := cmd.Start(); err != nil {
		stop()
		return nil, errors.Join(fmt.Errorf("starting %s: %w", name, err), log.Close())
	}
	s := &Server{Client: load.NewClient(address), Name: name, cmd: cmd, log: log, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		_ = cmd.Wait() // the server is killed in the end
	}()
	if err := s.await(ctx); err != nil {
		said := s.lastWords()
		s.Stop()
		return nil, fmt.Errorf("starting %s: %w; its log ends:\n%s", name, err, said)
	}
	go s.trimLog(ctx)
	return s, nil
}

func (s *Server) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, errors.New("it does not serve in time"))
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if s.Healthy(ctx) {
			return nil
		}
		select {
		case <-s.done:
			return errors.New("it ended")
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
	}
}

// trimLog empties a long log: half a million decisions would fill a disk.
func (s *Server) trimLog(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if info, err := s.log.Stat(); err == nil && info.Size() > maxLog {
				_ = s.log.Truncate(0)
			}
		}
	}
}

// lastWords returns the end of the log.
func (s *Server) lastWords() string {
	const most = 2 << 10
	info, err := s.log.Stat()
	if err != nil {
		return err.Error()
	}
	end := make([]byte, min(info.Size(), most))
	n, _ := s.log.ReadAt(end, info.Size()-int64(len(end)))
	return strings.TrimSpace(string(end[:n]))
}

// Terminate asks the server to stop, by SIGTERM, and waits until it has.
func (s *Server) Terminate() error {
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("stopping %s: %w", s.Name, err)
	}
	<-s.done
	return nil
}

// Stop kills the server and waits for it.
func (s *Server) Stop() {
	s.stop()
	<-s.done
	s.Close()
	_ = s.log.Close()
}

// Memory returns the resident memory of the server in MiB: now, and its peak.
func (s *Server) Memory() (now, peak float64, err error) {
	return memoryOf(s.cmd.Process.Pid)
}

func memoryOf(pid int) (now, peak float64, err error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, 0, fmt.Errorf("reading memory: %w", err)
	}
	for field, value := range map[string]*float64{"VmRSS:": &now, "VmHWM:": &peak} {
		_, text, _ := strings.Cut(string(status), "\n"+field)
		var kib float64
		if _, err := fmt.Sscan(text, &kib); err != nil {
			return 0, 0, fmt.Errorf("reading %s of process %d: %w", field, pid, err)
		}
		*value = kib / 1024
	}
	return now, peak, nil
}
