package log

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"sync"
	"time"
)

const (
	// maxPending is how many bytes of the log are kept while the writer is blocked.
	maxPending = 4 << 20
	// linesPeriod is the least time between two writes. The lines logged meanwhile
	// are written together: a write costs as much as everything else about a line.
	linesPeriod = 10 * time.Millisecond
	// maxSpare bounds the memory that is kept for the next lines. The server logs up to
	// 1000 decisions in a burst.
	maxSpare = 512 << 10
	// linesTimeout bounds the last write, which a blocked writer would delay.
	linesTimeout = time.Second
)

// lines writes a log so that no goroutine that logs waits for the writer. A line is
// written at once, or within linesPeriod of the previous line.
//
// If the writer blocks, as an unread pipe does, people must still be able to sign in, and
// the server to stop: lines are kept, and those beyond maxPending are dropped and counted.
type lines struct {
	w io.Writer
	// report logs how many lines were dropped.
	report func(lost int)
	// observeLost counts one line that is lost.
	observeLost func()

	// writing holds an element while a goroutine writes.
	writing chan struct{}

	mu      sync.Mutex
	pending []byte
	// spare is the memory of the previous batch, for reuse.
	spare []byte
	lost  int
	// next is when the next batch may be written; scheduled is set if a timer will
	// write it.
	next      time.Time
	scheduled bool
}

// Write adds a line to those that [lines.flush] writes.
func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.pending)+len(line) > maxPending {
		l.lost++
		l.observeLost()
	} else {
		l.pending = append(l.pending, line...)
	}
	return len(line), nil
}

// flush has a timer write the pending lines, unless one does already.
func (l *lines) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.scheduled && len(l.writing) == 0 {
		l.schedule(time.Until(l.next))
	}
}

// schedule has a timer write the lines. The caller holds mu.
func (l *lines) schedule(wait time.Duration) {
	l.scheduled = true
	time.AfterFunc(wait, l.expire)
}

// expire writes the lines when the timer fires.
func (l *lines) expire() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.scheduled = false
	select {
	case l.writing <- struct{}{}:
		l.write()
		<-l.writing
		if l.hasPending() {
			l.schedule(linesPeriod)
		}
	default:
	}
}

func (l *lines) hasPending() bool { return len(l.pending) > 0 || l.lost > 0 }

// write writes the pending lines. The caller holds writing and mu; write unlocks mu
// while it writes.
func (l *lines) write() {
	if !l.hasPending() {
		return
	}
	batch, lost := l.pending, l.lost
	l.pending, l.lost = l.spare[:0], 0
	l.mu.Unlock()
	if written, err := l.w.Write(batch); err != nil {
		for range bytes.Count(batch[written:], []byte("\n")) {
			l.observeLost() // no line can report it
		}
	}
	if lost > 0 {
		l.report(lost)
	}
	l.mu.Lock()
	if l.spare = batch; cap(batch) > maxSpare {
		l.spare = nil
	}
	l.next = time.Now().Add(linesPeriod)
}

// close writes the pending lines, but waits no longer than linesTimeout.
func (l *lines) close() {
	written := make(chan struct{})
	go func() {
		defer close(written)
		l.writing <- struct{}{}
		defer func() { <-l.writing }()
		l.mu.Lock()
		defer l.mu.Unlock()
		for l.hasPending() {
			l.write()
		}
	}()
	select {
	case <-written:
	case <-time.After(linesTimeout):
	}
}

// lineHandler is a handler that writes to lines. It flushes them after slog's handler
// has released its lock, which every goroutine that logs takes.
type lineHandler struct {
	slog.Handler
	lines *lines
}

func newLineHandler(w io.Writer, format func(io.Writer) slog.Handler, observeLost func()) lineHandler {
	lines := &lines{w: w, observeLost: observeLost, writing: make(chan struct{}, 1)}
	handler := format(lines)
	lines.report = func(lost int) {
		note := slog.NewRecord(time.Now(), slog.LevelError, "log lines were dropped: standard error was blocked", 0)
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
