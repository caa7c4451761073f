package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/pkg/lab/internal/private/privatetest"
)

// background runs the test's program in a role, as a lab in the background.
func background(t *testing.T, ctx context.Context, role, dir string, progress io.Writer) error { //nolint:revive // t comes first in tests
	t.Helper()
	command := exec.Command(os.Args[0], dir)
	t.Setenv(roleVariable, role)
	err := Background(ctx, dir, command, progress)
	if command.Process != nil {
		t.Cleanup(func() {
			_ = command.Process.Kill()
			_ = command.Wait()
		})
	}
	return err
}

func TestBackground(t *testing.T) {
	dir := privatetest.Path(t)
	var progress bytes.Buffer
	if err := background(t, t.Context(), "lab", dir, &progress); err != nil {
		t.Fatal(err)
	}
	if progress.String() != "here\n" {
		t.Errorf("progress = %q", &progress)
	}
	info, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	// A second one is refused, and does not change the first one's log.
	write(t, filepath.Join(dir, LogFile), "the first one's")
	if err := background(t, t.Context(), "lab", dir, io.Discard); !errors.Is(err, ErrRunning) {
		t.Errorf("a second one: %v, want ErrRunning", err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, LogFile)); err != nil || string(text) != "the first one's" {
		t.Errorf("the log is now %q (%v)", text, err)
	}
	progress.Reset()
	was, err := Down(t.Context(), dir, &progress)
	if err != nil || !was {
		t.Errorf("Down = %v, %v", was, err)
	}
	since := info.Since.Local().Format(time.DateTime)
	if want := fmt.Sprintf("lab: ending the lab in %s (alice, process %d, up since %s)\n", dir, info.PID, since); progress.String() != want {
		t.Errorf("Down says %q, want %q", &progress, want)
	}
	text, err := os.ReadFile(filepath.Join(dir, LogFile))
	if want := fmt.Sprintf(": process %d of user %s ends this lab\n", os.Getpid(), username()); err != nil || !strings.HasSuffix(string(text), want) {
		t.Errorf("the log says %q (%v), want %q", text, err, want)
	}
	if got, want := files(t, dir), []string{lockFile, LogFile}; !slices.Equal(got, want) {
		t.Errorf("there remain %q, want %q", got, want)
	}
}

func TestBackgroundOfALabThatFails(t *testing.T) {
	dir := privatetest.Path(t)
	var progress bytes.Buffer
	err := background(t, t.Context(), "failing", dir, &progress)
	if want := filepath.Join(dir, LogFile); err == nil || !strings.Contains(err.Error(), "did not come up (exit status 1)") || !strings.Contains(err.Error(), want) {
		t.Errorf("Background = %v, want it to name %s", err, want)
	}
	if progress.String() != "this is why\n" {
		t.Errorf("progress = %q", &progress)
	}
}

// TestBackgroundInterrupted checks that Ctrl-C while a lab comes up ends the lab too.
func TestBackgroundInterrupted(t *testing.T) {
	dir := privatetest.Path(t)
	ctx, cancel := context.WithCancel(t.Context())
	if err := background(t, ctx, "coming up", dir, writerFunc(cancel)); err == nil {
		t.Error("Background of a lab that was interrupted succeeds")
	}
	if info, err := Status(dir); err != nil || info.PID != 0 {
		t.Errorf("Status = %+v, %v, want no lab", info, err)
	}
}

type writerFunc func()

func (f writerFunc) Write(p []byte) (int, error) {
	f()
	return len(p), nil
}

func TestParentProgressOfNobody(t *testing.T) {
	t.Setenv(progressVariable, "")
	if parent := ParentProgress(); parent != nil {
		t.Error("there is a parent")
	}
}

// TestDownTouchesNothing checks that Down removes nothing from a directory that is
// not a lab's, even if files there have the names of a lab's.
func TestDownTouchesNothing(t *testing.T) {
	t.Parallel()
	dir := privatetest.Path(t)
	for _, name := range []string{"aws", "kubeconfig", "lock"} {
		write(t, filepath.Join(dir, name), "precious")
	}
	if was, err := Down(t.Context(), dir, io.Discard); was || err != nil {
		t.Errorf("Down = %v, %v", was, err)
	}
	if got, want := files(t, dir), []string{"aws", "kubeconfig", "lock"}; !slices.Equal(got, want) {
		t.Errorf("there remain %q, want %q", got, want)
	}
	missing := filepath.Join(dir, "missing")
	if was, err := Down(t.Context(), missing, io.Discard); was || err != nil {
		t.Errorf("Down = %v, %v", was, err)
	}
	if _, err := os.Stat(missing); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Down made the directory: %v", err)
	}
}

