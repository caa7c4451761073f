package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/controlplane"
	"github.com/kube-iam/authenticator/pkg/lab"
)

// getAssets returns the directory of the control-plane programs. If there is none, it
// downloads or builds them.
func getAssets(ctx context.Context, config lab.Config, env cli.Environment, stderr io.Writer) (string, error) {
	dir, err := lab.FindAssets(config.Assets, config.Provider)
	if !errors.Is(err, lab.ErrNoAssets) {
		return dir, err
	}
	progress := cli.NewProgress(stderr, "lab: ")
	defer progress.Done()
	directory, err := controlplane.Default(source(), env.Get, progress)
	if err != nil {
		return "", err
	}
	if err := directory.Get(ctx, lab.AssetsWanted(config.Provider)...); err != nil {
		if ctx.Err() != nil {
			return "", err
		}
		return "", &cli.Error{
			Code: cli.ExitFailure,
			Err:  fmt.Errorf("getting a control plane: %w", err),
			Hint: assetsHint(directory.Source),
		}
	}
	return directory.Path, nil
}

// source returns the source tree that contains this program or the working directory.
func source() string {
	var dirs []string
	if self, err := os.Executable(); err == nil {
		dirs = append(dirs, filepath.Dir(self))
	}
	if dir, err := os.Getwd(); err == nil {
		dirs = append(dirs, dir)
	}
	return controlplane.FindSource(dirs...)
}

func assetsHint(source string) string {
	hint := controlplane.IndexVariable + " is the URL of another index; " +
		controlplane.AssetsVariable + " or --assets names a directory with the programs"
	if source == "" {
		hint += "; in a clone of the source, lab builds them"
	}
	return hint
}
