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
	maxPending = 1 << 20
	// maxRecords is how many records are kept to be formatted later: those of a period
	// with 100 000 decisions a second.
	maxRecords = 1000
	// linesPeriod is the least time between two writes. The lines logged meanwhile
	// are written together: a write costs as much as everything else about a line.
	linesPeriod = 10 * time.Millisecond
	// maxSpare bounds the memory that is kept for the next lines: those of a period
	// with 40 000 decisions a second.
	maxSpare = 256 << 10
	// linesTimeout bounds the last write, which a blocked writer would delay.
	linesTimeout = time.Second
)

// lines writes a log so that no goroutine that logs waits for the writer. A line is
// written at once, or within linesPeriod of the previous line. It is formatted only then,
// so that no answer waits for it, and many lines in a row take less time each.
//
// If the writer blocks, as an unread pipe does, people must still be able to sign in, and
// the server to stop: lines are kept up to maxPending, and the maxRecords after them are
// kept unformatted. Lines for which there is no room are dropped and counted.
type lines struct {
	w io.Writer
	// report logs how many lines were dropped.
	report func(lost int)
	// observeLost counts one line that is lost.
	observeLost func()

	// writing holds an element while a goroutine writes.
	writing chan struct{}
	// formatting is held while a goroutine formats, and locked before mu.
	formatting sync.Mutex

	mu sync.Mutex
	// records become lines, which are pending until they are written.
	records []record
	pending []byte
	// spareRecords and spare are the memory of the previous batch, for reuse.
	spareRecords []record
	spare        []byte
	lost         int
	// next is when the next batch may be written; scheduled is set if a timer will
	// write it.
	next      time.Time
	scheduled bool
}

// A record is what one line says, and the handler that formats it.
type record struct {
	slog.Record
	handler slog.Handler
}

// add keeps a record, which a timer will write.
func (l *lines) add(r record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.records) >= maxRecords { // the writer is blocked, or slow
		l.format()
	}
	l.records = append(l.records, r)
	if !l.scheduled && len(l.writing) == 0 {
		l.schedule(time.Until(l.next))
	}
}

// format makes the records pending lines. The caller holds mu; format unlocks it
// meanwhile.
func (l *lines) format() {
	l.mu.Unlock()
	l.formatting.Lock()
	defer l.formatting.Unlock()
	l.mu.Lock()
	records := l.records
	l.records, l.spareRecords = l.spareRecords[:0], nil
	l.mu.Unlock()
	for _, r := range records {
		_ = r.handler.Handle(context.Background(), r.Record) // it calls Write, which never fails
	}
	clear(records)
	l.mu.Lock()
	l.spareRecords = records
}

// Write makes a formatted line pending.
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

func (l *lines) hasPending() bool { return len(l.records) > 0 || len(l.pending) > 0 || l.lost > 0 }

// write writes the pending lines. The caller holds writing and mu; write unlocks mu
// while it writes.
func (l *lines) write() {
	if !l.hasPending() {
		return
	}
	if len(l.pending) == 0 {
		l.format()
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
		l.format() // others may be formatting the last records
		for l.hasPending() {
			l.write()
		}
	}()
	select {
	case <-written:
	case <-time.After(linesTimeout):
	}
}

// lineHandler is a handler that keeps records for lines. Their values must not change
// once they are logged.
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
func (h lineHandler) Handle(_ context.Context, r slog.Record) error {
	h.lines.add(record{r, h.Handler})
	return nil
}

// WithAttrs implements [slog.Handler].
func (h lineHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return lineHandler{h.Handler.WithAttrs(attrs), h.lines}
}

// WithGroup implements [slog.Handler].
func (h lineHandler) WithGroup(name string) slog.Handler {
	return lineHandler{h.Handler.WithGroup(name), h.lines}
}
