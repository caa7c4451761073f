package file

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// TestReplaceOfAnothersFile checks that a user who may not give files away keeps the group
// of the file, if it is the user's, and otherwise gives no right to another group.
func TestReplaceOfAnothersFile(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("requires root, to act as another user")
	}
	const user, group, foreign = 4321, 4322, 4323
	for _, test := range []struct {
		name      string
		gid       int         // of the file
		dirGID    int         // of its directory
		dirMode   fs.FileMode // with setgid, a new file has the directory's group
		was, is   fs.FileMode
		isForeign bool
	}{
		{"the user's group", group, group, 0o700, 0o640, 0o640, false},
		{"the user's group in a directory of another", group, foreign, 0o700 | fs.ModeSetgid, 0o640, 0o640, false},
		{"the directory's group", foreign, foreign, 0o700 | fs.ModeSetgid, 0o660, 0o660, true},
		{"another group", foreign, group, 0o700, 0o660, 0o600, false},
		{"another group, and everybody may read", foreign, group, 0o700, 0o664, 0o644, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "file")
			if err := errors.Join(os.WriteFile(path, []byte("old"), 0o600), os.Chown(path, 0, test.gid), os.Chmod(path, test.was)); err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(os.Chown(dir, user, test.dirGID), os.Chmod(dir, test.dirMode), os.Chmod(filepath.Dir(dir), 0o711)); err != nil {
				t.Fatal(err)
			}
			replaced := make(chan error)
			go func() {
				runtime.LockOSThread() // the thread ends with the goroutine: it is another user's from here
				// These return the previous ID, and no error.
				_, _, _ = syscall.RawSyscall(syscall.SYS_SETFSGID, group, 0, 0)
				_, _, _ = syscall.RawSyscall(syscall.SYS_SETFSUID, user, 0, 0)
				replaced <- Replace(path, []byte("new"), 0o600)
			}()
			if err := <-replaced; err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			want := uint32(group)
			if test.isForeign {
				want = foreign
			}
			if is, ok := info.Sys().(*syscall.Stat_t); !ok || info.Mode() != test.is || is.Uid != user || is.Gid != want {
				t.Errorf("%v, owner %d, group %d: expected %v, %d, %d", info.Mode(), is.Uid, is.Gid, test.is, user, want)
			}
		})
	}
}
