package lab

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kube-iam/authenticator/pkg/lab/internal/private/privatetest"
	"github.com/kube-iam/authenticator/pkg/lab/internal/provider"
)

// TestStepSaysHowLongItTakes checks that a long step prints a line every 5 seconds.
func TestStepSaysHowLongItTakes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var progress bytes.Buffer
		l := &Lab{config: Config{Progress: &progress}}
		failed := errors.New("failed")
		err := l.step(t.Context(), provider.Step{Name: "starting etcd", Run: func(context.Context) error {
			<-time.After(12 * time.Second) // of the bubble
			return failed
		}})
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
		err := l.step(ctx, provider.Step{Name: "starting", Run: func(context.Context) error {
			cancel(why)
			return answer
		}})
		if !errors.Is(err, why) {
			t.Errorf("step whose work returns %v = %v, want %v", answer, err, why)
		}
	}
}

// TestUpRefuses checks what Up refuses before it creates anything.
func TestUpRefuses(t *testing.T) {
	assets := programs(t, "kube-apiserver", "etcd", "kubectl", "authenticator")
	dir := privatetest.Path(t)
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
