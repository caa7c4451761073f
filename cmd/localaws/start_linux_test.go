package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/kube-iam/authenticator/internal/cli/clitest"
	"github.com/kube-iam/authenticator/pkg/localaws"
	"github.com/kube-iam/authenticator/pkg/localaws/localawstest"
)

// TestStartIsLight starts the built program with a state of 1 000 users and checks
// its memory. It only logs the CPU time (go test -v), which differs by machine.
func TestStartIsLight(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	dir := t.TempDir()
	crowd(t, filepath.Join(dir, "state.json"))
	s := startServer(t, dir, clitest.Build(t))
	s.ready(t)
	memory := clitest.Memory(t, s.process.Process.Pid, "VmHWM")
	if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-s.ended
	ended := s.process.ProcessState
	took := ended.UserTime() + ended.SystemTime()
	t.Logf("%s of CPU time, %d KiB", took, memory)
	if memory > 40<<10 || !ended.Success() {
		t.Errorf("used %d KiB, %v: %s", memory, ended, s.output)
	}
}

// crowd writes a state file with 1 000 users, each with a key and a policy.
func crowd(t *testing.T, file string) {
	t.Helper()
	s := localawstest.Start(t, localaws.Config{AccountID: "231144931069", Region: "eu-west-2"})
	for i := range 1000 {
		s.NewUser(t, fmt.Sprintf("user%d", i), `{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "eks:DescribeCluster", "Resource": "*"}]}`)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/_localaws/state", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set(localaws.SecretHeader, s.ControlSecret())
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s, %v", answer.Status, err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}
