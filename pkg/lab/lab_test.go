package lab

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestStepSaysHowLongItTakes checks that a long step prints a line every 5 seconds.
func TestStepSaysHowLongItTakes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var progress bytes.Buffer
		l := &Lab{config: Config{Progress: &progress}}
		failed := errors.New("failed")
		err := l.step(t.Context(), "starting etcd", func(context.Context) error {
			<-time.After(12 * time.Second) // of the bubble
			return failed
		})
		if !errors.Is(err, failed) {
			t.Errorf("step = %v, want %v", err, failed)
		}
		if want := "lab: starting etcd\nlab: starting etcd, 5s\nlab: starting etcd, 10s\n"; progress.String() != want {
			t.Errorf("progress = %q, want %q", &progress, want)
		}
	})
}

// TestStepOfAUserWhoGaveUp checks that an interrupted step returns the interruption,
// whether its work failed or succeeded.
func TestStepOfAUserWhoGaveUp(t *testing.T) {
	t.Parallel()
	why := errors.New("interrupted")
	for _, answer := range []error{nil, errors.New("proxyconnect: context canceled")} {
		ctx, cancel := context.WithCancelCause(t.Context())
		l := &Lab{config: Config{Progress: &bytes.Buffer{}}}
		err := l.step(ctx, "starting", func(context.Context) error {
			cancel(why)
			return answer
		})
		if !errors.Is(err, why) {
			t.Errorf("step whose work returns %v = %v, want %v", answer, err, why)
		}
	}
}

func TestTail(t *testing.T) {
	t.Parallel()
	dir := privateDir(t, realDir(t))
	if got := tail(dir, "log"); !strings.Contains(got, "log: no such file") {
		t.Errorf("tail of no file = %q", got)
	}
	for text, want := range map[string]string{
		"":           "",
		"one\ntwo\n": "one\ntwo",
		"1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n": "3\n4\n5\n6\n7\n8\n9\n10\n11\n12",
	} {
		write(t, dir.Path("log"), text)
		if got := tail(dir, "log"); got != want {
			t.Errorf("tail of %q = %q, want %q", text, got, want)
		}
	}
}

// TestUpRefuses checks what Up refuses before it creates anything.
func TestUpRefuses(t *testing.T) {
	assets := programs(t, "kube-apiserver", "etcd", "kubectl", "authenticator")
	dir := realDir(t)
	other := startLab(t, dir)
	_, err := Up(t.Context(), Config{Dir: dir, Assets: assets, Authenticator: assets + "/authenticator"})
	if !errors.Is(err, ErrRunning) {
		t.Errorf("Up where a lab runs = %v, want ErrRunning", err)
	}
	if info, err := Open(dir); err != nil || info.PID != other.pid() {
		t.Errorf("the lab that runs: %+v, %v", info, err)
	}
	if _, err := Up(t.Context(), Config{Dir: dir, Assets: t.TempDir()}); err == nil {
		t.Error("Up without a control plane succeeds")
	}
}
