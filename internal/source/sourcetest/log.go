package sourcetest

import (
	"context"
	"log/slog"
	"strings"
)

// Log returns a log that writes to a handler, and a channel that gets a value for each
// record with a message that starts with one of the prefixes.
func Log(to slog.Handler, prefixes ...string) (*slog.Logger, <-chan struct{}) {
	h := handler{to, prefixes, make(chan struct{}, 16)}
	return slog.New(h), h.logged
}

type handler struct {
	slog.Handler
	prefixes []string
	logged   chan struct{}
}

func (h handler) Enabled(context.Context, slog.Level) bool { return true }

func (h handler) Handle(ctx context.Context, record slog.Record) error {
	for _, prefix := range h.prefixes {
		if strings.HasPrefix(record.Message, prefix) {
			h.logged <- struct{}{}
		}
	}
	if !h.Handler.Enabled(ctx, record.Level) {
		return nil
	}
	return h.Handler.Handle(ctx, record)
}
