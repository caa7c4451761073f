package lab

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kube-iam/authenticator/pkg/lab/internal/process"
)

// roleVariable makes the test's program play another program, since this package
// starts and ends processes.
const roleVariable = "LAB_TEST_ROLE"

func TestMain(m *testing.M) {
	switch role := os.Getenv(roleVariable); role {
	case "":
		// klog, which client-go uses, has one goroutine that never ends.
		goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("k8s.io/klog/v2.(*flushDaemon).run.func1"))
	case "echo":
		_, _ = io.Copy(os.Stdout, os.Stdin)
	default:
		if err := playLab(role, os.Args[1]); err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", role, err)
			os.Exit(1)
		}
	}
}

// playLab is a lab that holds a directory and runs nothing in it, until SIGTERM.
func playLab(role, dir string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	parent := ParentProgress()
	claim, err := claimDir(dir)
	if err != nil {
		return err
	}
	defer claim.release()
	self, err := process.Of(os.Getpid())
	if err != nil {
		return err
	}
	info := Info{Dir: claim.dir.Path(), PID: self.PID, ProcessStarted: self.Started, Executable: self.Executable, Running: role != "coming up" && role != "failing",
		User: "alice", Since: time.Unix(1764370145, 0)}
	switch role {
	case "lab of an earlier version":
		info.ProcessStarted, info.Executable = "", ""
	case "lab of another container":
		info.ProcessStarted += "0"
	}
	if err := claim.publish(info); err != nil {
		return err
	}
	switch {
	case parent == nil:
		fmt.Println("here")
	case role == "lab":
		fmt.Fprintln(parent, "here")
		_ = parent.Close()
	case role == "coming up":
		fmt.Fprintln(parent, "coming up")
		<-ctx.Done()
		return context.Cause(ctx)
	case role == "failing":
		fmt.Fprintln(parent, "this is why")
		return io.ErrUnexpectedEOF
	}
	<-ctx.Done()
	return nil
}

// A program is the test's program, running under another name.
type program struct {
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	ended   chan struct{}
}

// play returns the command that runs the test's program in a role, with the given
// name and arguments.
func play(role string, arguments ...string) *exec.Cmd {
	return &exec.Cmd{Path: os.Args[0], Args: arguments, Env: append(os.Environ(), roleVariable+"="+role)}
}

// start starts a program that plays a role. It ends with the test, if not before.
func start(t *testing.T, role string, arguments ...string) *program {
	t.Helper()
	return startCommand(t, play(role, arguments...))
}

func startCommand(t *testing.T, command *exec.Cmd) *program {
	t.Helper()
	p := &program{command: command, ended: make(chan struct{})}
	var err error
	if p.in, err = p.command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	p.command.Stdout, p.command.Stderr = writer, os.Stderr
	p.out = bufio.NewReader(reader)
	err = p.command.Start()
	_ = writer.Close()
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.ended)
		_ = p.command.Wait()
	}()
	t.Cleanup(func() {
		_ = p.command.Process.Kill()
		<-p.ended
		_ = reader.Close()
	})
	return p
}

// startLab starts a process that claims a directory as a lab does.
func startLab(t *testing.T, dir string) *program {
	t.Helper()
	return startLabAs(t, "lab", dir)
}

func startLabAs(t *testing.T, role, dir string) *program {
	t.Helper()
	p := start(t, role, "lab", dir)
	p.expect(t, "here")
	return p
}

// startByAnother starts a program that echoes, with the given name, as the child of a
// shell.
func startByAnother(t *testing.T, name, argument string) *program {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	named := filepath.Join(t.TempDir(), name)
	if err := os.Symlink(path, named); err != nil {
		t.Fatal(err)
	}
	p := play("echo", "sh", "-c", `"$0" "$1"; true`, named, argument)
	if p.Path, err = exec.LookPath("sh"); err != nil {
		t.Fatal(err)
	}
	return startCommand(t, p)
}

func (p *program) pid() int { return p.command.Process.Pid }

func (p *program) expect(t *testing.T, want string) {
	t.Helper()
	if line, err := p.out.ReadString('\n'); err != nil || line != want+"\n" {
		t.Fatalf("the process says %q (%v), want %q", line, err, want)
	}
}

// lives checks that a program still runs: it echoes.
func (p *program) lives(t *testing.T) {
	t.Helper()
	if _, err := fmt.Fprintln(p.in, "still there"); err != nil {
		t.Fatalf("%s has ended: %v", filepath.Base(p.command.Args[0]), err)
	}
	p.expect(t, "still there")
}

// kill sends SIGKILL and waits until the program has ended.
func (p *program) kill(t *testing.T) {
	t.Helper()
	if err := p.command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.ended
}

// files returns the names in a directory.
func files(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
