package main

import (
	"context"
	"errors"
	"io"
	"testing"

	"github.com/kube-iam/authenticator/internal/cli"
)

// TestStoppedWhileReading is stopped before it has read its configuration: that
// is no fault of the configuration.
func TestStoppedWhileReading(t *testing.T) {
	t.Parallel()
	told := errors.New("told to stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(told)
	err := run(ctx, []string{"verify", "-i", "c", "-c", "config.yaml"}, nil, cli.Streams{Out: io.Discard, Err: io.Discard})
	if _, isUsage := errors.AsType[*cli.Error](err); isUsage || !errors.Is(err, told) {
		t.Errorf("%v, usage error: %v; want %v", err, isUsage, told)
	}
}
