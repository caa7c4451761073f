package main

import (
	"log/slog"
	"strings"

	"github.com/kube-iam/authenticator/internal/cli"
)

// logLevels are the levels that -v takes: those of aws-iam-authenticator.
func logLevels() []string {
	return []string{"panic", "fatal", "error", "warning", "info", "debug", "trace"}
}

// logLevel returns the level of a name, in any case.
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

// newLog is the log of the server, on standard error.
func (p *program) newLog() (*slog.Logger, error) {
	level, err := logLevel(p.logVerbosity)
	if err != nil {
		return nil, err
	}
	options := &slog.HandlerOptions{Level: level}
	lines := &lines{w: p.err}
	switch p.logFormat {
	case "text":
		return slog.New(lineHandler{slog.NewTextHandler(lines, options), lines}), nil
	case "json":
		return slog.New(lineHandler{slog.NewJSONHandler(lines, options), lines}), nil
	default:
		return nil, cli.Unknown("--log-format", p.logFormat, []string{"text", "json"})
	}
}
