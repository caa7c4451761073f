package presign_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestCacheOnFullDisk makes tokens while the disk of the cache is full, with one warning
// each and no half a file. Once there is room, it keeps them again.
func TestCacheOnFullDisk(t *testing.T) {
	k := keep(t)
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=64k,mode=0700"); err != nil {
		t.Skipf("mounting a small file system: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	k.cache.Dir = disk
	first := k.token("")
	k.warned(0, "")
	filler := filepath.Join(disk, "filler")
	fill(t, filler)

	k.now = first.Expiration.Add(-time.Second) // the first one is no longer used
	second := k.token("")
	if second.Token == "" || second == first {
		t.Errorf("%v is made while the disk is full", second)
	}
	k.warned(1, "no space left on device")
	if partial, err := filepath.Glob(filepath.Join(disk, ".*partial*")); err != nil || len(partial) > 0 {
		t.Errorf("%q are left, %v", partial, err)
	}

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	third := k.token("")
	k.now = k.now.Add(time.Second)
	if again := k.token(""); again != third {
		t.Error("the token is not kept, although there is room")
	}
	k.warned(0, "")
}

// fill writes a file until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for range 1 << 10 {
		if _, err := file.Write(make([]byte, 4096)); err != nil {
			return
		}
	}
	t.Fatal("the disk is not full")
}