// TestDownAfterAKill checks that Down ends what a killed lab left, and not another
// process that has the lab's PID now.
func TestDownAfterAKill(t *testing.T) {
	t.Parallel()
	dir := privatetest.Path(t)
	stranger := start(t, "echo", "cat")
	leftover := start(t, "echo", "etcd", "--data-dir="+filepath.Join(dir, "controlplane"))
	leftover.lives(t)
	killed := startLab(t, dir)
	record(t, dir, leftover)
	killed.kill(t)
	text, err := os.ReadFile(filepath.Join(dir, infoFile))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, infoFile), strings.Replace(string(text), strconv.Itoa(killed.pid()), strconv.Itoa(stranger.pid()), 1))
	var progress bytes.Buffer
	if was, err := Down(t.Context(), dir, &progress); was || err != nil {
		t.Errorf("Down = %v, %v", was, err)
	}
	<-leftover.ended
	if want := fmt.Sprintf("lab: ended etcd (process %d), left behind by a killed lab\n", leftover.pid()); progress.String() != want {
		t.Errorf("Down says %q, want %q", &progress, want)
	}
	stranger.lives(t)
	if got, want := files(t, dir), []string{lockFile}; !slices.Equal(got, want) {
		t.Errorf("there remain %q, want %q", got, want)
	}
}

// TestEndKilled checks that EndKilled ends what a killed lab left, and touches neither a
// running lab nor what one that ended has kept.
func TestEndKilled(t *testing.T) {
	t.Parallel()
	dir := privatetest.Path(t)
	leftover := start(t, "echo", "etcd", "--data-dir="+filepath.Join(dir, "controlplane"))
	leftover.lives(t)
	running := startLab(t, dir)
	record(t, dir, leftover)
	write(t, filepath.Join(dir, "controlplane", "etcd.log"), "kept")
	if killed, err := EndKilled(t.Context(), dir, io.Discard); killed || err != nil {
		t.Errorf("a running lab: %v, %v", killed, err)
	}
	leftover.lives(t)
	running.kill(t)
	if killed, err := EndKilled(t.Context(), dir, io.Discard); !killed || err != nil {
		t.Errorf("a killed lab: %v, %v", killed, err)
	}
	<-leftover.ended
	write(t, filepath.Join(dir, "controlplane", "etcd.log"), "kept")
	if killed, err := EndKilled(t.Context(), dir, io.Discard); killed || err != nil {
		t.Errorf("a lab that has ended: %v, %v", killed, err)
	}
	if got, want := files(t, dir), []string{"controlplane", lockFile}; !slices.Equal(got, want) {
		t.Errorf("there remain %q, want %q", got, want)
	}
	for _, other := range []string{t.TempDir(), filepath.Join(dir, "missing")} {
		if killed, err := EndKilled(t.Context(), other, io.Discard); killed || err != nil {
			t.Errorf("%s: %v, %v", other, killed, err)
		}
	}
}

// TestDownOfALabThatIsNotProven checks that Down does not signal a process that
// might belong to something else.
func TestDownOfALabThatIsNotProven(t *testing.T) {
	t.Parallel()
	for role, want := range map[string]string{
		"lab of an earlier version": "process %d: its start time and executable were not recorded, since an earlier version of lab started it: end it with kill %[1]d and try again",
		"lab of another container":  "process %d is not the lab's: the lab may run in another container; end it there",
	} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			dir := privatetest.Path(t)
			running := startLabAs(t, role, dir)
			was, err := Down(t.Context(), dir, io.Discard)
			if want := "ending the lab in " + dir + ": " + fmt.Sprintf(want, running.pid()); !was || err == nil || err.Error() != want {
				t.Errorf("Down = %v, %v, want %q", was, err, want)
			}
			if info, err := Open(dir); err != nil || info.PID != running.pid() {
				t.Errorf("afterwards Open = %+v, %v", info, err)
			}
		})
	}
}

// TestDownWaitsForAClaim checks that Down waits for a lab that has claimed its
// directory but has not published its description yet.
func TestDownWaitsForAClaim(t *testing.T) {
	t.Parallel()
	dir := privatetest.Path(t)
	claim, err := claimDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Down(ctx, dir, io.Discard); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Down = %v, want it to wait", err)
	}
	if err := claim.release(); err != nil {
		t.Fatal(err)
	}
	if _, err := Down(t.Context(), dir, io.Discard); err != nil {
		t.Errorf("Down = %v", err)
	}
}
