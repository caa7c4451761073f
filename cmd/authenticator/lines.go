package main

import (
	"context"
	"io"
	"log/slog"
	"sync"
)

// maxPending is how much of the log waits while its writer is blocked.
const maxPending = 1 << 20

// lines writes a log so that whoever logs does not wait for others who do. A line
// is written by the time that it is logged, unless somebody is writing: they write
// it next.
//
// If the writer blocks, as a pipe does that nobody reads, one waits with it and the
// others go on, for people must still sign in. Their lines wait, and those beyond
// maxPending are lost and counted.
type lines struct {
	w io.Writer

	mu      sync.Mutex
	pending []byte
	// spare is the memory of the batch before.
	spare   []byte
	lost    int
	writing bool
}

// Write has a line wait for [lines.flush].
func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending)+len(line) > maxPending {
		l.lost++
	} else {
		l.pending = append(l.pending, line...)
	}
	return len(line), nil
}

// flush writes what waits, unless somebody is writing. It returns how many lines
// were lost since it last did.
func (l *lines) flush() (lost int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.writing {
		return 0
	}
	l.writing = true
	for len(l.pending) > 0 {
		batch := l.pending
		l.pending = l.spare[:0]
		l.mu.Unlock()
		_, _ = l.w.Write(batch) // there is nowhere else to report that it failed
		l.mu.Lock()
		if l.spare = batch; cap(batch) > 64<<10 {
			l.spare = nil
		}
	}
	l.writing = false
	lost, l.lost = l.lost, 0
	return lost
}

// lineHandler is a handler that writes lines. It flushes them once slog's handler
// has given back its lock, which all who log take.
type lineHandler struct {
	slog.Handler
	lines *lines
}

// Handle implements [slog.Handler].
func (h lineHandler) Handle(ctx context.Context, r slog.Record) error {
	err := h.Handler.Handle(ctx, r)
	for lost := h.lines.flush(); lost > 0; lost = h.lines.flush() {
		note := slog.NewRecord(r.Time, slog.LevelError, "lines of the log are lost: standard error was blocked", 0)
		note.AddAttrs(slog.Int("lost", lost))
		_ = h.Handler.Handle(ctx, note)
	}
	return err
}

// WithAttrs implements [slog.Handler].
func (h lineHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return lineHandler{h.Handler.WithAttrs(attrs), h.lines}
}

// WithGroup implements [slog.Handler].
func (h lineHandler) WithGroup(name string) slog.Handler {
	return lineHandler{h.Handler.WithGroup(name), h.lines}
}
