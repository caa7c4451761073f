package lab

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/kube-iam/authenticator/pkg/lab/internal/private"
	"github.com/kube-iam/authenticator/pkg/lab/internal/private/privatetest"
	"github.com/kube-iam/authenticator/pkg/lab/internal/provider/kind"
)

func TestClaimDir(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		prepare func(t *testing.T, dir string)
		refused string
	}{
		"new": {prepare: func(*testing.T, string) {}},
		"empty": {prepare: func(t *testing.T, dir string) {
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}},
		"a lab's, incomplete": {prepare: func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, lockFile), "")
			write(t, filepath.Join(dir, "controlplane", "etcd.log"), "")
			write(t, filepath.Join(dir, infoFile), "{")
		}},
		"the user's": {
			prepare: func(t *testing.T, dir string) { write(t, filepath.Join(dir, "aws", "main.tf"), "") },
			refused: "holds files that are not a lab's (name a new or empty directory with --dir)",
		},
		"the user's, with a mark that is a link": {
			prepare: func(t *testing.T, dir string) {
				write(t, dir+".elsewhere", "precious")
				if err := os.Mkdir(dir, 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink(dir+".elsewhere", filepath.Join(dir, lockFile)); err != nil {
					t.Fatal(err)
				}
			},
			refused: "holds files that are not a lab's",
		},
		"a file": {
			prepare: func(t *testing.T, dir string) { write(t, dir, "") },
			refused: "opening the lab's directory (--dir names another)",
		},
		"another user's": {
			prepare: func(t *testing.T, dir string) {
				if err := os.Mkdir(dir, 0o777); err != nil {
					t.Fatal(err)
				}
				if err := os.Chown(dir, os.Geteuid()+1, -1); err != nil {
					t.Skip("only root can give a directory away")
				}
			},
			refused: "belongs to another user",
		},
		"writable for others": {
			prepare: func(t *testing.T, dir string) { mkdir(t, dir, 0o777) },
			refused: "(--dir names another): other users can write to ",
		},
		"a lab's, writable for others": {
			prepare: func(t *testing.T, dir string) {
				mkdir(t, dir, 0o775)
				write(t, filepath.Join(dir, lockFile), "")
			},
			refused: "other users can write to ",
		},
		"in a directory writable for others": {
			prepare: func(t *testing.T, dir string) {
				if err := os.Chmod(filepath.Dir(dir), 0o777); err != nil {
					t.Fatal(err)
				}
				mkdir(t, dir, 0o700)
			},
			refused: "other users can write to ",
		},
		"a lab's, whose lock has a second hard link": {
			prepare: func(t *testing.T, dir string) {
				write(t, dir+".elsewhere", "precious")
				mkdir(t, dir, 0o700)
				if err := os.Link(dir+".elsewhere", filepath.Join(dir, lockFile)); err != nil {
					t.Fatal(err)
				}
			},
			refused: "has 2 hard links",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(privatetest.Path(t), "lab")
			test.prepare(t, dir)
			claim, err := claimDir(dir)
			if test.refused != "" {
				if err == nil || !strings.Contains(err.Error(), test.refused) || !strings.Contains(err.Error(), filepath.Dir(dir)) {
					t.Fatalf("claimDir = %v, want it refused with %q", err, test.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := claim.release(); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestClaimIsOneDirectory checks that a directory has one path, whatever links lead
// to it.
func TestClaimIsOneDirectory(t *testing.T) {
	t.Parallel()
	dir := privatetest.Path(t)
	link := filepath.Join(privatetest.Path(t), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	claim := claimed(t, link)
	if claim.dir.Path() != dir {
		t.Errorf("claimed %s through %s, want %s", claim.dir.Path(), link, dir)
	}
	if _, err := claimDir(dir); !errors.Is(err, ErrRunning) {
		t.Errorf("claiming it again = %v, want ErrRunning", err)
	}
}

// TestClaimHasOneWinner claims a new directory many times at once.
func TestClaimHasOneWinner(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(privatetest.Path(t), "lab")
	var wait sync.WaitGroup
	results := make(chan error, 32)
	release := make(chan struct{})
	for range cap(results) {
		wait.Go(func() {
			claim, err := claimDir(dir)
			results <- err
			if err == nil {
				<-release
				_ = claim.release()
			}
		})
	}
	won := 0
	for range cap(results) {
		if err := <-results; err == nil {
			won++
		} else if !errors.Is(err, ErrRunning) {
			t.Errorf("claimDir = %v, want ErrRunning", err)
		}
	}
	close(release)
	wait.Wait()
	if won != 1 {
		t.Errorf("%d claims at the same time, want 1", won)
	}
}

// TestStatusNeverBlocksAClaim checks that calls of Status, however many, never keep a
// lab from claiming its directory.
func TestStatusNeverBlocksAClaim(t *testing.T) {
	t.Parallel()
	dir := privatetest.Path(t)
	done := make(chan struct{})
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				if _, err := Status(dir); err != nil {
					t.Errorf("Status: %v", err)
				}
			}
		})
	}
	for range 300 {
		claim, err := claimDir(dir)
		if err == nil {
			err = errors.Join(claim.publish(Info{PID: 1}), claim.publish(Info{PID: 1, Running: true}), claim.release())
		}
		if err != nil {
			t.Error(err)
			break
		}
	}
	close(done)
	wait.Wait()
}

// TestKilledLabHoldsNothing checks that the kernel releases a killed lab's claim.
func TestKilledLabHoldsNothing(t *testing.T) {
	t.Parallel()
	dir := privatetest.Path(t)
	other := startLab(t, dir)
	if _, err := claimDir(dir); !errors.Is(err, ErrRunning) {
		t.Fatalf("claiming a running lab's directory = %v, want ErrRunning", err)
	}
	if info, err := Open(dir); err != nil || info.PID != other.pid() {
		t.Fatalf("Open = %+v, %v, want process %d", info, err, other.pid())
	}
	other.kill(t)
	if _, err := Open(dir); !errors.Is(err, ErrNotRunning) {
		t.Errorf("Open after it was killed = %v, want ErrNotRunning", err)
	}
	claimed(t, dir)
}

// TestReleaseIsAtOnce checks that release unlocks the directory even while another
// process has the lock's file open, as a program that is just being started has.
func TestReleaseIsAtOnce(t *testing.T) {
	t.Parallel()
	dir := privatetest.Path(t)
	claim, err := claimDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	descriptor, err := syscall.Dup(int(claim.lock.Fd()))
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(descriptor)
	if err := claim.release(); err != nil {
		t.Fatal(err)
	}
	claimed(t, dir)
}

func TestRemoveState(t *testing.T) {
	t.Parallel()
	dir := privatetest.Path(t)
	claim := claimed(t, dir)
	for _, name := range []string{"aws/ca.pem", "authenticator/key.pem", "controlplane/etcd/member", "kubeconfig", "kube-cache/discovery/x", "tour/aws-auth.yaml", LogFile, "mine.txt"} {
		write(t, filepath.Join(dir, name), "")
	}
	if err := claim.publish(Info{}); err != nil {
		t.Fatal(err)
	}
	if err := claim.removeState(); err != nil {
		t.Fatal(err)
	}
	if got, want := files(t, dir), []string{lockFile, LogFile, "mine.txt"}; !slices.Equal(got, want) {
		t.Errorf("there remain %q, want %q", got, want)
	}
}

// TestClose checks which files Close keeps.
func TestClose(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		prepare func(*Lab)
		want    []string
	}{
		"as usual":       {func(*Lab) {}, []string{lockFile}},
		"with its files": {(*Lab).KeepFiles, []string{"authenticator/log", "controlplane/etcd.log", lockFile}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := privatetest.Path(t)
			claim := claimed(t, dir)
			for _, name := range []string{"authenticator/log", "controlplane/etcd.log", "controlplane/etcd/member/wal", processesFile} {
				write(t, filepath.Join(dir, name), "")
			}
			if err := claim.publish(Info{}); err != nil {
				t.Fatal(err)
			}
			l := &Lab{claim: claim, dir: claim.dir, info: Info{Running: true}}
			test.prepare(l)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			var left []string
			err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
				if err == nil && !entry.IsDir() {
					path, err = filepath.Rel(dir, path)
					left = append(left, path)
				}
				return err
			})
			if err != nil || !slices.Equal(left, test.want) {
				t.Errorf("there remain %q, %v, want %q", left, err, test.want)
			}
		})
	}
}

