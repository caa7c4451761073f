package main

import (
	"bufio"
	"context"
	"errors"
	"io"
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
