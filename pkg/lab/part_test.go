package lab

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-iam/authenticator/pkg/lab/internal/private/privatetest"
)

// TestInspectParts finds out which parts of a running lab have ended.
func TestInspectParts(t *testing.T) {
	t.Parallel()
	dir := privatetest.Path(t)
	etcd := start(t, "echo", "etcd", "--data-dir="+filepath.Join(dir, "etcd"))
	server := start(t, "echo", "kube-apiserver", "--cert-dir="+filepath.Join(dir, "apiserver"))
	etcd.lives(t)
	server.lives(t)
	publish(t, dir, Info{Running: true, Dir: dir, PID: 4711, Parts: []Part{{Name: "etcd", Running: true}, {Name: "kube-apiserver", Running: true}, {Name: "authenticator", Running: true}}})
	record(t, dir, etcd, server)
	check := func(want string, parts ...Part) {
		t.Helper()
		info, err := Inspect(t.Context(), dir)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(parts, info.Parts); diff != "" {
			t.Errorf("parts (-want +got):\n%s", diff)
		}
		if err := info.Ready(); err == nil || errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), want) {
			t.Errorf("Ready: %v, want %q", err, want)
		}
	}
	// An authenticator that was never recorded does not run.
	check("authenticator of the lab in "+dir+" has ended (lab logs --dir "+dir+" shows why, lab restart authenticator --dir "+dir+" starts it)",
		Part{"etcd", true, etcd.pid()}, Part{"kube-apiserver", true, server.pid()}, Part{Name: "authenticator"})
	server.kill(t)
	check("kube-apiserver, authenticator of the lab in "+dir+" have ended (lab logs --dir "+dir+" shows why, lab restart --dir "+dir+" starts all)",
		Part{"etcd", true, etcd.pid()}, Part{Name: "kube-apiserver"}, Part{Name: "authenticator"})
}

// TestInspectAKilledLab finds what a killed lab left.
func TestInspectAKilledLab(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		info    string // "" if it ended by itself
		runs    bool
		left    bool
		takesUp bool
		says    string
	}{
		"ended":          {"", false, false, false, "(lab up DIR starts one)"},
		"ready":          {`{"running":true,"complete":true,"provider":"envtest"}`, true, true, true, "a killed one left etcd (process "},
		"nothing runs":   {`{"running":true,"complete":true,"provider":"envtest"}`, false, true, true, "(a killed one left its files; lab up DIR resumes it, lab down DIR removes it)"},
		"came up again":  {`{"complete":true,"provider":"envtest"}`, false, true, true, "lab up DIR resumes it"},
		"coming up":      {`{"provider":"envtest"}`, true, true, false, "; lab up DIR and lab down DIR remove it)"},
		"of containers":  {`{"running":true,"complete":true,"provider":"kind"}`, false, true, false, "; lab up DIR and lab down DIR remove it)"},
		"on a full disk": {`{"runn`, false, true, false, "; lab up DIR and lab down DIR remove it)"},
		"only a program": {"", true, true, false, "a killed one left etcd (process "},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := privatetest.Path(t)
			write(t, filepath.Join(dir, lockFile), "")
			if test.info != "" {
				write(t, filepath.Join(dir, infoFile), test.info)
			}
			etcd := start(t, "echo", "etcd", "--data-dir="+filepath.Join(dir, "etcd"))
			etcd.lives(t)
			record(t, dir, etcd)
			want := []Part{{"etcd", true, etcd.pid()}}
			if !test.runs {
				etcd.kill(t)
				want = nil
			}
			info, err := Inspect(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			if (info.Left != nil) != test.left {
				t.Fatalf("Left = %v, want one: %v", info.Left, test.left)
			}
			if test.left {
				if diff := cmp.Diff(&Left{Running: want, TakeUp: test.takesUp}, info.Left); diff != "" {
					t.Errorf("Left (-want +got):\n%s", diff)
				}
			}
			says := strings.ReplaceAll(test.says, "DIR", "--dir "+dir)
			if err := info.Ready(); !errors.Is(err, ErrNotRunning) || !strings.Contains(err.Error(), says) {
				t.Errorf("Ready: %v, want %q", err, says)
			}
		})
	}
}
