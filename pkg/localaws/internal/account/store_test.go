package account

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
)

func open(t testing.TB, path string) *store {
	t.Helper()
	s, _, err := openStore(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.close() })
	return s
}

// A brokenFile fails in the given operations.
type brokenFile struct {
	storeFile
	write, sync, close error
}

func (f brokenFile) Write(text []byte) (int, error) {
	if f.write != nil {
		n, _ := f.storeFile.Write(text[:len(text)/2])
		return n, f.write
	}
	return f.storeFile.Write(text)
}

func (f brokenFile) Sync() error  { return errors.Join(f.storeFile.Sync(), f.sync) }
func (f brokenFile) Close() error { return errors.Join(f.storeFile.Close(), f.close) }

// TestStoreKeepsWhatItHas checks that after any failure the file has the last saved
// text, and that saving works again once the failure is over.
func TestStoreKeepsWhatItHas(t *testing.T) {
	for name, broken := range map[string]struct {
		file   brokenFile
		create error
	}{
		"create": {create: syscall.EROFS},
		"write":  {file: brokenFile{write: syscall.ENOSPC}},
		"sync":   {file: brokenFile{sync: syscall.EIO}},
		"close":  {file: brokenFile{close: syscall.EDQUOT}},
	} {
		path := filepath.Join(t.TempDir(), "state")
		s := open(t, path)
		text, change := "one", uint64(1)
		save := func() error {
			return s.save(change, func() ([]byte, uint64, error) { return []byte(text), change, nil })
		}
		if err := save(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		create := s.create
		s.create = func(path string) (storeFile, error) {
			if broken.create != nil {
				return nil, broken.create
			}
			file, err := create(path)
			broken.file.storeFile = file
			return broken.file, err
		}
		text, change = "two", 2
		err := save()
		if want := errors.Join(broken.create, broken.file.write, broken.file.sync, broken.file.close); err == nil || !strings.Contains(err.Error(), want.Error()) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != "one" {
			t.Errorf("%s: the file has %q, %v", name, got, err)
		}
		if left, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); err != nil || len(left) > 0 {
			t.Errorf("%s: leftover files %q, %v", name, left, err)
		}
		s.create = create
		if err := save(); err != nil {
			t.Errorf("%s: saving after the failure: %v", name, err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != "two" {
			t.Errorf("%s: the file has %q, %v", name, got, err)
		}
	}
}

// TestStoreSharesWrites checks that calls during a write share the next write, and
// that no call returns before its change is in the file.
func TestStoreSharesWrites(t *testing.T) {
	s := open(t, filepath.Join(t.TempDir(), "state"))
	create, writes := s.create, 0
	begun, goOn := make(chan struct{}), make(chan struct{})
	s.create = func(path string) (storeFile, error) {
		if writes++; writes == 1 {
			close(begun)
			<-goOn
		}
		return create(path)
	}
	var last atomic.Uint64
	var changed sync.WaitGroup
	save := func() {
		change := last.Add(1)
		changed.Done()
		err := s.save(change, func() ([]byte, uint64, error) {
			now := last.Load()
			return fmt.Appendf(nil, "%d", now), now, nil
		})
		var saved uint64
		text, readError := os.ReadFile(s.path)
		_, scanError := fmt.Sscan(string(text), &saved)
		if err := errors.Join(err, readError, scanError); err != nil || saved < change {
			t.Errorf("change %d: the file has change %d, %v", change, saved, err)
		}
	}
	var calls sync.WaitGroup
	changed.Add(101)
	calls.Go(save)
	<-begun
	for range 100 {
		calls.Go(save)
	}
	changed.Wait()
	close(goOn)
	calls.Wait()
	if writes != 2 {
		t.Errorf("101 changes took %d writes", writes)
	}
}

func TestStoreIsPrivateAndOnes(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state")
	if err := os.WriteFile(path, []byte("{}"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ".state.partial"), []byte("what a kill left"), 0o644); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(dir, "link")
	if err := os.Symlink(path, other); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	for _, name := range []string{path, other, filepath.Join(dir, ".", "x", "..", "state")} {
		if _, _, err := openStore(name); !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
	save := func() error {
		return s.save(1, func() ([]byte, uint64, error) { return []byte("text"), 1, nil })
	}
	if err := save(); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	s.saved = 0
	if err := save(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if s = open(t, other); s.path != path {
		t.Errorf("the path of the link is %s", s.path)
	}
	if err := save(); err != nil {
		t.Error(err)
	}
	if info, err := os.Lstat(other); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v, %v", info, err)
	}
	if _, _, err := openStore(filepath.Join(dir, "nowhere", "state")); err == nil || !strings.Contains(err.Error(), "directory "+filepath.Join(dir, "nowhere")+" does not exist") {
		t.Error(err)
	}
	if _, _, err := openStore(dir); err == nil {
		t.Error("a directory was opened as a state file")
	}
}
