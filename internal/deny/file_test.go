package deny_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"

	"github.com/kube-iam/authenticator/internal/deny"
	"github.com/kube-iam/authenticator/internal/source/sourcetest"
	"github.com/kube-iam/authenticator/pkg/identity"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	first  = "AKIATLABCDEFGHIJKLMN"
	second = "AKIATLABCDEFGHIJKLM2"
)

// errorsLogged counts lines at level error.
type errorsLogged struct {
	mu    sync.Mutex
	lines []string
}

func (e *errorsLogged) Write(line []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lines = append(e.lines, string(line))
	return len(line), nil
}

// TestFollow checks every change in the life of a deny file: the last good content stays
// in force unless another valid content replaces it.
func TestFollow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := sourcetest.NewFile(t, first+"\n")
		logged := &errorsLogged{}
		denied, err := deny.New(t.Context(), deny.Config{
			Path: f.Path, Watch: f.Watch, Log: slog.New(slog.NewTextHandler(logged, &slog.HandlerOptions{Level: slog.LevelError})),
		})
		if err != nil {
			t.Fatal(err)
		}
		var running sync.WaitGroup
		running.Go(func() { denied.Run(t.Context()) })
		t.Cleanup(running.Wait)
		f.Await()
		errors := 0
		expect := func(what string, isFirst, isSecond bool, newErrors int) {
			t.Helper()
			_, deniesFirst := denied.Denies(identity.Principal{AccessKeyID: first})
			_, deniesSecond := denied.Denies(identity.Principal{AccessKeyID: second})
			if deniesFirst != isFirst || deniesSecond != isSecond {
				t.Errorf("%s: the first key is denied: %v, the second: %v; want %v, %v", what, deniesFirst, deniesSecond, isFirst, isSecond)
			}
			if errors += newErrors; len(logged.lines) != errors {
				t.Errorf("%s: %d errors are logged, want %d: %v", what, len(logged.lines), errors, logged.lines)
			}
		}
		expect("at the start", true, false, 0)
		f.Write(first + "\n" + second + "\n")
		expect("replaced", true, true, 0)
		f.WriteInPlace(second + "\n")
		f.Await()
		expect("written in place", false, true, 0)
		f.Write("nonsense\n")
		expect("malformed", false, true, 1)
		f.Write("")
		expect("empty", false, true, 1)
		f.Remove()
		expect("removed", false, true, 1)
		f.Write("# nobody\n")
		expect("only a comment", false, false, 0)
		if denied.Len() != 0 {
			t.Errorf("%d entries are in force", denied.Len())
		}
		f.Write(strings.Repeat("#", 2<<20) + "\n" + first)
		expect("too large", false, false, 1)
		if !strings.Contains(logged.lines[0], `line 1: \"nonsense\" is not an entry`) || !strings.Contains(logged.lines[0], "last good content stays in force") {
			t.Error(logged.lines[0])
		}
	})
}

// TestNewRefuses checks that the server does not start with a file that may deny less
// than it seems to.
func TestNewRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	malformed := filepath.Join(dir, "malformed")
	if err := os.WriteFile(malformed, []byte("# x\nbob\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"":                            "the path is missing",
		empty:                         "empty is empty (to deny nobody, leave a comment in it)",
		filepath.Join(dir, "nowhere"): "no such file",
		dir:                           "is a directory",
		malformed:                     `malformed: line 2: "bob" is not an entry`,
	} {
		if _, err := deny.New(t.Context(), deny.Config{Path: path}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
}
