package main

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
)

// TestReadInputIsInterrupted checks that Ctrl-C ends a command that waits for standard
// input.
func TestReadInputIsInterrupted(t *testing.T) {
	t.Parallel()
	for name, read := range map[string]func(context.Context, *program) error{
		"mappings": func(ctx context.Context, p *program) error {
			_, err := p.readInput(ctx, stdin, 1)
			return err
		},
		"a token": func(ctx context.Context, p *program) error {
			_, err := (&verifyOptions{token: stdin}).read(ctx, p)
			return err
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			in, typed := io.Pipe()
			defer typed.Close()
			ctx, cancel := context.WithCancelCause(t.Context())
			interrupted := errors.New("interrupt signal received")
			go func() { synctest.Wait(); cancel(interrupted) }()
			if err := read(ctx, &program{in: in}); !errors.Is(err, interrupted) {
				t.Errorf("%s: got %v", name, err)
			}
		})
	}
}
