package process

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/internal/freeport"
)

const (
	// roleVariable makes the test's program echo what it reads.
	roleVariable = "PROCESS_TEST_ECHO"
	// addressVariable makes it listen at an address, and use much memory.
	addressVariable = "PROCESS_TEST_ADDRESS"
)

func TestMain(m *testing.M) {
	if os.Getenv(roleVariable) != "" {
		var memory []byte
		if address := os.Getenv(addressVariable); address != "" {
			if _, err := net.Listen("tcp", address); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			memory = bytes.Repeat([]byte{1}, 256<<20)
		}
		_, _ = io.Copy(os.Stdout, os.Stdin)
		runtime.KeepAlive(memory)
		return
	}
	os.Exit(m.Run())
}

// An echo is the test's program, running.
type echo struct {
	*exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// start starts the test's program, or a copy of it, with the given name and
// arguments. It ends with the test, if not before.
func start(t *testing.T, path string, arguments ...string) *echo {
	t.Helper()
	e := &echo{Cmd: &exec.Cmd{Path: path, Args: arguments, Env: append(os.Environ(), roleVariable+"=1"), Stderr: os.Stderr}}
	in, err := e.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := e.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	e.in, e.out = in, bufio.NewReader(out)
	if err := e.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = e.Process.Kill()
		_ = e.Wait()
	})
	e.answers(t)
	return e
}

// answers checks that it runs.
func (e *echo) answers(t *testing.T) {
	t.Helper()
	if _, err := fmt.Fprintln(e.in, "hello"); err != nil {
		t.Fatalf("it has ended: %v", err)
	}
	if line, err := e.out.ReadString('\n'); err != nil || line != "hello\n" {
		t.Fatalf("it says %q (%v)", line, err)
	}
}

func self(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func identityOf(t *testing.T, pid int) Identity {
	t.Helper()
	identity, err := Of(pid)
	if err != nil {
		t.Fatal(err)
	}
	return identity
}

func TestOf(t *testing.T) {
	t.Parallel()
	child := start(t, self(t), "echo")
	first, again := identityOf(t, child.Process.Pid), identityOf(t, child.Process.Pid)
	if first != again {
		t.Errorf("the same process is %+v and %+v", first, again)
	}
	if first.PID != child.Process.Pid || first.Executable != self(t) || first.Started == "" {
		t.Errorf("the process is %+v, want PID %d, %s and a start", first, child.Process.Pid, self(t))
	}
	ours := identityOf(t, os.Getpid())
	if err := errors.Join(first.Verify(), ours.Verify()); err != nil {
		t.Errorf("Verify = %v", err)
	}
}

// TestOfOneThatHasEnded covers a process that has ended, before and after its parent
// has waited for it.
func TestOfOneThatHasEnded(t *testing.T) {
	t.Parallel()
	child := start(t, self(t), "echo")
	identity := identityOf(t, child.Process.Pid)
	if err := child.in.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := child.out.ReadString('\n'); !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	eventually(t, func() bool { return errors.Is(identity.Verify(), os.ErrProcessDone) })
	if err := syscall.Kill(identity.PID, 0); err != nil {
		t.Errorf("its PID is free already: %v", err)
	}
	if err := child.Wait(); err != nil {
		t.Fatal(err)
	}
	if err := identity.Signal(syscall.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("Signal = %v, want os.ErrProcessDone", err)
	}
	if err := identity.Kill(t.Context()); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("Kill = %v, want os.ErrProcessDone", err)
	}
}

