package labtest

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/lab"
)

// TestModuleDir checks that the module is found from a test in it, and from another
// module whose go.mod replaces it.
func TestModuleDir(t *testing.T) {
	root, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "go.mod"), []byte("module example.com/other\n\ngo 1.26\n\nrequire "+modulePath+" v0.0.0\n\nreplace "+modulePath+" => "+root+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{".", "../../../examples/e2e", other} {
		t.Chdir(dir)
		if got, err := moduleDir(t.Context()); err != nil || got != root {
			t.Errorf("moduleDir in %s = %q, %v, want %q", dir, got, err, root)
		}
		t.Chdir(filepath.Join(root, "pkg", "lab", "labtest"))
	}
	t.Chdir(t.TempDir())
	if dir, err := moduleDir(t.Context()); err == nil || !strings.Contains(err.Error(), "Config.Authenticator names a program that is built already") {
		t.Errorf("moduleDir outside of a module = %q, %v", dir, err)
	}
}

// TestProvideNamed checks that what the configuration names is used as it is.
func TestProvideNamed(t *testing.T) {
	assets := t.TempDir()
	for _, name := range []string{"kube-apiserver", "etcd", "kubectl"} {
		if err := os.WriteFile(filepath.Join(assets, name), nil, 0o700); err != nil { //nolint:gosec // a program
			t.Fatal(err)
		}
	}
	t.Chdir(t.TempDir()) // no module
	for _, provider := range lab.Providers() {
		config := Config{Provider: provider, Authenticator: "/bin/a", Assets: assets, Kind: lab.KindConfig{LocalAWS: "/bin/l"}}
		if err := provide(t.Context(), &config, io.Discard); err != nil || config.Authenticator != "/bin/a" || config.Kind.LocalAWS != "/bin/l" || config.Assets != assets {
			t.Errorf("provide with everything named = %v, %+v", err, config)
		}
		config.Authenticator = ""
		if err := provide(t.Context(), &config, io.Discard); err == nil || !strings.HasPrefix(err.Error(), "building authenticator: finding module") {
			t.Errorf("provide without an authenticator = %v", err)
		}
	}
}

// TestNoControlPlane checks that the error names the remedy.
func TestNoControlPlane(t *testing.T) {
	t.Setenv("KUBEBUILDER_ASSETS", "")
	t.Setenv("ENVTEST_INDEX", "off")
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir()) // where it is on macOS
	_, err := controlPlane(t.Context(), Config{Provider: lab.Envtest}, "", io.Discard)
	if err == nil || !strings.Contains(err.Error(), "KUBEBUILDER_ASSETS names a directory that has kube-apiserver, etcd and kubectl") {
		t.Errorf("controlPlane = %v", err)
	}
}
