package main

import (
	"log/slog"
	"strings"
)

// newLog is the log of the server, on standard error.
func (p *program) newLog() (*slog.Logger, error) {
	var level slog.Level
	switch strings.ToLower(p.logVerbosity) {
	case "error", "fatal", "panic":
		level = slog.LevelError
	case "warn", "warning":
		level = slog.LevelWarn
	case "info":
		level = slog.LevelInfo
	case "debug", "trace":
		level = slog.LevelDebug
	default:
		return nil, usagef("--log-verbosity %q is none of error, warning, info, debug", p.logVerbosity)
	}
	options := &slog.HandlerOptions{Level: level}
	switch p.logFormat {
	case "text":
		return slog.New(slog.NewTextHandler(p.err, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(p.err, options)), nil
	default:
		return nil, usagef("--log-format %q is neither text nor json", p.logFormat)
	}
}