// TestSignalStrangers checks that no other process gets the signal.
func TestSignalStrangers(t *testing.T) {
	t.Parallel()
	child := start(t, self(t), "echo")
	right := identityOf(t, child.Process.Pid)
	for name, test := range map[string]struct {
		change func(*Identity)
		want   error
	}{
		"started at another time": {func(i *Identity) { i.Started += "0" }, ErrReused},
		"another program":         {func(i *Identity) { i.Executable = "/bin/other" }, ErrReused},
		"no start recorded":       {func(i *Identity) { i.Started = "" }, ErrUnproven},
		"no program recorded":     {func(i *Identity) { i.Executable = "" }, ErrUnproven},
		"nothing recorded":        {func(i *Identity) { *i = Identity{PID: i.PID} }, ErrUnproven},
		"nobody":                  {func(i *Identity) { i.PID = 0 }, ErrUnproven},
		"a whole group":           {func(i *Identity) { i.PID = -i.PID }, ErrUnproven},
	} {
		wrong := right
		test.change(&wrong)
		for call, err := range map[string]error{
			"Verify": wrong.Verify(), "Signal": wrong.Signal(syscall.SIGKILL), "Kill": wrong.Kill(t.Context()),
		} {
			if !errors.Is(err, test.want) {
				t.Errorf("%s: %s = %v, want %v", name, call, err, test.want)
			}
		}
	}
	child.answers(t)
	if err := right.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err == nil || err.Error() != "signal: terminated" {
		t.Errorf("it ended with %v, want SIGTERM", err)
	}
}

func TestKill(t *testing.T) {
	t.Parallel()
	child := start(t, self(t), "echo")
	identity := identityOf(t, child.Process.Pid)
	if err := identity.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := identity.Verify(); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("after Kill: Verify = %v, want os.ErrProcessDone", err)
	}
}

// TestKillFreesAddresses kills a process whose memory takes long to free: the address it
// listened on must be free when it has ended.
func TestKillFreesAddresses(t *testing.T) {
	address, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv(addressVariable, address)
	identity, err := Of(start(t, self(t), "listener").Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if err := identity.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	_ = listener.Close()
}

// TestNewBuild checks that a process keeps its identity when its program's file is
// replaced.
func TestNewBuild(t *testing.T) {
	t.Parallel()
	content, err := os.ReadFile(self(t))
	if err != nil {
		t.Fatal(err)
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "program")
	// A process that another test starts meanwhile would inherit the open file, and no
	// file that is open for writing can be run.
	syscall.ForkLock.RLock()
	err = os.WriteFile(path, content, 0o700)
	syscall.ForkLock.RUnlock()
	if err != nil {
		t.Fatal(err)
	}
	child := start(t, path, "echo")
	before := identityOf(t, child.Process.Pid)
	if before.Executable != path {
		t.Errorf("the program is %s, want %s", before.Executable, path)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := before.Verify(); err != nil {
		t.Errorf("Verify = %v", err)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	mark := t.TempDir()
	children := []*echo{start(t, self(t), "/k8s/etcd", mark), start(t, self(t), "cat", mark)}
	start(t, self(t), "cat", "another")
	found, err := Find(func(command []string) bool { return slices.Contains(command, mark) })
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(children, func(a, b *echo) int { return a.Process.Pid - b.Process.Pid })
	if len(found) != len(children) {
		t.Fatalf("Find = %v, want %d", found, len(children))
	}
	for i, child := range children {
		if got := found[i]; got.Identity != identityOf(t, child.Process.Pid) || got.Parent != os.Getpid() || !slices.Equal(got.Command, child.Args) {
			t.Errorf("found %+v, want process %d, a child of %d, as %q", got, child.Process.Pid, os.Getpid(), child.Args)
		}
	}
	etcd := found[slices.IndexFunc(found, func(p Program) bool { return p.Name() == "etcd" })]
	if want := fmt.Sprintf("etcd (process %d)", etcd.PID); etcd.String() != want {
		t.Errorf("it is %s, want %s", etcd, want)
	}
}

// TestFindOwn checks that Find skips another user's process, whatever its command
// line is.
func TestFindOwn(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can start another user's process")
	}
	mark := filepath.Base(t.TempDir()) + t.Name()
	theirs := exec.Command("sh", "-c", "echo; read line", mark)
	theirs.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	in, err := theirs.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := theirs.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := theirs.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	found, err := Find(func(command []string) bool { return slices.Contains(command, mark) })
	if err != nil || len(found) > 0 {
		t.Errorf("Find = %v, %v, want nothing", found, err)
	}
	_ = in.Close()
	_ = theirs.Wait()
}

func eventually(t *testing.T, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatal("it does not happen")
		}
	}
}
