package kubeconfig

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/kube-iam/authenticator/internal/file"
)

// lockWait is how long to wait for kubectl or another program that changes the file.
const lockWait = 5 * time.Second

// Read returns the text of a kubeconfig; nil if the file is missing.
func Read(ctx context.Context, path string) ([]byte, error) {
	text, err := file.Read(ctx, path, file.MaxMappings)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the kubeconfig: %w", err)
	}
	return text, nil
}

// Edit replaces the text of a kubeconfig with the one that edit returns, under kubectl's
// lock. A symbolic link stays one, and the file keeps its mode and its owner, as with
// kubectl.
func Edit(ctx context.Context, path string, edit func(text []byte) ([]byte, error)) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("writing the kubeconfig: %w", err)
	}
	unlock, err := lock(ctx, path+".lock")
	if err != nil {
		return err
	}
	defer unlock()
	text, err := Read(ctx, path)
	if err != nil {
		return err
	}
	edited, err := edit(text)
	if err != nil {
		return fmt.Errorf("merging into the kubeconfig %s: %w", path, err)
	}
	if err := file.Replace(path, edited, 0o600); err != nil {
		return fmt.Errorf("writing the kubeconfig: %w", err)
	}
	return nil
}

// lock creates the file that kubectl creates while it changes a kubeconfig.
func lock(ctx context.Context, path string) (unlock func(), err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, lockWait, fmt.Errorf(
		"locking the kubeconfig: %s has existed for %s (remove it if no kubectl is running)", path, lockWait))
	defer cancel()
	for {
		lock, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL, 0)
		if err == nil {
			return func() { _ = lock.Close(); _ = os.Remove(path) }, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("locking the kubeconfig: %w", err)
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}
