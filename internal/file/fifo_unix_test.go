//go:build unix

package file

import (
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
