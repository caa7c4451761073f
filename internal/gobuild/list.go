package gobuild

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"strings"
)

// A listed package, as go list prints it.
type listed struct {
	Dir, ImportPath, Name    string
	Stale                    bool
	StaleReason              string
	GoFiles, SFiles, Imports []string
	ImportMap                map[string]string // from a path in Imports to the real one
}

// listedFields are the fields of listed, and EmbedFiles. Without EmbedFiles, go list
// reports every package that embeds files as stale.
const listedFields = "Dir,ImportPath,Name,Stale,StaleReason,GoFiles,SFiles,EmbedFiles,Imports,ImportMap"

// inCache is how go list marks a program that is up to date in the build cache. A
// package that is up to date is not stale at all.
const inCache = "not installed but available in build cache"

// list returns the packages of a step, dependencies first. It downloads missing
// modules.
func list(ctx context.Context, step Step, progress Progress) ([]listed, error) {
	command := goCommand(ctx, step, step.listArguments())
	stdout, err := command.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("listing packages: %w", err)
	}
	var says output
	command.Stderr = &lines{each: func(line string) {
		if _, ok := strings.CutPrefix(line, "go: downloading "); ok {
			says.modules++
			progress.Statusf("downloading Go modules, %d so far", says.modules)
			return
		}
		says.add(line)
	}}
	if err := command.Start(); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return nil, cause
		}
		return nil, fmt.Errorf("running go (building needs a Go toolchain: see go.dev/dl): %w", err)
	}
	packages, decoding := decode(stdout)
	if decoding != nil {
		_, _ = io.Copy(io.Discard, stdout) // or go would wait for a reader
	}
	if err := command.Wait(); err != nil {
		return nil, says.failure(ctx, "go list", err)
	}
	if decoding != nil {
		return nil, fmt.Errorf("decoding the output of go list: %w", decoding)
	}
	return packages, nil
}

func decode(stdout io.Reader) ([]listed, error) {
	var packages []listed
	for decoder := json.NewDecoder(stdout); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, err
		}
		packages = append(packages, p)
	}
}

// toCompile reports whether the package is not in the build cache.
func (p listed) toCompile() bool {
	return p.Stale && p.StaleReason != inCache
}

// imports returns the import paths of the imported packages.
func (p listed) imports() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, path := range p.Imports {
			if !yield(cmp.Or(p.ImportMap[path], path)) {
				return
			}
		}
	}
}

func goCommand(ctx context.Context, step Step, arguments []string) *exec.Cmd {
	command := exec.CommandContext(ctx, cmp.Or(step.Go, "go"), arguments...)
	command.Dir = step.Dir
	command.Env = step.environment()
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) } // go removes its files
	command.WaitDelay = patience
	return command
}
