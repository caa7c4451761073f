package lab

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/kube-iam/authenticator/pkg/lab/internal/private/privatetest"
	"github.com/kube-iam/authenticator/pkg/lab/internal/process"
	"github.com/kube-iam/authenticator/pkg/lab/internal/provider"
	"github.com/kube-iam/authenticator/pkg/lab/internal/provider/envtest"
	"github.com/kube-iam/authenticator/pkg/lab/internal/provider/kind"
)

func TestWorksIn(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		command []string
		want    bool
	}{
		{"etcd", []string{"/k8s/etcd", "--unsafe-no-fsync=true", "--data-dir=/tmp/lab/controlplane/etcd"}, true},
		{"kube-apiserver", []string{"/k8s/kube-apiserver", "--cert-dir=/tmp/lab/controlplane/apiserver"}, true},
		{"kube-controller-manager", []string{"kube-controller-manager", "--kubeconfig=/tmp/lab/controlplane/controllers.kubeconfig"}, true},
		{"the authenticator", []string{"authenticator", "server", "--state-dir", "/tmp/lab/authenticator"}, true},
		{"no arguments", []string{"etcd"}, false},
		{"its name in an argument", []string{"vi", "/tmp/lab/controlplane/etcd"}, false},
		{"its name as a part", []string{"/usr/bin/etcdctl", "--data-dir=/tmp/lab/controlplane/etcd"}, false},
		{"a directory beside it", []string{"etcd", "--data-dir=/tmp/lab2/controlplane/etcd"}, false},
		{"a directory above it", []string{"etcd", "--data-dir=/tmp"}, false},
		{"a directory that ends like it", []string{"etcd", "--data-dir=/mnt/tmp/lab/controlplane/etcd"}, false},
		{"one that has it in a list", []string{"etcd", "--data-dir=/etcd,/tmp/lab/controlplane/etcd"}, false},
		{"the directory itself", []string{"authenticator", "server", "--state-dir", "/tmp/lab"}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if got := worksIn(test.command, "/tmp/lab"); got != test.want {
				t.Errorf("worksIn = %v, want %v", got, test.want)
			}
		})
	}
	if !worksIn([]string{"authenticator", "--state-dir", "/tmp/a=b/authenticator"}, "/tmp/a=b") {
		t.Error("worksIn does not recognize a directory with = in its name")
	}
}

// record records programs as the lab that started them does.
func record(t *testing.T, dir string, programs ...*program) {
	t.Helper()
	var records []startedProgram
	for _, p := range programs {
		identity, err := process.Of(p.pid())
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, startedProgram{filepath.Base(p.command.Args[0]), identity})
	}
	writeRecords(t, dir, records)
}

func writeRecords(t *testing.T, dir string, records []startedProgram) {
	t.Helper()
	text, err := json.Marshal(records)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, processesFile), string(text))
}

// TestEndLeftovers checks, among processes that look like a lab's, that the recorded
// ones end and all others go on.
func TestEndLeftovers(t *testing.T) {
	t.Parallel()
	dir := privatetest.Path(t)
	inside := filepath.Join(dir, "controlplane", "etcd")
	ours := []*program{
		start(t, "echo", "/k8s/etcd", "--data-dir="+inside),
		start(t, "echo", "/k8s/kube-apiserver", "--cert-dir="+inside),
		start(t, "echo", "/bin/authenticator", "server", "--state-dir", inside),
	}
	strangers := []*program{
		start(t, "echo", "/k8s/etcd", "--data-dir="+dir+"2/controlplane/etcd"),
		start(t, "echo", "/k8s/etcd", "--data-dir=/mnt"+inside),
		start(t, "echo", "/k8s/etcd"),
		start(t, "echo", "cat", inside),
	}
	for _, p := range slices.Concat(ours, strangers) {
		p.lives(t) // from now on its command line is its own
	}
	record(t, dir, ours...)
	var progress bytes.Buffer
	if err := endLeftovers(t.Context(), privatetest.Open(t, dir), &progress); err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, p := range ours {
		<-p.ended
		fmt.Fprintf(&want, "lab: ended %s (process %d), left behind by a killed lab\n", filepath.Base(p.command.Args[0]), p.pid())
	}
	if progress.String() != want.String() {
		t.Errorf("it says %q, want %q", &progress, &want)
	}
	for _, p := range strangers {
		p.lives(t)
	}
}

