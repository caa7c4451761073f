package labtest

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestEndKilled checks whose files are removed: those of a test that was killed, and not
// those of a test that failed or of somebody's lab.
func TestEndKilled(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	for _, name := range []string{
		"labtest-1/lab.lock", "labtest-1/lab.json", // killed: a lab that ends removes lab.json
		"labtest-2/lab.lock", "labtest-2/aws/log",
		"lab-3/lab.lock", "lab-3/lab.json",
		"labtest-4/lab.json",
	} {
		path := filepath.Join(temp, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	endKilled(t.Context(), io.Discard)
	left, err := filepath.Glob(filepath.Join(temp, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range left {
		if left[i], err = filepath.Rel(temp, left[i]); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]string{"lab-3/lab.json", "lab-3/lab.lock", "labtest-2/aws", "labtest-2/lab.lock", "labtest-4/lab.json"}, left); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
}
