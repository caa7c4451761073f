package account

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestStoreOnFullDisk fills a real file system.
func TestStoreOnFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k,mode=0700"); err != nil {
		t.Skipf("mounting a small file system: %v", err)
	}
	defer func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	s := open(t, filepath.Join(dir, "state"))
	change := uint64(0)
	save := func(size int) error {
		change++
		return s.save(change, func() ([]byte, uint64, error) { return bytes.Repeat([]byte("x"), size), change, nil })
	}
	for _, test := range []struct {
		size int
		want error
	}{{20_000, nil}, {100_000, syscall.ENOSPC}, {20_001, nil}, {100_000, syscall.ENOSPC}, {20_002, nil}} {
		if err := save(test.size); !errors.Is(err, test.want) {
			t.Errorf("%d bytes: %v, want %v", test.size, err, test.want)
		}
		text, err := os.ReadFile(s.path)
		if err != nil || test.want == nil && len(text) != test.size || len(text) > 20_002 {
			t.Errorf("%d bytes: the file has %d, %v", test.size, len(text), err)
		}
	}
}
