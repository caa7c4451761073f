package lab

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/lab/internal/private/privatetest"
)

// programs creates programs in a new directory.
func programs(t *testing.T, names ...string) string {
	t.Helper()
	dir := privatetest.Path(t)
	for _, name := range names {
		path := filepath.Join(dir, name)
		write(t, path, "")
		if err := os.Chmod(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestFindAssets(t *testing.T) {
	t.Setenv("PATH", programs(t)) // no kubectl
	named := programs(t, "kube-apiserver", "etcd", "kubectl")
	inEnvironment := programs(t, "kube-apiserver", "etcd", "kubectl")
	half := programs(t, "kube-apiserver", "etcd")
	t.Chdir(filepath.Dir(named))
	for name, test := range map[string]struct {
		dir, environment, want, missing string
	}{
		"named":              {dir: named, environment: inEnvironment, want: named},
		"named from here":    {dir: filepath.Base(named), want: named},
		"in the environment": {environment: inEnvironment, want: inEnvironment},
		"incomplete":         {dir: half, environment: inEnvironment, missing: filepath.Join(half, "kubectl")},
		"a wrong one":        {environment: "/no/such", missing: "/no/such/kube-apiserver"},
		"none":               {missing: besideThisProgram("k8s")},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("KUBEBUILDER_ASSETS", test.environment)
			got, err := FindAssets(test.dir, Envtest)
			if test.missing == "" {
				if err != nil || got != test.want {
					t.Errorf("FindAssets = %q, %v, want %q", got, err, test.want)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), test.missing) || !strings.Contains(err.Error(), "make control-plane gets one") {
				t.Errorf("FindAssets = %q, %v, want it to name %s and the remedy", got, err, test.missing)
			}
			// No other directory replaces one that is named.
			if named := test.dir != "" || test.environment != ""; errors.Is(err, ErrNoAssets) == named {
				t.Errorf("FindAssets: %v, named %v", err, named)
			}
		})
	}
}

func TestFindKubectl(t *testing.T) {
	dir := programs(t, "kubectl")
	t.Setenv("KUBEBUILDER_ASSETS", "")
	t.Setenv("PATH", dir)
	if got, err := FindAssets("", Kind); err != nil || got != dir {
		t.Errorf("FindAssets = %q, %v, want %q, which is on PATH", got, err, dir)
	}
	t.Setenv("PATH", programs(t))
	if _, err := FindAssets("", Kind); !errors.Is(err, ErrNoAssets) {
		t.Errorf("FindAssets without a kubectl: %v", err)
	}
}

func TestFindProgram(t *testing.T) {
	dir := programs(t, "authenticator")
	write(t, filepath.Join(dir, "data"), "")
	t.Setenv("PATH", dir)
	t.Chdir(dir)
	const name = "authenticator"
	for title, test := range map[string]struct {
		path, name, want, fails string
	}{
		"named":           {path: filepath.Join(dir, name), name: name, want: filepath.Join(dir, name)},
		"named from here": {path: "./" + name, name: name, want: filepath.Join(dir, name)},
		"on PATH":         {name: name, want: filepath.Join(dir, name)},
		"nowhere":         {name: "no-such-program", fails: "finding the program no-such-program: not beside this program and not on PATH (make build builds it)"},
		"not there":       {path: "/no/such", name: name, fails: "finding the program authenticator: stat /no/such"},
		"no program":      {path: filepath.Join(dir, "data"), name: name, fails: "data is not a program"},
		"a directory":     {path: dir, name: name, fails: "is not a program"},
	} {
		t.Run(title, func(t *testing.T) {
			got, err := findProgram(test.path, test.name)
			if test.fails == "" && (err != nil || got != test.want) {
				t.Errorf("findProgram = %q, %v, want %q", got, err, test.want)
			}
			if test.fails != "" && (err == nil || !strings.Contains(err.Error(), test.fails)) {
				t.Errorf("findProgram = %q, %v, want %q", got, err, test.fails)
			}
		})
	}
}
