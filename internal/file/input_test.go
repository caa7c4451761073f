package file_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"

	"github.com/kube-iam/authenticator/internal/file"
)

// TestReadInputIsInterrupted checks that Ctrl-C ends a command that waits for standard
// input.
func TestReadInputIsInterrupted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		in, typed := io.Pipe()
		defer typed.Close()
		ctx, cancel := context.WithCancelCause(t.Context())
		interrupted := errors.New("interrupt signal received")
		go func() { synctest.Wait(); cancel(interrupted) }()
		if _, err := file.ReadInput(ctx, in, file.Stdin, 1); !errors.Is(err, interrupted) {
			t.Errorf("got %v", err)
		}
	})
}
