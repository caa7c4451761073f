package certificate_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/internal/certificate"
)

func TestCertificateIsMadeOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	made, err := certificate.LoadOrGenerate(t.Context(), dir, "authenticator.example.com", "127.0.0.1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"authenticator.example.com", "127.0.0.1"} {
		if err := made.Leaf.VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}
	if info, err := os.Stat(filepath.Join(dir, certificate.KeyFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's mode is %v, %v", info.Mode(), err)
	}
	loaded, err := certificate.LoadOrGenerate(t.Context(), dir, "authenticator.example.com", "127.0.0.1", time.Now())
	if err != nil || string(loaded.Certificate[0]) != string(made.Certificate[0]) {
		t.Errorf("it is not the same when loaded (%v)", err)
	}
}

func TestCertificateThatCannotBeUsed(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(t *testing.T, dir string)
		want  string
	}{
		"no key":      {func(t *testing.T, dir string) { remove(t, filepath.Join(dir, certificate.KeyFile)) }, certificate.File + " to have new ones made"},
		"no cert":     {func(t *testing.T, dir string) { remove(t, filepath.Join(dir, certificate.File)) }, certificate.KeyFile + " to have new ones made"},
		"nonsense":    {func(t *testing.T, dir string) { write(t, filepath.Join(dir, certificate.File), "x") }, "remove both files"},
		"another key": {func(t *testing.T, dir string) { copyKey(t, dir) }, "remove both files"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if _, err := certificate.LoadOrGenerate(t.Context(), dir, "localhost", "127.0.0.1", time.Now()); err != nil {
				t.Fatal(err)
			}
			test.spoil(t, dir)
			if _, err := certificate.LoadOrGenerate(t.Context(), dir, "localhost", "127.0.0.1", time.Now()); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q in it", err, test.want)
			}
		})
	}
	dir := t.TempDir()
	if _, err := certificate.LoadOrGenerate(t.Context(), dir, "localhost", "127.0.0.1", time.Now()); err != nil {
		t.Fatal(err)
	}
	if kept, err := certificate.LoadOrGenerate(t.Context(), dir, "other.example.com", "127.0.0.1", time.Now()); err != nil || kept.Leaf.VerifyHostname("localhost") != nil {
		t.Errorf("for another name: %v; want the certificate that is there", err)
	}
	if _, err := certificate.LoadOrGenerate(t.Context(), dir, "localhost", "127.0.0.1", time.Now().AddDate(11, 0, 0)); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("in eleven years: %v", err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

// copyKey puts the key of another certificate in the place of the right one.
func copyKey(t *testing.T, dir string) {
	t.Helper()
	other := t.TempDir()
	if _, err := certificate.LoadOrGenerate(t.Context(), other, "localhost", "127.0.0.1", time.Now()); err != nil {
		t.Fatal(err)
	}
	key, err := os.ReadFile(filepath.Join(other, certificate.KeyFile))
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, certificate.KeyFile), string(key))
}
