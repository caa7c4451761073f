package private

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// opened returns a private directory, and a file beside it that must not change.
func opened(t *testing.T) (dir *Dir, precious string) {
	t.Helper()
	base := base(t)
	precious = filepath.Join(base, "precious")
	write(t, precious, "precious")
	dir, err := Make(filepath.Join(base, "lab"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = dir.Close() })
	return dir, precious
}

func TestFiles(t *testing.T) {
	t.Parallel()
	dir, _ := opened(t)
	if _, err := dir.ReadFile("a/b"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("reading a missing file = %v, want fs.ErrNotExist", err)
	}
	if err := dir.Check("a/b", "c"); err != nil {
		t.Errorf("checking missing files = %v", err)
	}
	if err := errors.Join(dir.Mkdir("a/b"), dir.Mkdir("a/b")); err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"first", "2nd"} {
		if err := dir.WriteFile("a/b/file", []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
		if text, err := dir.ReadFile("a/b/file"); err != nil || string(text) != content {
			t.Errorf("reading the file = %q, %v, want %q", text, err, content)
		}
	}
	log, err := dir.Append("a/b/file")
	if err == nil {
		_, err = log.WriteString(" and more")
		_ = log.Close()
	}
	if text, readErr := dir.ReadFile("a/b/file"); err != nil || readErr != nil || string(text) != "2nd and more" {
		t.Errorf("after Append: %q, %v, %v", text, err, readErr)
	}
	log, err = dir.Create("a/b/file", 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_ = log.Close()
	if text, err := os.ReadFile(dir.Path("a", "b", "file")); err != nil || len(text) > 0 {
		t.Errorf("after Create: %q, %v", text, err)
	}
	if entries, err := dir.Entries(); err != nil || len(entries) != 1 || entries[0].Name() != "a" {
		t.Errorf("Entries = %v, %v", entries, err)
	}
	if err := dir.RemoveAll("a", "missing", "missing/too"); err != nil {
		t.Fatal(err)
	}
	if entries, err := dir.Entries(); err != nil || len(entries) > 0 {
		t.Errorf("after RemoveAll there is %v, %v", entries, err)
	}
}

// traps are the kinds of files that are not plain files.
func traps(precious string) map[string]struct {
	set  func(t *testing.T, path string)
	says string
} {
	type trap = struct {
		set  func(t *testing.T, path string)
		says string
	}
	return map[string]trap{
		"link":        {func(t *testing.T, path string) { symlink(t, precious, path) }, "is a symbolic link: expected a regular file"},
		"inner link":  {func(t *testing.T, path string) { symlink(t, "plain", path) }, "is a symbolic link: expected a regular file"},
		"broken link": {func(t *testing.T, path string) { symlink(t, "missing", path) }, "is a symbolic link: expected a regular file"},
		"hard link": {func(t *testing.T, path string) {
			if err := os.Link(precious, path); err != nil {
				t.Fatal(err)
			}
		}, "has 2 hard links: expected one"},
		"named pipe": {func(t *testing.T, path string) {
			if err := syscall.Mkfifo(path, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "is a FIFO: expected a regular file"},
		"socket": {func(t *testing.T, path string) {
			t.Chdir(filepath.Dir(path)) // a socket's path must be short
			listener, err := net.Listen("unix", filepath.Base(path))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = listener.Close() })
		}, "is a socket: expected a regular file"},
		"directory":    {func(t *testing.T, path string) { mkdir(t, path, 0o700) }, "is a directory: expected a regular file"},
		"file for all": {func(t *testing.T, path string) { write(t, path, ""); chmod(t, path, 0o666) }, "other users can write to "},
		"file of another user": {func(t *testing.T, path string) {
			write(t, path, "")
			giveAway(t, path)
		}, "belongs to another user"},
	}
}

func chmod(t *testing.T, path string, mode fs.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// TestTraps checks that only plain files are opened, that new files replace all
// others, and that the target of a link does not change.
func TestTraps(t *testing.T) {
	for name := range traps("") {
		t.Run(name, func(t *testing.T) {
			dir, precious := opened(t)
			write(t, dir.Path("plain"), "precious")
			trap := traps(precious)[name]
			trap.set(t, dir.Path("trap"))
			for call, err := range map[string]error{
				"Open":     errorOf(dir.Open("trap")),
				"Append":   errorOf(dir.Append("trap")),
				"ReadFile": errorOf(dir.ReadFile("trap")),
				"Check":    dir.Check("plain", "trap"),
			} {
				if err == nil || !strings.Contains(err.Error(), trap.says) || !strings.Contains(err.Error(), dir.Path("trap")) {
					t.Errorf("%s = %v, want %q", call, err, trap.says)
				}
			}
			if _, err := os.Lstat(dir.Path("missing")); err == nil {
				t.Error("a broken link was followed")
			}
			if err := dir.WriteFile("trap", []byte("new"), 0o600); err != nil && name != "directory" {
				t.Errorf("WriteFile = %v, want it to replace what is there", err)
			}
			if entries, err := dir.Entries(); err != nil || len(entries) != 2 {
				t.Errorf("WriteFile leaves %v, %v", entries, err)
			}
			if err := dir.RemoveAll("trap"); err != nil {
				t.Fatal(err)
			}
			trap.set(t, dir.Path("trap"))
			file, err := dir.Create("trap", 0o600)
			if err != nil {
				t.Fatalf("Create = %v, want it to replace what is there", err)
			}
			defer file.Close()
			if _, err := file.WriteString("new"); err != nil {
				t.Fatal(err)
			}
			if text, err := dir.ReadFile("trap"); err != nil || string(text) != "new" {
				t.Errorf("what was created is %q, %v", text, err)
			}
			for _, path := range []string{precious, dir.Path("plain")} {
				if text, err := os.ReadFile(path); err != nil || string(text) != "precious" {
					t.Errorf("%s is now %q (%v)", path, text, err)
				}
			}
		})
	}
}

// TestWriteFileTraps checks that WriteFile also replaces what has the name of its
// temporary file.
func TestWriteFileTraps(t *testing.T) {
	t.Parallel()
	dir, precious := opened(t)
	symlink(t, precious, dir.Path("file.new"))
	if err := dir.WriteFile("file", []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(precious); err != nil || string(text) != "precious" {
		t.Errorf("the link was followed: %q, %v", text, err)
	}
	if text, err := dir.ReadFile("file"); err != nil || string(text) != "new" {
		t.Errorf("the file is %q, %v", text, err)
	}
}

// TestTrappedDirectories checks that nothing happens below a link, even one to the
// same directory.
func TestTrappedDirectories(t *testing.T) {
	t.Parallel()
	for name, set := range map[string]func(t *testing.T, dir *Dir){
		"link":       func(t *testing.T, dir *Dir) { symlink(t, filepath.Dir(dir.Path()), dir.Path("trap")) },
		"inner link": func(t *testing.T, dir *Dir) { symlink(t, "plain", dir.Path("trap")) },
		"writable for all": func(t *testing.T, dir *Dir) {
			mkdir(t, dir.Path("trap"), 0o777)
			write(t, dir.Path("trap/precious"), "precious")
		},
		"another user's": func(t *testing.T, dir *Dir) {
			mkdir(t, dir.Path("trap"), 0o755)
			write(t, dir.Path("trap/precious"), "precious")
			giveAway(t, dir.Path("trap"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, precious := opened(t)
			mkdir(t, dir.Path("plain"), 0o700)
			write(t, dir.Path("plain/precious"), "precious")
			set(t, dir)
			for call, err := range map[string]error{
				"ReadFile":  errorOf(dir.ReadFile("trap/precious")),
				"Append":    errorOf(dir.Append("trap/precious")),
				"Create":    errorOf(dir.Create("trap/precious", 0o600)),
				"WriteFile": dir.WriteFile("trap/precious", []byte("new"), 0o600),
				"RemoveAll": dir.RemoveAll("trap/precious"),
				"Mkdir":     dir.Mkdir("trap/below"),
				"Check":     dir.Check("trap/precious"),
				"Chown":     dir.Chown("trap", os.Geteuid(), os.Getegid()),
			} {
				if err == nil || !strings.Contains(err.Error(), dir.Path("trap")) {
					t.Errorf("%s below = %v, want it refused", call, err)
				}
			}
			for _, path := range []string{precious, dir.Path("plain", "precious"), dir.Path("trap", "precious")} {
				if text, err := os.ReadFile(path); err != nil || string(text) != "precious" {
					t.Errorf("%s is now %q (%v)", path, text, err)
				}
			}
			if err := dir.RemoveAll("trap"); err != nil {
				t.Errorf("RemoveAll of it = %v", err)
			}
			for _, path := range []string{precious, dir.Path("plain", "precious")} {
				if _, err := os.Stat(path); err != nil {
					t.Errorf("RemoveAll followed a link: %v", err)
				}
			}
		})
	}
}

// TestRemoveAllStaysInside checks that RemoveAll does not follow the links of a tree.
func TestRemoveAllStaysInside(t *testing.T) {
	t.Parallel()
	dir, precious := opened(t)
	if err := dir.Mkdir("a/b"); err != nil {
		t.Fatal(err)
	}
	symlink(t, filepath.Dir(precious), dir.Path("a/b/out"))
	symlink(t, "..", dir.Path("a/b/up"))
	if err := os.Link(precious, dir.Path("a/precious")); err != nil {
		t.Fatal(err)
	}
	write(t, dir.Path("other"), "")
	if err := dir.RemoveAll("a"); err != nil {
		t.Fatal(err)
	}
	if entries, err := dir.Entries(); err != nil || len(entries) != 1 {
		t.Errorf("there is %v, %v, want the other file alone", entries, err)
	}
	if text, err := os.ReadFile(precious); err != nil || string(text) != "precious" {
		t.Errorf("the target of a link is %q (%v)", text, err)
	}
}

// TestDirIsOneDirectory checks that a Dir does not touch a directory that replaces it.
func TestDirIsOneDirectory(t *testing.T) {
	t.Parallel()
	dir, _ := opened(t)
	if err := os.Remove(dir.Path()); err != nil {
		t.Fatal(err)
	}
	mkdir(t, dir.Path(), 0o700)
	write(t, dir.Path("file"), "")
	if err := dir.RemoveAll("file"); err != nil {
		t.Error(err)
	}
	if err := dir.WriteFile("new", nil, 0o600); err == nil {
		t.Error("writing to a directory that was removed succeeds")
	}
	if entries, err := os.ReadDir(dir.Path()); err != nil || len(entries) != 1 || entries[0].Name() != "file" {
		t.Errorf("in the other directory there is %v, %v", entries, err)
	}
}

// TestChown gives files to their own user, which needs no privileges.
func TestChown(t *testing.T) {
	t.Parallel()
	chown := func(dir *Dir) error { return dir.Chown("a", os.Geteuid(), os.Getegid()) }
	for name, test := range map[string]struct {
		set  func(t *testing.T, dir *Dir, precious string)
		says string
	}{
		"plain":     {func(t *testing.T, dir *Dir, _ string) { write(t, dir.Path("a/b/file"), "") }, ""},
		"link":      {func(t *testing.T, dir *Dir, precious string) { symlink(t, precious, dir.Path("a/b/link")) }, "is a symbolic link"},
		"hard link": {func(t *testing.T, dir *Dir, precious string) { _ = os.Link(precious, dir.Path("a/b/link")) }, "has 2 hard links"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, precious := opened(t)
			if err := dir.Mkdir("a/b"); err != nil {
				t.Fatal(err)
			}
			test.set(t, dir, precious)
			if err := chown(dir); (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), dir.Path("a/b/link")+" "+test.says) {
				t.Errorf("Chown = %v, want %q", err, test.says)
			}
		})
	}
	t.Run("to another", func(t *testing.T) {
		t.Parallel()
		if os.Geteuid() != 0 {
			t.Skip("only root can give files away")
		}
		dir, _ := opened(t)
		if err := dir.Mkdir("a/b"); err != nil {
			t.Fatal(err)
		}
		write(t, dir.Path("a/b/file"), "")
		if err := dir.Chown("a", 4711, 4712); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"a", "a/b", "a/b/file"} {
			state, err := os.Lstat(dir.Path(name))
			if err != nil {
				t.Fatal(err)
			}
			if owner, _ := owned(state); owner != 4711 {
				t.Errorf("%s belongs to %d", name, owner)
			}
		}
		if _, err := dir.ReadFile("a/b/file"); err == nil {
			t.Error("what another user can change is read")
		}
	})
}

func errorOf(_ any, err error) error { return err }

// TestPublic checks that other users can read a public directory and a file in it, whatever
// the umask is.
func TestPublic(t *testing.T) {
	t.Parallel()
	d, _ := opened(t)
	err := errors.Join(d.MkdirPublic("a"), d.MkdirPublic("a"), d.WriteFile("a/b", []byte("text"), 0o644), d.WriteFile("a/b", []byte("text"), 0o666))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{"a": 0o755, "a/b": 0o666} {
		if state, err := os.Stat(d.Path(name)); err != nil || state.Mode().Perm() != want {
			t.Errorf("%s is %v, %v, want %v", name, state.Mode(), err, want)
		}
	}
}
