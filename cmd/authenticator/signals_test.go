package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/cli/clitest"
	"github.com/kube-iam/authenticator/internal/freeport"
)

// TestStoppedWhileReading checks that a program stopped before it has read its
// configuration does not report an error in the configuration.
func TestStoppedWhileReading(t *testing.T) {
	t.Parallel()
	stop := errors.New("stopped by a signal")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stop)
	err := run(ctx, []string{"verify", "-i", "c", "-c", "config.yaml"}, nil, cli.Streams{Out: io.Discard, Err: io.Discard})
	if _, isUsage := errors.AsType[*cli.Error](err); isUsage || !errors.Is(err, stop) {
		t.Errorf("%v, usage error: %v; want %v", err, isUsage, stop)
	}
}

// An awaited context records that somebody waits for it.
type awaited struct {
	context.Context
	isAwaited bool
}

func (a *awaited) Done() <-chan struct{} {
	a.isAwaited = true
	return a.Context.Done()
}

// TestCachedTokenIsBrief checks that the output of a cached token need not wait for
// anything, so that it takes no time to catch signals. On a busy machine, reading a file can
// take so long that it does wait: then it has another try.
func TestCachedTokenIsBrief(t *testing.T) {
	home := t.TempDir()
	for name, value := range map[string]string{
		"HOME": home, "XDG_CACHE_HOME": home, "AWS_CONFIG_FILE": home + "/none", "AWS_SHARED_CREDENTIALS_FILE": home + "/none",
		"AWS_ACCESS_KEY_ID": exampleKey().ID, "AWS_SECRET_ACCESS_KEY": exampleKey().Secret, "AWS_SESSION_TOKEN": "",
	} {
		t.Setenv(name, value)
	}
	token := func() (out string, isAwaited bool) {
		ctx := &awaited{Context: t.Context()}
		var printed strings.Builder
		if err := run(ctx, []string{"token", "-i", "c", "--region", "eu-west-2", "--cache"}, os.Environ(), cli.Streams{Out: &printed, Err: io.Discard}); err != nil {
			t.Fatal(err)
		}
		return printed.String(), ctx.isAwaited
	}
	made, _ := token()
	for range 100 {
		cached, isAwaited := token()
		if cached != made {
			t.Fatal("the token is not cached")
		}
		if !isAwaited {
			return
		}
	}
	t.Error("signals are caught each time")
}

// TestServerOutlivesItsLog checks that a server keeps running when the reader of its
// log has gone.
func TestServerOutlivesItsLog(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	ports, release, err := freeport.Reserve(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(release)
	dir := t.TempDir()
	server := exec.Command(clitest.Build(t), "server", "--cluster-id", "c", "--backend-mode", "MountedFile", "--health-port", "0",
		"--state-dir", dir, "--generate-kubeconfig", filepath.Join(dir, "kubeconfig.yaml"), "--port", strconv.Itoa(ports[0]))
	log, err := server.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Kill() }) // fails if the server has ended, as it should
	for lines := bufio.NewScanner(log); !strings.Contains(lines.Text(), "msg=serving"); {
		if !lines.Scan() {
			t.Fatal("the server does not serve")
		}
	}
	_ = log.Close()
	// The server logs both signals. The second must be handled, not kill it.
	for _, signal := range []syscall.Signal{syscall.SIGHUP, syscall.SIGTERM} {
		if err := server.Process.Signal(signal); err != nil {
			t.Errorf("%s: %v", signal, err)
		}
	}
	if err := server.Wait(); err != nil {
		t.Errorf("the server ended with %v, want no error", err)
	}
}
