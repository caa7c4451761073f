// Package file reads and follows files that operators provide, and writes our own
// files atomically. It reads only regular files, and never hangs on a file system
// that does not answer.
package file

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// Limits of the size of a file, in bytes.
const (
	// MaxMappings is the limit for files with mappings, the same as awsauth's.
	MaxMappings = 4 << 20
	// MaxSettings is the limit for kubeconfigs, certificates and the like.
	MaxSettings = 1 << 20
)

// Read returns the content of a regular file of at most limit bytes. Path may be
// a link to one. It returns once ctx is done, even if the file system hangs.
func Read(ctx context.Context, path string, limit int64) ([]byte, error) {
	return Await(ctx, func() ([]byte, error) { return read(path, limit) })
}

func read(path string, limit int64) ([]byte, error) {
	// Check before opening, because opening some devices has side effects.
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if err := checkRegular(path, info); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// Check again, since a FIFO may have replaced it in between.
	if info, err = f.Stat(); err != nil {
		return nil, err
	}
	if err := checkRegular(path, info); err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(content)) > limit {
		return nil, fmt.Errorf("%s is too large (at most %s)", path, bytesText(limit))
	}
	return content, nil
}

func checkRegular(path string, info fs.FileInfo) error {
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		return fmt.Errorf("%s is a directory: expected a regular file (container runtimes create a directory where a file to mount is missing)", path)
	default:
		return fmt.Errorf("%s is %s: expected a regular file", path, Kind(mode))
	}
}

func bytesText(n int64) string {
	if n%(1<<20) == 0 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d bytes", n)
}

// soon is how long [Await] waits without its context: a program that waits for that has
// to catch signals, which takes longer than reading a file.
const soon = 10 * time.Millisecond

// Await returns the result of ask, or the cause if ctx is done first. Then it leaves
// ask behind, since a system call on a hanging file system, a terminal or a pipe cannot
// be interrupted.
func Await[T any](ctx context.Context, ask func() (T, error)) (T, error) {
	type answer struct {
		value T
		err   error
	}
	var none T
	if ctx.Err() != nil {
		return none, context.Cause(ctx)
	}
	answered := make(chan answer, 1)
	go func() {
		value, err := ask()
		answered <- answer{value, err}
	}()
	timer := time.NewTimer(soon)
	defer timer.Stop()
	select {
	case a := <-answered:
		return a.value, a.err
	case <-timer.C:
	}
	select {
	case a := <-answered:
		return a.value, a.err
	case <-ctx.Done():
		return none, context.Cause(ctx)
	}
}