// TestEndLeftoversOfReusedPIDs checks that no process is ended that has a recorded PID
// now, even if it is another run of the same program.
func TestEndLeftoversOfReusedPIDs(t *testing.T) {
	t.Parallel()
	dir := privatetest.Path(t)
	stranger := start(t, "echo", "/k8s/etcd", "--data-dir=/another/etcd")
	stranger.lives(t)
	identity, err := process.Of(stranger.pid())
	if err != nil {
		t.Fatal(err)
	}
	earlier, other := identity, identity
	earlier.Started += "0"
	other.Executable = "/k8s/other"
	writeRecords(t, dir, []startedProgram{{"etcd", earlier}, {"kube-apiserver", other}})
	var progress bytes.Buffer
	if err := endLeftovers(t.Context(), privatetest.Open(t, dir), &progress); err != nil {
		t.Fatal(err)
	}
	stranger.lives(t)
	want := fmt.Sprintf("lab: etcd (process %[1]d) of a killed lab has ended; not signalling the other process that has its PID now\n"+
		"lab: kube-apiserver (process %[1]d) of a killed lab has ended; not signalling the other process that has its PID now\n", stranger.pid())
	if progress.String() != want {
		t.Errorf("it says %q, want %q", &progress, want)
	}
}

// TestEndLeftoversWithoutProof checks that a process that only looks like a lab's goes
// on and keeps its files, and that the error says how to end it.
func TestEndLeftoversWithoutProof(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(t *testing.T, dir string, pid int){
		"no records": func(*testing.T, string, int) {},
		"records of an earlier lab": func(t *testing.T, dir string, pid int) {
			writeRecords(t, dir, []startedProgram{{"etcd", process.Identity{PID: pid}}})
		},
		"records of other processes": func(t *testing.T, dir string, pid int) {
			writeRecords(t, dir, []startedProgram{{"etcd", process.Identity{PID: pid, Started: "1", Executable: "/k8s/etcd"}}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := privatetest.Path(t)
			write(t, filepath.Join(dir, lockFile), "")
			write(t, filepath.Join(dir, envtest.Dir, "etcd", "data"), "")
			unproven := start(t, "echo", "/k8s/etcd", "--data-dir="+filepath.Join(dir, envtest.Dir, "etcd"))
			unproven.lives(t)
			prepare(t, dir, unproven.pid())
			want := fmt.Sprintf("etcd (process %d) works in %s, but no record proves that a lab started it: end it with kill %[1]d if it is yours, and try again", unproven.pid(), dir)
			if _, err := Down(t.Context(), dir, io.Discard); err == nil || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("Down = %v, want %q", err, want)
			}
			unproven.lives(t)
			if _, err := os.Stat(filepath.Join(dir, envtest.Dir, "etcd", "data")); err != nil {
				t.Errorf("its files are gone: %v", err)
			}
			unproven.kill(t)
			if _, err := Down(t.Context(), dir, io.Discard); err != nil {
				t.Errorf("Down after it was ended = %v", err)
			}
		})
	}
}

