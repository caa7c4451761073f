//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestLogsOfPods lists the logs of the control plane's parts, which are pods, and follows
// that of the authenticator: a denial is printed while it happens.
func TestLogsOfPods(t *testing.T) {
	onKind(t)
	plane := controlPlane(t)
	ctx, stop := context.WithTimeout(t.Context(), 5*time.Minute)
	defer stop()
	logs := func(arguments ...string) *exec.Cmd {
		return exec.CommandContext(ctx, filepath.Join("..", "bin", "lab"), append([]string{"logs", "--dir", suite.Info().Dir}, arguments...)...)
	}
	list, err := logs().Output()
	if err != nil {
		t.Fatal(err)
	}
	for part, pod := range map[string]string{"authenticator": "aws-iam-authenticator", "etcd": "etcd", "kube-apiserver": "kube-apiserver"} {
		if want := "pod kube-system/" + pod + "-" + plane.name; !strings.Contains(string(list), want) {
			t.Errorf("%s is not listed:\n%s", want, list)
		}
		if text, err := logs(part).Output(); err != nil || len(text) == 0 {
			t.Errorf("the log of %s has %d bytes, %v", part, len(text), err)
		}
	}

	follow := logs("authenticator", "--follow")
	var said bytes.Buffer
	follow.Stderr = &said
	follow.Cancel = func() error { return follow.Process.Signal(os.Interrupt) }
	output, err := follow.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := follow.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(output)
	if !lines.Scan() {
		t.Fatalf("the log is empty: %s", said.String())
	}
	stranger := newUser(t, "stranger")
	if err := newBearer(t, stranger).signIn(t.Context()); !unauthorized(err) {
		t.Errorf("the stranger is answered %v", err)
	}
	found := false
	for !found && lines.Scan() {
		found = strings.Contains(lines.Text(), ":user/"+stranger.user)
	}
	if !found {
		t.Errorf("the denial is not printed: %s", said.String())
	}
	stop()
	_ = follow.Wait() // it was interrupted
}