// TestRemoveStateOfAnother checks that a lab whose directory was replaced by another
// lab's leaves that lab's files alone.
func TestRemoveStateOfAnother(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(privatetest.Path(t), "lab")
	first := claimed(t, dir)
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	second := claimed(t, dir)
	if err := second.publish(Info{}); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(first.withdraw(), first.removeState()); err != nil {
		t.Fatal(err)
	}
	if got := files(t, dir); !slices.Contains(got, infoFile) {
		t.Errorf("the first lab removed the second one's files: there remain %q", got)
	}
}

// TestEveryCommandRefuses checks that every command refuses a directory that others
// can write to: a shell would evaluate what they put there.
func TestEveryCommandRefuses(t *testing.T) {
	t.Parallel()
	dir := privatetest.Path(t)
	info := Info{Dir: dir, PID: os.Getpid(), Running: true}
	publish(t, dir, info)
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	_, statusErr := Status(dir)
	_, openErr := Open(dir)
	_, downErr := Down(t.Context(), dir, io.Discard)
	_, upErr := Up(t.Context(), Config{Dir: dir, Assets: programs(t, "kube-apiserver", "etcd", "kubectl"), Authenticator: os.Args[0]})
	_, iamErr := info.IAM()
	for name, err := range map[string]error{
		"Status": statusErr, "Open": openErr, "Down": downErr, "Up": upErr, "IAM": iamErr, "Tour": Tour(t.Context(), info, io.Discard),
		"Background": Background(t.Context(), dir, exec.Command(os.Args[0]), io.Discard),
	} {
		if unsafe, ok := errors.AsType[*private.UnsafeError](err); !ok || unsafe.Path != dir {
			t.Errorf("%s = %v, want it to refuse %s", name, err, dir)
		}
	}
}

