package kube

import (
	"context"
	"log/slog"

	"k8s.io/klog/v2"
)

// LogToDefault makes client-go, which logs with klog, write to slog's default logger. The
// program calls it once, before it makes clients: klog does not lock its logger.
func LogToDefault() { klog.SetSlogLogger(slog.New(defaultHandler{})) }

// A defaultHandler is the handler of whatever logger is the default at the time.
type defaultHandler struct{}

func (defaultHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return slog.Default().Enabled(ctx, level)
}

func (defaultHandler) Handle(ctx context.Context, record slog.Record) error {
	return slog.Default().Handler().Handle(ctx, record)
}

func (defaultHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return slog.Default().Handler().WithAttrs(attrs)
}

func (defaultHandler) WithGroup(name string) slog.Handler {
	return slog.Default().Handler().WithGroup(name)
}
