package file

import (
	"io/fs"
	"slices"
	"testing"
)

func TestKind(t *testing.T) {
	t.Parallel()
	var names []string
	for _, mode := range []fs.FileMode{
		0o600, fs.ModeDir | 0o700, fs.ModeSymlink, fs.ModeNamedPipe, fs.ModeSocket, fs.ModeDevice, fs.ModeDevice | fs.ModeCharDevice, fs.ModeIrregular,
	} {
		names = append(names, Kind(mode))
	}
	want := []string{"a regular file", "a directory", "a symbolic link", "a FIFO", "a socket", "a device", "a device", "an irregular file"}
	if !slices.Equal(names, want) {
		t.Errorf("kinds are %q, want %q", names, want)
	}
}
