// Package privatetest gives tests directories that no other user can write to.
package privatetest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/kube-iam/authenticator/pkg/lab/internal/private"
)

// Path returns the path of an empty directory that no other user can write to, whatever
// the umask is. The path has no symbolic links.
func Path(t testing.TB) string {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err == nil {
		err = os.Chmod(dir, 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// Open opens a directory, and closes it when the test ends.
func Open(t testing.TB, path string) *private.Dir {
	t.Helper()
	dir, err := private.Make(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dir.Close() })
	return dir
}
