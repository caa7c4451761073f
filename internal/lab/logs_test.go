package lab

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
)

func TestPrintLog(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"lab.log", "control-plane/etcd.log", authenticatorLogFile} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("of "+name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "link.log")); err != nil {
		t.Fatal(err)
	}
	for part, want := range map[string]string{"lab": "of lab.log", "etcd": "of control-plane/etcd.log", "authenticator": "of " + authenticatorLogFile} {
		var log bytes.Buffer
		if err := PrintLog(t.Context(), dir, part, false, &log); err != nil || log.String() != want {
			t.Errorf("%s: %q, %v", part, log.String(), err)
		}
	}
	err := PrintLog(t.Context(), dir, "link", false, &bytes.Buffer{})
	if !errors.Is(err, ErrNoLog) || !strings.Contains(err.Error(), "has: authenticator, etcd, lab)") {
		t.Error(err)
	}
	if err := PrintLog(t.Context(), t.TempDir(), "lab", false, &bytes.Buffer{}); !errors.Is(err, ErrNotRunning) {
		t.Error(err)
	}
}

func TestFollowLog(t *testing.T) {
	dir := t.TempDir()
	file, err := os.Create(filepath.Join(dir, "lab.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		output := &untilWritten{want: "later", written: cancel}
		if _, err := file.WriteString("first, "); err != nil {
			t.Fatal(err)
		}
		go func() {
			_, _ = file.WriteString("later")
		}()
		if err := PrintLog(ctx, dir, "lab", true, output); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if output.text.String() != "first, later" {
			t.Error(output.text.String())
		}
	})
}

// untilWritten calls written once its text ends with want.
type untilWritten struct {
	text    bytes.Buffer
	want    string
	written func()
}

func (u *untilWritten) Write(p []byte) (int, error) {
	n, err := u.text.Write(p)
	if strings.HasSuffix(u.text.String(), u.want) {
		u.written()
	}
	return n, err
}
