package cache

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t *testing.T) *Dir {
	t.Helper()
	dir, err := Open(filepath.Join(t.TempDir(), "parent", "cache"))
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestReadWrite(t *testing.T) {
	t.Parallel()
	dir := open(t)
	key := Key{1}
	if content, err := dir.Read(t.Context(), key); content != nil || err != nil {
		t.Errorf("reading nothing: %q, %v", content, err)
	}
	for _, text := range []string{"first", "second"} {
		if err := dir.Write(key, []byte(text), time.Now(), time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if content, err := dir.Read(t.Context(), key); string(content) != text || err != nil {
			t.Errorf("read %q, %v", content, err)
		}
	}
	if content, err := dir.Read(t.Context(), Key{2}); content != nil || err != nil {
		t.Errorf("reading another key: %q, %v", content, err)
	}
	if err := dir.Write(key, make([]byte, maxSize), time.Now(), time.Now()); err != nil {
		t.Error(err)
	}
	if err := dir.Write(key, make([]byte, maxSize+1), time.Now(), time.Now()); err == nil || !strings.Contains(err.Error(), "too many") {
		t.Errorf("writing too much: %v", err)
	}
	if err := os.WriteFile(dir.file(key), make([]byte, maxSize+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := dir.Read(t.Context(), key); err == nil || !strings.Contains(err.Error(), "too large") {
		t.Errorf("reading too much: %v", err)
	}
}

func TestWriteRemovesExpiredFiles(t *testing.T) {
	t.Parallel()
	dir := open(t)
	old, recent, foreign := Key{1}, Key{2}, filepath.Join(dir.path, "notes")
	for key, expires := range map[Key]time.Time{old: time.Now().Add(-grace - time.Minute), recent: time.Now().Add(time.Minute - grace)} {
		if err := dir.Write(key, []byte("x"), time.Now(), expires); err != nil {
			t.Fatal(err)
		}
	}
	partial := filepath.Join(dir.path, "."+filepath.Base(dir.file(old))+"-123") // of an interrupted Write
	for _, path := range []string{foreign, partial} {
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chtimes(path, time.Time{}, time.Unix(0, 0))); err != nil {
			t.Fatal(err)
		}
	}
	if err := dir.Write(Key{3}, []byte("x"), time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{dir.file(old): false, partial: false, dir.file(recent): true, foreign: true} {
		if _, err := os.Stat(path); err == nil != want {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// TestLock waits for another holder, as another process would be: locks belong to
// open files.
func TestLock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := open(t)
		unlock, err := dir.Lock(t.Context(), Key{1})
		if err != nil {
			t.Fatal(err)
		}
		started := time.Now()
		if _, err := dir.Lock(t.Context(), Key{1}); err == nil || !strings.Contains(err.Error(), "another process has held the lock") {
			t.Errorf("%v", err)
		}
		if waited := time.Since(started); waited != maxWait {
			t.Errorf("waited %s, want %s", waited, maxWait)
		}
		cancelled, cancel := context.WithCancelCause(t.Context())
		cause := errors.New("interrupted")
		time.AfterFunc(time.Second, func() { cancel(cause) })
		if _, err := dir.Lock(cancelled, Key{1}); !errors.Is(err, cause) {
			t.Errorf("%v, want %v", err, cause)
		}
		time.AfterFunc(time.Second, unlock)
		next, err := dir.Lock(t.Context(), Key{1})
		if err != nil {
			t.Fatal(err)
		}
		next()
	})
}
