package lab

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
)

func TestBelongsTo(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		command []string
		want    bool
	}{
		{"etcd", []string{"/k8s/etcd", "--unsafe-no-fsync=true", "--data-dir=/tmp/lab/controlplane/etcd"}, true},
		{"kube-apiserver", []string{"/k8s/kube-apiserver", "--cert-dir=/tmp/lab/controlplane/apiserver"}, true},
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
			if got := (runningProcess{1, test.command}).belongsTo("/tmp/lab"); got != test.want {
				t.Errorf("belongsTo = %v, want %v", got, test.want)
			}
		})
	}
	if p := (runningProcess{1, []string{"authenticator", "--state-dir", "/tmp/a=b/authenticator"}}); !p.belongsTo("/tmp/a=b") {
		t.Error("a directory with = in its name is not known")
	}
}

// TestEndLeftovers has processes at work that look like a lab's: those that are
// end, and every other goes on.
func TestEndLeftovers(t *testing.T) {
	t.Parallel()
	dir := realDir(t)
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
		p.lives(t) // from here on its command line is its own
	}
	ended, err := endLeftovers(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, p := range ours {
		<-p.ended
		want = append(want, fmt.Sprintf("%s (process %d)", filepath.Base(p.command.Args[0]), p.pid()))
	}
	slices.Sort(ended)
	slices.Sort(want)
	if !slices.Equal(ended, want) {
		t.Errorf("ended %q, want %q", ended, want)
	}
	for _, p := range strangers {
		p.lives(t)
	}
}

// TestEndIsOfOneProcess: the number that was found is a stranger's by now.
func TestEndIsOfOneProcess(t *testing.T) {
	t.Parallel()
	stranger := start(t, "echo", "/k8s/etcd", "--data-dir=/another/etcd")
	stranger.lives(t)
	found := runningProcess{stranger.pid(), []string{"/k8s/etcd", "--data-dir=/tmp/lab/etcd"}}
	if err := found.end(t.Context()); err != nil {
		t.Fatal(err)
	}
	stranger.lives(t)
}

// TestEndIfCancelled: whoever gives up does not wait for what envtest waits for.
func TestEndIfCancelled(t *testing.T) {
	t.Parallel()
	l := &envtestProvider{Lab: &Lab{config: Config{Dir: realDir(t)}}}
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the user thought better of it")
	err := l.endIfCancelled(ctx, func() error {
		for _, name := range []string{"etcd", "kube-apiserver"} { // one is ended while the other is not there yet
			command := play("echo", name, "--data-dir="+l.path("controlplane"))
			stdin, err := command.StdinPipe() // it ends when this does, or when it is ended
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