// TestLinksOfAKilledLab checks that links in place of a lab's files are never read or
// written through.
func TestLinksOfAKilledLab(t *testing.T) {
	t.Parallel()
	for name, link := range map[string]func(target, path string) error{"symbolic": os.Symlink, "hard": os.Link} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(privatetest.Path(t), "lab")
			write(t, filepath.Join(dir, lockFile), "")
			precious := filepath.Join(filepath.Dir(dir), "precious")
			write(t, precious, "[]") // so that it could be read too
			names := []string{LogFile, newInfoFile, kubeconfigFile, ownerKubeconfigFile}
			for _, name := range names {
				if err := link(precious, filepath.Join(dir, name)); err != nil {
					t.Fatal(err)
				}
			}
			log, err := openLog(dir)
			if err != nil {
				t.Fatal(err)
			}
			_, err = log.WriteString("a log")
			_ = log.Close()
			claim := claimed(t, dir)
			if err := errors.Join(err, claim.publish(Info{PID: 1}), claim.clear(t.Context(), io.Discard)); err != nil {
				t.Fatal(err)
			}
			if text, err := os.ReadFile(precious); err != nil || string(text) != "[]" {
				t.Errorf("the target of the links is %q (%v)", text, err)
			}
			if got, want := files(t, dir), []string{lockFile, LogFile}; !slices.Equal(got, want) {
				t.Errorf("there remain %q, want %q", got, want)
			}
			for name, read := range map[string]func() error{
				infoFile:                func() error { _, err := Status(dir); return err },
				processesFile:           func() error { _, err := recordedPrograms(claim.dir); return err },
				kind.Dir + "/made.json": func() error { return kind.RemoveLeftovers(t.Context(), claim.dir, nil) },
			} {
				if err := errors.Join(claim.dir.Mkdir(kind.Dir), link(precious, filepath.Join(dir, name))); err != nil {
					t.Fatal(err)
				}
				if err := read(); err == nil || !strings.Contains(err.Error(), filepath.Join(dir, name)+" ") || !strings.Contains(err.Error(), "link") {
					t.Errorf("reading %s = %v, want it refused", name, err)
				}
			}
		})
	}
}

func mkdir(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	err := os.Mkdir(path, 0o700)
	if err == nil {
		err = os.Chmod(path, mode) // regardless of the umask
	}
	if err != nil {
		t.Fatal(err)
	}
}

// claimed returns a claim, and releases it when the test ends.
func claimed(t *testing.T, dir string) *claim {
	t.Helper()
	claim, err := claimDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = claim.release() })
	return claim
}
