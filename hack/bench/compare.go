package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/kube-iam/authenticator/internal/loadtest/review"
	"github.com/kube-iam/authenticator/internal/loadtest/sts"
)

// bench is one comparison.
type bench struct {
	options
	ctx context.Context
	// self is this program, which also runs as the floor and as the launcher.
	self string
	// dir holds all files written.
	dir      string
	sts      *sts.Standin
	reviews  review.Maker
	progress io.Writer
}

// compare takes the measures and prints the table; after an interrupt, with the rows
// measured so far.
func compare(ctx context.Context, o options, out, progress io.Writer) (err error) {
	b := &bench{options: o, ctx: ctx, progress: progress}
	if b.self, err = os.Executable(); err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	for _, path := range []string{o.ours, o.peer} {
		if _, err := os.Stat(path); err != nil {
			return fmt.Errorf("finding the programs to compare: %w (make bench-compare builds them)", err)
		}
	}
	if b.dir, err = os.MkdirTemp("", "bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if b.sts, err = sts.New(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.sts.Close()) }()
	if err := os.WriteFile(b.caFile(), b.sts.CA(), 0o600); err != nil {
		return fmt.Errorf("writing the CA of the STS stand-in: %w", err)
	}
	fmt.Fprintf(out, "%s, %d CPUs, rounds: %d (medians)\n\n", time.Now().Format(time.DateTime), runtime.NumCPU(), o.rounds)
	lines, err := b.measureAll()
	return errors.Join(err, write(out, lines))
}

func (b *bench) measureAll() ([]line, error) {
	var lines []line
	for _, r := range b.rows {
		started := time.Now()
		taken, err := r.measure(b)
		if b.ctx.Err() != nil { // an interrupted measurement means nothing
			return lines, fmt.Errorf("measuring %s: interrupted", r.name)
		}
		if err != nil {
			return lines, fmt.Errorf("measuring %s: %w", r.name, err)
		}
		b.say("%s: took %s", r.name, time.Since(started).Round(time.Second))
		lines = append(lines, taken...)
	}
	return lines, nil
}

func (b *bench) caFile() string { return filepath.Join(b.dir, "ca.pem") }

// say reports progress.
func (b *bench) say(format string, args ...any) { fmt.Fprintf(b.progress, format+"\n", args...) }
