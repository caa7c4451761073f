//go:build unix

package cache

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestOpenRejects(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	at := func(name string) string { return filepath.Join(base, name) }
	if err := os.Mkdir(at("real"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(at("real"), at("link")); err != nil {
		t.Fatal(err)
	}
	for name, mode := range map[string]os.FileMode{"shared": 0o770, "readable": 0o704} {
		if err := os.Mkdir(at(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(at(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(at("file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"link": "is a symbolic link: expected a directory", "shared": "its mode is 0770", "readable": "its mode is 0704",
		"file": "not a directory", "file/below": "not a directory",
	} {
		if _, err := Open(at(name)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", name, err, want)
		}
	}
}

func TestReadRejects(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		make func(path string) error
		want string
	}{
		"a link":              {func(path string) error { return os.Symlink("/dev/null", path) }, "is a symbolic link"},
		"a FIFO":              {func(path string) error { return syscall.Mkfifo(path, 0o600) }, "is a FIFO"},
		"a directory":         {func(path string) error { return os.Mkdir(path, 0o700) }, "is a directory"},
		"what others can see": {func(path string) error { return os.WriteFile(path, nil, 0o644) }, "other users have access"},
	} {
		dir := open(t)
		if err := test.make(dir.file(Key{})); err != nil {
			t.Fatal(err)
		}
		if _, err := dir.Read(t.Context(), Key{}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}

func TestModes(t *testing.T) {
	t.Parallel()
	dir := open(t)
	if err := dir.Write(Key{}, []byte("secret"), time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
	unlock, err := dir.Lock(t.Context(), Key{})
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	entries, err := os.ReadDir(dir.path)
	if err != nil || len(entries) != 2 {
		t.Fatal(entries, err)
	}
	for _, entry := range entries {
		if info, err := entry.Info(); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", entry.Name(), info.Mode(), err)
		}
	}
}

// TestLockOfAFIFO checks that a FIFO does not keep anybody from signing in.
func TestLockOfAFIFO(t *testing.T) {
	t.Parallel()
	dir := open(t)
	path := filepath.Join(dir.path, "lock-0")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(5*time.Second, func() { _ = os.WriteFile(path, nil, 0o600) }) // ends the wait
	if unlock, err := dir.Lock(t.Context(), Key{}); err == nil {
		unlock()
	}
	if !late.Stop() {
		t.Error("it waits for a writer")
	}
}

func TestAnotherOwner(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("requires root, to give a file away")
	}
	path := t.TempDir()
	if err := os.Chmod(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 4321, 4321); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "belongs to another user (user ID 4321)") {
		t.Errorf("%v", err)
	}
}
