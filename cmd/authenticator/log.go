package main

import (
	"io"
	"log/slog"
	"strings"

	"github.com/kube-iam/authenticator/internal/cli"
)

// logLevels returns the levels that -v accepts: those of aws-iam-authenticator.
func logLevels() []string {
	return []string{"panic", "fatal", "error", "warning", "info", "debug", "trace"}
}

// logLevel returns the level with a name, in upper or lower case.
func logLevel(name string) (slog.Level, error) {
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
		return 0, cli.Unknown("--log-verbosity", name, logLevels())
	}
}

// newLog returns the server's log, which goes to standard error, and a function that
// writes its last lines. It calls observeLost for each line that is lost because
// standard error is blocked.
func (p *program) newLog(observeLost func()) (log *slog.Logger, flush func(), err error) {
	level, err := logLevel(p.logVerbosity)
	if err != nil {
		return nil, nil, err
	}
	options := &slog.HandlerOptions{Level: level}
	var format func(io.Writer) slog.Handler
	switch p.logFormat {
	case "text":
		format = func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, options) }
	case "json":
		format = func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, options) }
	default:
		return nil, nil, cli.Unknown("--log-format", p.logFormat, []string{"text", "json"})
	}
	handler := newLineHandler(p.err, format, observeLost)
	log = slog.New(handler)
	slog.SetDefault(log) // for the libraries that log
	return log, handler.lines.close, nil
}
