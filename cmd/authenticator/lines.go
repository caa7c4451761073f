package main

import (
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

const (
	// maxPending is how much of the log waits while its writer is blocked.
	maxPending = 1 << 20
	// linesPeriod is how often lines are written at most. Those logged meanwhile
	// are written together: a write costs as much as all else that a line costs.
	linesPeriod = 10 * time.Millisecond
	// linesTimeout bounds the last write, which a blocked writer would hold up.
	linesTimeout = time.Second
)

// lines writes a log so that whoever logs does not wait for others who do. A line
// is written at once, or within linesPeriod of the line before.
//
// If the writer blocks, as a pipe does that nobody reads, one waits with it and the
// others go on, for people must still sign in. Their lines wait, and those beyond
// maxPending are lost and counted.
type lines struct {
	w io.Writer
	// report logs how many lines were lost.
	report func(lost int)

	// writing has an element while somebody writes.
	writing chan struct{}

	mu      sync.Mutex
	pending []byte
	// spare is the memory of the batch before.
	spare []byte
	lost  int
	// next is when the next batch may be written, and scheduled that a timer does it.
	next      time.Time
	scheduled bool
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

// flush has the lines that wait written: by whoever is writing, by the timer, or
// here.
func (l *lines) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.scheduled {
		return
	}
	if wait := time.Until(l.next); wait > 0 {
		l.scheduled = true
		time.AfterFunc(wait, l.expire)
		return
	}
	select {
	case l.writing <- struct{}{}:
		l.write()
	default:
	}
}

// expire is called by the timer.
func (l *lines) expire() {
	l.mu.Lock()
	l.scheduled = false
	l.mu.Unlock()
	l.flush()
}

// write writes what waits, and gives up the turn to write. It is called with mu
// locked, and unlocks it while it writes.
func (l *lines) write() {
	for len(l.pending) > 0 || l.lost > 0 {
		batch, lost := l.pending, l.lost
		l.pending, l.lost = l.spare[:0], 0
		l.mu.Unlock()
		_, _ = l.w.Write(batch) // there is nowhere else to report that it failed
		if lost > 0 {
			l.report(lost)
		}
		l.mu.Lock()
		if l.spare = batch; cap(batch) > 64<<10 {
			l.spare = nil
		}
	}
	l.next = time.Now().Add(linesPeriod)
	<-l.writing
}

// close writes what waits, but does not wait for longer than linesTimeout.
func (l *lines) close() {
	written := make(chan struct{})
	go func() {
		defer close(written)
		l.writing <- struct{}{}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.write()
	}()
	select {
	case <-written:
	case <-time.After(linesTimeout):
	}
}

// lineHandler is a handler that writes lines. It flushes them once slog's handler
// has given back its lock, which all who log take.
type lineHandler struct {
	slog.Handler
	lines *lines
}

func newLineHandler(w io.Writer, format func(io.Writer) slog.Handler) lineHandler {
	lines := &lines{w: w, writing: make(chan struct{}, 1)}
	handler := format(lines)
	lines.report = func(lost int) {
		note := slog.NewRecord(time.Now(), slog.LevelError, "lines of the log are lost: standard error was blocked", 0)
		note.AddAttrs(slog.Int("lost", lost))
		_ = handler.Handle(context.Background(), note) // it cannot fail
	}
	return lineHandler{handler, lines}
}

// Handle implements [slog.Handler].
func (h lineHandler) Handle(ctx context.Context, r slog.Record) error {
	err := h.Handler.Handle(ctx, r)
	h.lines.flush()
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
