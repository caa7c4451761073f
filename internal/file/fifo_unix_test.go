//go:build unix

package file

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestReadFIFO reads a FIFO without a writer: opening it would block forever.
func TestReadFIFO(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(t.Context(), path, 5); err == nil || !strings.Contains(err.Error(), path+" is a FIFO: expected a regular file") {
		t.Errorf("reading a FIFO: %v", err)
	}
}

// TestWriteFIFO checks that a write replaces neither a FIFO nor a link to one.
func TestWriteFIFO(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	link := path + "-link"
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for _, written := range []string{path, link} {
		for name, write := range map[string]func(string, []byte, fs.FileMode) error{"Write": Write, "Replace": Replace} {
			if err := write(written, nil, 0o600); err == nil || !strings.Contains(err.Error(), "is a FIFO: expected a regular file") {
				t.Errorf("%s of %s: %v", name, written, err)
			}
		}
	}
	if info, err := os.Lstat(path); err != nil || info.Mode().Type() != fs.ModeNamedPipe {
		t.Errorf("the FIFO is %v, %v", info, err)
	}
}
