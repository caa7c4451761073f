package file

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	write(t, at("file"), "12345")
	// As the kubelet mounts a ConfigMap.
	if err := errors.Join(os.Mkdir(at("..1"), 0o700), os.Symlink("..1", at("..data")), os.Symlink("..data/file", at("mounted"))); err != nil {
		t.Fatal(err)
	}
	write(t, at("..1/file"), "12345")
	for _, path := range []string{at("file"), at("mounted")} {
		if content, err := Read(t.Context(), path, 5); err != nil || string(content) != "12345" {
			t.Errorf("reading %s: %q, %v", path, content, err)
		}
	}
	if _, err := Read(t.Context(), at("file"), 4); err == nil || err.Error() != at("file")+" is too large (at most 4 bytes)" {
		t.Errorf("reading a file that is too large: %v", err)
	}
	if _, err := Read(t.Context(), at("none"), 5); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), at("none")) {
		t.Errorf("reading a file that does not exist: %v", err)
	}
	if bytesText(MaxMappings) != "4 MiB" || bytesText(MaxSettings) != "1 MiB" {
		t.Error("the limits are printed as", bytesText(MaxMappings), bytesText(MaxSettings))
	}
}

func TestReadRejectsOtherThanRegularFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	listener, err := net.Listen("unix", filepath.Join(dir, "socket"))
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	for path, want := range map[string]string{
		dir:                          "is a directory: expected a regular file",
		filepath.Join(dir, "socket"): "is a socket: expected a regular file",
		os.DevNull:                   "is a device: expected a regular file",
	} {
		if _, err := Read(t.Context(), path, 5); err == nil || !strings.Contains(err.Error(), path+" "+want) {
			t.Errorf("reading %s: %v, want %q", path, err, want)
		}
	}
}

// TestReadEndsWithItsContext checks that Read returns when the file system hangs.
func TestReadEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		hang := make(chan struct{})
		defer close(hang)
		stopped := errors.New("stopped")
		go func() { synctest.Wait(); cancel(stopped) }()
		if _, err := Await(ctx, func() (int, error) { <-hang; return 1, nil }); !errors.Is(err, stopped) {
			t.Errorf("%v, want %v", err, stopped)
		}
	})
}
