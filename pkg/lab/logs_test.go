package lab

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/kube-iam/authenticator/pkg/lab/internal/private/privatetest"
)

// TestFollowLog checks that a log that is followed is printed with what is added, until
// the user interrupts it.
func TestFollowLog(t *testing.T) {
	path := privatetest.Path(t)
	write(t, path+"/"+LogFile, "one\n")
	logs, err := Logs(path)
	if err != nil || len(logs) != 1 {
		t.Fatalf("Logs = %v, %v, want the lab's", logs, err)
	}
	synctest.Test(t, func(t *testing.T) {
		ctx, interrupt := context.WithCancel(t.Context())
		reader, writer := io.Pipe()
		done := make(chan error, 1)
		go func() {
			done <- logs[0].Copy(ctx, writer, true)
			_ = writer.Close()
		}()
		expect := func(want string) {
			t.Helper()
			got := make([]byte, len(want))
			if _, err := io.ReadFull(reader, got); err != nil || string(got) != want {
				t.Errorf("printed %q, %v, want %q", got, err, want)
			}
		}
		expect("one\n")
		synctest.Wait() // until it waits for more
		file, err := os.OpenFile(logs[0].Path, os.O_APPEND|os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		if _, err := file.WriteString("two\n"); err != nil {
			t.Fatal(err)
		}
		expect("two\n")
		interrupt()
		if err := <-done; err != nil {
			t.Errorf("Copy = %v after an interruption, want nil", err)
		}
	})
}

// TestLogsBesideThePods lists the other logs of a lab of kind, where root has given the
// authenticator's directory to the user of its pod.
func TestLogsBesideThePods(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a directory to others")
	}
	path := privatetest.Path(t)
	write(t, path+"/"+LogFile, "one\n")
	if err := errors.Join(os.Mkdir(path+"/authenticator", 0o700), os.Chown(path+"/authenticator", 10000, 10000)); err != nil {
		t.Fatal(err)
	}
	if logs, err := Logs(path); err != nil || len(logs) != 1 || logs[0].Part != "lab" {
		t.Errorf("Logs = %v, %v, want the lab's", logs, err)
	}
}

// TestWhyCommand checks where each provider's authenticator is asked.
func TestWhyCommand(t *testing.T) {
	t.Parallel()
	info := Info{Dir: "/lab", Authenticator: "/bin/authenticator", Kubeconfig: "/lab/kubeconfig"}
	for provider, want := range map[string][]string{
		Envtest: {"/bin/authenticator", "why", "--state-dir", "/lab/authenticator", "--last"},
		Kind:    {"/bin/authenticator", "why", "--kubeconfig", "/lab/kubeconfig", "--context", "administrator", "--last"},
	} {
		info.Provider = provider
		if got := info.Why(t.Context(), nil, "--last").Args; !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", provider, got, want)
		}
	}
}
