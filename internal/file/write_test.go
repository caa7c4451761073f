package file

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestWrite(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	for _, want := range []struct {
		content string
		mode    fs.FileMode
	}{{"one", 0o600}, {"two, which is longer", 0o644}, {"3", 0o600}} {
		if err := Write(path, []byte(want.content), want.mode); err != nil {
			t.Fatal(err)
		}
		content, err := Read(context.Background(), path, MaxSettings)
		if err != nil || string(content) != want.content {
			t.Errorf("%q, %v, want %q", content, err, want.content)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want.mode {
			t.Errorf("mode %v, %v, want %v", info.Mode(), err, want.mode)
		}
	}
}

// TestCreate checks that of many writers, one creates the file.
func TestCreate(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	var created atomic.Int64
	var creating sync.WaitGroup
	for range 16 {
		creating.Go(func() {
			switch err := Create(path, []byte("content"), 0o600); {
			case err == nil:
				created.Add(1)
			case !errors.Is(err, fs.ErrExist):
				t.Error(err)
			}
		})
	}
	creating.Wait()
	if created.Load() != 1 {
		t.Errorf("created %d times", created.Load())
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if left, err := os.ReadDir(filepath.Dir(path)); err != nil || len(left) != 1 {
		t.Errorf("in the directory are %v, %v", left, err)
	}
}

// TestWriteFails checks that a failed write leaves no temporary file.
func TestWriteFails(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "taken", "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(dir, "taken"), filepath.Join(dir, "missing", "file")} {
		if err := Write(path, []byte("content"), 0o600); err == nil {
			t.Errorf("%s is written", path)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("in the directory are %v, %v", left, err)
	}
}

// TestWriteRemovesStale checks that a write removes what killed processes left of writes
// of the same file, and nothing else.
func TestWriteRemovesStale(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	names := []string{".file.partial-1", ".file.partial-22", ".file.partial-x", ".file-3", ".other.partial-4"}
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(".other.partial-4", filepath.Join(dir, ".file.partial-5")); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-2 * staleAfter)
	for _, name := range names {
		if name != ".file.partial-22" { // another process may be writing it
			if err := os.Chtimes(filepath.Join(dir, name), old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := Write(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, entry := range left {
		got = append(got, entry.Name())
	}
	want := []string{".file-3", ".file.partial-22", ".file.partial-5", ".file.partial-x", ".other.partial-4", "file"}
	if !slices.Equal(got, want) {
		t.Errorf("in the directory are %q, want %q", got, want)
	}
}
