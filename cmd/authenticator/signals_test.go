package main

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/kube-iam/authenticator/internal/cli"
)

// TestStoppedWhileReading checks that a program stopped before it has read its
// configuration does not report an error in the configuration.
func TestStoppedWhileReading(t *testing.T) {
	t.Parallel()
	stop := errors.New("stopped by a signal")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(stop)
	err := run(ctx, []string{"verify", "-i", "c", "-c", "config.yaml"}, nil, cli.Streams{Out: io.Discard, Err: io.Discard})
	if _, isUsage := errors.AsType[*cli.Error](err); isUsage || !errors.Is(err, stop) {
		t.Errorf("%v, usage error: %v; want %v", err, isUsage, stop)
	}
}
