package gobuild

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A record keeps the lines and statuses of a progress.
type record struct{ lines, statuses []string }

func (r *record) Printf(format string, args ...any) {
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

func (r *record) Statusf(format string, args ...any) {
	r.statuses = append(r.statuses, fmt.Sprintf(format, args...))
}

// writeModule writes a module of two programs and a package that both import. It is
// in no build cache.
func writeModule(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	unique := fmt.Sprintf("const Unique = %q\n", time.Now())
	for name, text := range map[string]string{
		"go.mod":      "module example.com/built\n\ngo 1.26\n",
		"both/b.go":   "package both\n\nimport _ \"embed\"\n\n//go:embed b.txt\nvar Text string\n\n" + unique,
		"both/b.txt":  "embedded",
		"one/main.go": "package main\n\nimport \"example.com/built/both\"\n\nfunc main() { println(both.Unique) }\n",
		"two/main.go": "package main\n\nimport \"example.com/built/both\"\n\nfunc main() { println(both.Unique) }\n",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func newStep(dir, program string) Step {
	return Step{Dir: dir, Packages: []string{"./" + program}, Flags: []string{"-trimpath"}, Output: filepath.Join(dir, "bin"), Env: []string{"GOFLAGS=-buildvcs=false"}}
}

func TestRun(t *testing.T) {
	t.Parallel()
	// From now on, the standard library is in the build cache, also on a new machine.
	if err := Run(t.Context(), &record{}, newStep(writeModule(t), "one")); err != nil {
		t.Fatal(err)
	}
	dir := writeModule(t)
	progress := &record{}
	var done int
	one := newStep(dir, "one")
	one.Done = func(err error) error { done++; return err }
	if err := Run(t.Context(), progress, one, newStep(dir, "two")); err != nil {
		t.Fatal(err)
	}
	for _, program := range []string{"one", "two"} {
		if info, err := os.Stat(filepath.Join(dir, "bin", program)); err != nil || info.Mode()&0o100 == 0 {
			t.Errorf("the program %s: %v", program, err)
		}
	}
	if done != 1 {
		t.Errorf("Done was called %d times", done)
	}
	// What both import is compiled once.
	if want := "compiling 3 packages"; len(progress.lines) != 2 || progress.lines[0] != want || !strings.HasPrefix(progress.lines[1], "built in ") {
		t.Errorf("progress is %q, want %q and how long it took", progress.lines, want)
	}
	again := &record{}
	if err := Run(t.Context(), again, one, newStep(dir, "two")); err != nil || len(again.lines) != 0 {
		t.Errorf("when all is built: %v, progress %q", err, again.lines)
	}
}

func TestRunFails(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil func(*Step) error
		want  string
	}{
		"an error of the compiler": {func(s *Step) error {
			return os.WriteFile(filepath.Join(s.Dir, "one", "main.go"), []byte("package main\n\nfunc main() { undefined() }\n"), 0o600)
		}, "undefined: undefined"},
		"no such package": {func(s *Step) error { s.Packages = []string{"./none"}; return nil }, "planning the build of ./none: go list: exit status 1"},
		"no Go":           {func(s *Step) error { s.Go = "no-such-go"; return nil }, "running go (building needs a Go toolchain: see go.dev/dl)"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			step := newStep(writeModule(t), "one")
			if err := test.spoil(&step); err != nil {
				t.Fatal(err)
			}
			if err := Run(t.Context(), &record{}, step); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Run: %v, want %q", err, test.want)
			}
		})
	}
}

func TestRunIsCancelled(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	cancel(enough)
	if err := Run(ctx, &record{}, newStep(writeModule(t), "one")); !errors.Is(err, enough) {
		t.Errorf("Run: %v, want %v", err, enough)
	}
}

func TestStatus(t *testing.T) {
	t.Parallel()
	now := time.Minute // of planning
	progress := &record{}
	first := plan{costs: map[string]float64{"not compiled after all": 60}, compile: fewPackages + 1, total: 280, programs: map[string]float64{"last": 20}}
	for i := range fewPackages - 1 {
		first.costs[fmt.Sprint(i)] = 100. / (fewPackages - 1)
	}
	first.costs["last"] = 100
	s := newStatus(progress, func() time.Duration { return now }, []plan{first, {costs: map[string]float64{"c": 180}, compile: 1, total: 180}})
	s.forecast.slots = 1
	s.show()
	if len(progress.statuses) != 0 {
		t.Errorf("before the first package: %q", progress.statuses)
	}
	for i := range fewPackages - 1 {
		s.begin(fmt.Sprint(i))
	}
	for _, step := range []struct {
		at   time.Duration
		line string
		want string
	}{
		{19 * time.Second, "", "compiled 49 of 52 packages"},
		{20 * time.Second, "last", "compiled 50 of 52 packages, about 1 min left"},
		{44 * time.Second, "end", "compiled 50 of 52 packages, about 30 s left"},
		{44 * time.Second, "c", "compiled 51 of 52 packages, about 30 s left"},
	} {
		now = time.Minute + step.at
		switch step.line {
		case "":
		case "end":
			s.endStep()
		default:
			if !s.begin(step.line) {
				t.Errorf("%q is not a package", step.line)
			}
		}
		s.show()
		if got := progress.statuses[len(progress.statuses)-1]; got != step.want {
			t.Errorf("at %s after %s: %q, want %q", step.at, step.line, got, step.want)
		}
	}
	if s.begin("# c") || s.begin("c.go:1:1: undefined: x") {
		t.Error("an error of the compiler is taken for a package")
	}
}

func TestStatusOfFewPackages(t *testing.T) {
	t.Parallel()
	now := time.Duration(0)
	progress := &record{}
	s := newStatus(progress, func() time.Duration { return now }, []plan{{costs: map[string]float64{"a": 1}, programs: map[string]float64{"a": 100}, compile: 1, total: 101}})
	s.begin("a")
	now = time.Minute
	s.show()
	if want := "linking"; len(progress.statuses) != 1 || progress.statuses[0] != want {
		t.Errorf("statuses are %q, want %q", progress.statuses, want)
	}
}
