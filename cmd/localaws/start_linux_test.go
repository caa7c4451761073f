package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/internal/cli/clitest"
	"github.com/kube-iam/authenticator/pkg/localaws"
	"github.com/kube-iam/authenticator/pkg/localaws/localawstest"
)

// TestStartIsLight starts the built program and checks its memory. It only logs the
// times (go test -v), which differ by machine.
func TestStartIsLight(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program")
	}
	program := clitest.Build(t)
	for _, test := range []struct {
		name  string
		users int
		most  int // KiB
	}{
		{"empty", 0, 20 << 10},
		{"1000 users", 1000, 28 << 10},
	} {
		dir := t.TempDir()
		crowd(t, filepath.Join(dir, "state.json"), test.users)
		began := time.Now()
		s := startServer(t, dir, program)
		s.ready(t)
		ready := time.Since(began)
		memory := clitest.Memory(t, s.process.Process.Pid, "VmHWM")
		if err := s.process.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		<-s.ended
		ended := s.process.ProcessState
		t.Logf("%s: ready after %s, %s of CPU time, %d KiB", test.name, ready, ended.UserTime()+ended.SystemTime(), memory)
		if memory > test.most || !ended.Success() {
			t.Errorf("%s: used %d KiB, %v: %s", test.name, memory, ended, s.output)
		}
	}
}

// crowd writes a state file with users, each with a key and a policy.
func crowd(t *testing.T, file string, users int) {
	t.Helper()
	s := localawstest.Start(t, localaws.Config{AccountID: "231144931069", Region: "eu-west-2"})
	for i := range users {
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
