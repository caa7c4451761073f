package private

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// base returns a new directory that is safe whatever the umask is, without symbolic links.
func base(t *testing.T) string {
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

func mkdir(t *testing.T, path string, mode fs.FileMode) {
	t.Helper()
	err := os.Mkdir(path, 0o700)
	if err == nil {
		err = os.Chmod(path, mode) // regardless of the umask
	}
	if err != nil {
		t.Fatal(err)
	}
}

func symlink(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

// giveAway makes another user the owner, which only root can do.
func giveAway(t *testing.T, path string) {
	t.Helper()
	if err := os.Lchown(path, os.Geteuid()+1, -1); err != nil {
		t.Skip("only root can give a file away")
	}
}

// forGroup makes a directory that a group of others can write to.
func forGroup(t *testing.T, path string, mode fs.FileMode) {
	t.Helper()
	mkdir(t, path, mode)
	if isOurs(os.Getegid()) {
		t.Skip("this user is alone in its group")
	}
}

// TestOpen checks that Open accepts what only this user can change, and refuses
// everything else. "at" is the path in the error, relative to the test's directory.
func TestOpen(t *testing.T) {
	t.Parallel()
	const sticky = fs.ModeSticky
	for name, test := range map[string]struct {
		prepare    func(t *testing.T, base string)
		path, want string
		refused    string
		at         string
	}{
		"private":          {prepare: func(t *testing.T, base string) { mkdir(t, base+"/lab", 0o700) }, path: "lab", want: "lab"},
		"readable by all":  {prepare: func(t *testing.T, base string) { mkdir(t, base+"/lab", 0o755) }, path: "lab", want: "lab"},
		"in a sticky one":  {prepare: func(t *testing.T, base string) { mkdir(t, base+"/tmp", sticky|0o777); mkdir(t, base+"/tmp/lab", 0o700) }, path: "tmp/lab", want: "tmp/lab"},
		"by a link":        {prepare: func(t *testing.T, base string) { mkdir(t, base+"/lab", 0o700); symlink(t, base+"/lab", base+"/link") }, path: "link", want: "lab"},
		"by a link to ..":  {prepare: func(t *testing.T, base string) { mkdir(t, base+"/a", 0o700); symlink(t, "../a/.", base+"/a/link") }, path: "a/link", want: "a"},
		"by a link to all": {prepare: func(t *testing.T, base string) { symlink(t, "/", base+"/link") }, path: "link" + "BASE", want: ""},

		"for the group":        {prepare: func(t *testing.T, base string) { forGroup(t, base+"/lab", 0o770) }, path: "lab", refused: "other users can write to ", at: "lab"},
		"for all":              {prepare: func(t *testing.T, base string) { mkdir(t, base+"/lab", 0o702) }, path: "lab", refused: "other users can write to ", at: "lab"},
		"sticky itself":        {prepare: func(t *testing.T, base string) { mkdir(t, base+"/lab", sticky|0o777) }, path: "lab", refused: "mode 0777): expected a directory of your own, such as ", at: "lab/lab"},
		"in one for the group": {prepare: func(t *testing.T, base string) { forGroup(t, base+"/src", 0o775); mkdir(t, base+"/src/lab", 0o700) }, path: "src/lab", refused: "other users can write to ", at: "src"},
		"deep in one for all": {prepare: func(t *testing.T, base string) {
			mkdir(t, base+"/src", 0o777)
			mkdir(t, base+"/src/mine", 0o700)
			mkdir(t, base+"/src/mine/lab", 0o700)
		}, path: "src/mine/lab", refused: "other users can write to ", at: "src"},
		"behind a link": {prepare: func(t *testing.T, base string) {
			mkdir(t, base+"/src", 0o777)
			mkdir(t, base+"/src/lab", 0o700)
			symlink(t, "src/lab", base+"/link")
		}, path: "link", refused: "other users can write to ", at: "src"},
		"another user's": {prepare: func(t *testing.T, base string) { mkdir(t, base+"/lab", 0o700); giveAway(t, base+"/lab") }, path: "lab", refused: " belongs to another user", at: "lab"},
		"in another user's": {prepare: func(t *testing.T, base string) {
			mkdir(t, base+"/theirs", 0o755)
			mkdir(t, base+"/theirs/lab", 0o700)
			giveAway(t, base+"/theirs")
		}, path: "theirs/lab", refused: " belongs to another user", at: "theirs"},
		"in another user's that is sticky": {prepare: func(t *testing.T, base string) {
			mkdir(t, base+"/tmp", sticky|0o777)
			mkdir(t, base+"/tmp/lab", 0o700)
			giveAway(t, base+"/tmp")
		}, path: "tmp/lab", refused: " belongs to another user", at: "tmp"},
		"by another user's link": {prepare: func(t *testing.T, base string) {
			mkdir(t, base+"/tmp", sticky|0o777)
			mkdir(t, base+"/mine", 0o700)
			symlink(t, base+"/mine", base+"/tmp/lab")
			giveAway(t, base+"/tmp/lab")
		}, path: "tmp/lab", refused: " belongs to another user", at: "tmp/lab"},
		"a file":       {prepare: func(t *testing.T, base string) { write(t, base+"/lab", "") }, path: "lab", refused: "a regular file: expected a directory", at: "lab"},
		"below a file": {prepare: func(t *testing.T, base string) { write(t, base+"/file", "") }, path: "file/lab", refused: "a regular file: expected a directory", at: "file"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			base := base(t)
			test.prepare(t, base)
			path := strings.Replace(filepath.Join(base, test.path), "BASE", base, 1)
			for call, open := range map[string]func(string) (*Dir, error){"Open": Open, "Make": Make} {
				dir, err := open(path)
				if test.refused != "" {
					if err == nil || !strings.Contains(err.Error(), test.refused) || !strings.Contains(err.Error(), filepath.Join(base, test.at)) {
						t.Errorf("%s = %v, want %q and %s", call, err, test.refused, test.at)
					}
					continue
				}
				if err != nil {
					t.Errorf("%s: %v", call, err)
					continue
				}
				if got, want := dir.Path(), filepath.Join(base, test.want); got != want {
					t.Errorf("%s opens %s, want %s", call, got, want)
				}
				_ = dir.Close()
			}
		})
	}
}

// TestOpenSaysWhatHelps checks that the error has the mode and the remedy.
func TestOpenSaysWhatHelps(t *testing.T) {
	t.Parallel()
	path := filepath.Join(base(t), "lab")
	mkdir(t, path, 0o777)
	_, err := Open(path)
	unsafe, ok := errors.AsType[*UnsafeError](err)
	if !ok || unsafe.Path != path || unsafe.Mode.Perm() != 0o777 || unsafe.Owner != os.Geteuid() {
		t.Fatalf("Open = %#v, want an UnsafeError of %s", err, path)
	}
	if !strings.Contains(err.Error(), "mode 0777") || !strings.Contains(err.Error(), "chmod go-w "+path) {
		t.Errorf("Open = %v, want the mode and the remedy", err)
	}
	if err := os.Chmod(path, 0o755); err != nil { // as the error says
		t.Fatal(err)
	}
	dir, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	_ = dir.Close()
}

func TestOpenOfNothing(t *testing.T) {
	t.Parallel()
	if _, err := Open(filepath.Join(base(t), "missing", "lab")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open = %v, want fs.ErrNotExist", err)
	}
}

func TestOpenOfALoop(t *testing.T) {
	t.Parallel()
	dir := base(t)
	symlink(t, "b", dir+"/a")
	symlink(t, "a", dir+"/b")
	if _, err := Open(dir + "/a"); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("Open = %v, want ELOOP", err)
	}
}

func TestMake(t *testing.T) {
	t.Parallel()
	base := base(t)
	dir, err := Make(base + "/a/b")
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	for _, path := range []string{base + "/a", base + "/a/b"} {
		if state, err := os.Stat(path); err != nil || state.Mode() != fs.ModeDir|0o700 {
			t.Errorf("%s: %v, %v, want it private", path, state, err)
		}
	}
}

// TestMakeMakesNothing checks that Make creates nothing that others could replace.
func TestMakeMakesNothing(t *testing.T) {
	t.Parallel()
	base := base(t)
	mkdir(t, base+"/shared", 0o777)
	if _, err := Make(base + "/shared/lab"); err == nil {
		t.Error("Make in a directory that others can write to succeeds")
	}
	if entries, err := os.ReadDir(base + "/shared"); err != nil || len(entries) > 0 {
		t.Errorf("Make has made %v (%v)", entries, err)
	}
}