// TestProgramLog checks that a program is recorded as soon as it runs, so that it is
// found even if the lab is killed while it waits for the program.
func TestProgramLog(t *testing.T) {
	t.Parallel()
	l := &Lab{dir: privatetest.Open(t, privatetest.Path(t))}
	start(t, "echo", "etcd", "--data-dir=/another/etcd").lives(t)
	stranger := startByAnother(t, "etcd", "--data-dir="+l.path(envtest.Dir))
	stranger.lives(t)
	recorded := make(chan error)
	var want []startedProgram
	for _, name := range []string{"etcd", "kube-apiserver"} {
		command := play("echo", name, "--data-dir="+l.path(envtest.Dir))
		log, err := l.dir.Create(name+".log", 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer log.Close()
		command.Stdout = &provider.ProgramLog{File: log, Started: func() { recorded <- l.recordPrograms() }}
		stdin, err := command.StdinPipe() // it ends with this process, or when it is killed
		if err != nil {
			t.Fatal(err)
		}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			_ = command.Process.Kill()
			_ = command.Wait()
		}()
		if err := <-recorded; err != nil {
			t.Fatal(err)
		}
		identity, err := process.Of(command.Process.Pid)
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, startedProgram{name, identity})
		if _, err := io.WriteString(stdin, "a line\n"); err != nil {
			t.Fatal(err)
		}
		if err := wait.PollUntilContextCancel(t.Context(), time.Millisecond, true, func(context.Context) (bool, error) {
			text, err := l.dir.ReadFile(name + ".log")
			return string(text) == "a line\n", err
		}); err != nil {
			t.Fatal(err)
		}
	}
	got, err := recordedPrograms(l.dir)
	byPID := cmpopts.SortSlices(func(p, q startedProgram) bool { return p.PID < q.PID })
	if diff := cmp.Diff(want, got, byPID); err != nil || diff != "" {
		t.Errorf("recorded are (-want +got): %v\n%s", err, diff)
	}
	// As the next lab does.
	if err := endLeftovers(t.Context(), l.dir, io.Discard); err == nil || !strings.Contains(err.Error(), "no record proves") {
		t.Errorf("ending them = %v, want the stranger to be reported", err)
	}
	stranger.lives(t)
}

// TestEndIfCancelled checks that a cancelled start does not wait as long as envtest.
func TestEndIfCancelled(t *testing.T) {
	t.Parallel()
	l := &Lab{dir: privatetest.Open(t, privatetest.Path(t))}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the user cancelled")
	err := l.endIfCancelled(ctx, func() error {
		for _, name := range []string{"etcd", "kube-apiserver"} { // one is killed before the other is started
			command := play("echo", name, "--data-dir="+l.path("controlplane"))
			stdin, err := command.StdinPipe() // it ends with this process, or when it is killed
			if err != nil {
				return err
			}
			defer stdin.Close()
			if err := command.Start(); err != nil {
				return err
			}
			cancel(why)
			if err := command.Wait(); err == nil {
				return errors.New(name + " was not ended")
			}
		}
		return errors.New("timeout waiting for process etcd to start")
	})
	if !errors.Is(err, why) {
		t.Errorf("endIfCancelled = %v, want %v", err, why)
	}

	failed := errors.New("no such program")
	if err := l.endIfCancelled(t.Context(), func() error { return failed }); !errors.Is(err, failed) {
		t.Errorf("endIfCancelled = %v, want %v", err, failed)
	}
}

// TestDownRemovesACluster checks that Down removes the cluster that a killed lab has
// recorded.
func TestDownRemovesACluster(t *testing.T) {
	dir := privatetest.Path(t)
	claim, err := claimDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := claim.release(); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, kind.Dir, "made.json"), `{"name":"kubedemy-123456","dockerHost":"unix:///somewhere.sock"}`)
	bin := programs(t, "docker")
	asked := filepath.Join(bin, "asked")
	write(t, filepath.Join(bin, "docker"), "#!/bin/sh\necho $DOCKER_HOST $* >> "+asked+"\n")
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	if was, err := Down(t.Context(), dir, io.Discard); was || err != nil {
		t.Errorf("Down = %v, %v", was, err)
	}
	text, err := os.ReadFile(asked)
	if want := "unix:///somewhere.sock ps --all --quiet --filter label=io.x-k8s.kind.cluster=kubedemy-123456"; err != nil || !strings.Contains(string(text), want) {
		t.Errorf("docker was asked %q (%v), want %q", text, err, want)
	}
	if _, err := os.Stat(filepath.Join(dir, kind.Dir)); err == nil {
		t.Error("the record is still there")
	}
}
