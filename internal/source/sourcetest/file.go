package sourcetest

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kube-iam/authenticator/internal/source"
)

// File is a file that a source follows in a bubble.
type File struct {
	Path    string
	t       *testing.T
	changed func()
}

// NewFile creates a file.
func NewFile(t *testing.T, content string) *File {
	t.Helper()
	f := &File{Path: filepath.Join(t.TempDir(), "file.yaml"), t: t}
	f.replace(content)
	return f
}

// Watch is the file.Watch for the source.
func (f *File) Watch(ctx context.Context, _ string, changed func()) error {
	f.changed = changed
	changed()
	<-ctx.Done()
	return nil
}

// Await returns after the source has read the file.
func (f *File) Await() {
	time.Sleep(time.Second)
	synctest.Wait()
}

// Write replaces the file, and waits until the source has read it.
func (f *File) Write(content string) {
	f.t.Helper()
	f.replace(content)
	f.changed()
	f.Await()
}

// Change replaces the file, and reports no change: only a source that rereads sees it.
func (f *File) Change(content string) {
	f.t.Helper()
	f.replace(content)
}

// WriteInPlace writes the file without waiting.
func (f *File) WriteInPlace(content string) {
	f.t.Helper()
	if err := os.WriteFile(f.Path, []byte(content), 0o600); err != nil {
		f.t.Error(err)
	}
	f.changed()
}

// Remove removes the file, and waits until the source has noticed.
func (f *File) Remove() {
	f.t.Helper()
	if err := os.Remove(f.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.t.Error(err)
	}
	f.changed()
	f.Await()
}

func (f *File) replace(content string) {
	f.t.Helper()
	if err := errors.Join(os.WriteFile(f.Path+".new", []byte(content), 0o600), os.Rename(f.Path+".new", f.Path)); err != nil {
		f.t.Error(err)
	}
}

// Place returns the file as a place; render returns the content for sections.
func (f *File) Place(s source.Source, render func(sections map[string]string) string) Place {
	return Place{
		Source: s, Await: f.Await, Remove: f.Remove,
		Write: func(sections map[string]string) { f.t.Helper(); f.Write(render(sections)) },
	}
}
