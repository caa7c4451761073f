// Package log makes the log of the server, which never waits for who reads it.
package log

import (
	"io"
	"log/slog"
	"strings"

	"github.com/kube-iam/authenticator/internal/cli"
)

// levels returns the levels that -v accepts: those of aws-iam-authenticator.
func levels() []string {
	return []string{"panic", "fatal", "error", "warn", "warning", "info", "debug", "trace"}
}

// levelOf returns the level with a name, in upper or lower case.
func levelOf(name string) (slog.Level, error) {
	switch strings.ToLower(name) {
	case "error", "fatal", "panic":
		return slog.LevelError, nil
	case "warn", "warning":
		return slog.LevelWarn, nil
	case "info":
		return slog.LevelInfo, nil
	case "debug", "trace":
		return slog.LevelDebug, nil
	default:
		return 0, cli.Unknown("--log-verbosity", name, levels())
	}
}

// New returns a log that goes to w, and a function that writes its last lines. The format
// is text or json; the verbosity is a name of aws-iam-authenticator's levels. It calls
// observeLost for each line that is lost because w is blocked.
func New(w io.Writer, format, verbosity string, observeLost func()) (log *slog.Logger, flush func(), err error) {
	level, err := levelOf(verbosity)
	if err != nil {
		return nil, nil, err
	}
	options := &slog.HandlerOptions{Level: level}
	var handlerOf func(io.Writer) slog.Handler
	switch format {
	case "text":
		handlerOf = func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, options) }
	case "json":
		handlerOf = func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, options) }
	default:
		return nil, nil, cli.Unknown("--log-format", format, []string{"text", "json"})
	}
	handler := newLineHandler(w, handlerOf, observeLost)
	return slog.New(handler), handler.lines.close, nil
}
