package mapedit_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/kube-iam/authenticator/internal/mapedit"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth/edit"
)

// TestFileConflict checks that an edit of a file does not undo what somebody else wrote
// after it was read.
func TestFileConflict(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "aws-auth.yaml")
	for _, content := range []string{"mapUsers: []\n", "mapUsers: [] # theirs\n"} {
		target := mapedit.File{Path: path} // the first time, the file is new
		if _, err := target.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := target.Write(t.Context(), edit.File("ours"), false); !errors.Is(err, mapedit.ErrConflict) {
			t.Errorf("got %v, want a conflict", err)
		}
		if _, err := target.Read(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := target.Write(t.Context(), edit.File(content+"# ours\n"), false); err != nil {
			t.Errorf("after reading it again: %v", err)
		}
	}
}
