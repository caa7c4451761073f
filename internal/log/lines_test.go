package log

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// blockable is a writer that a test can block.
type blockable struct {
	gate sync.Mutex
	text bytes.Buffer
}

func (b *blockable) Write(p []byte) (int, error) {
	b.gate.Lock()
	defer b.gate.Unlock()
	return b.text.Write(p)
}

func TestLogIsWrittenAtOnce(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		synctest.Test(t, func(t *testing.T) {
			var out blockable
			log, flush, err := New(&out, format, "info", func() {})
			if err != nil {
				t.Fatal(err)
			}
			defer flush()
			started := time.Now()
			log.With("a", 1).WithGroup("g").Info("one", "b", 2)
			time.Sleep(time.Nanosecond) // the clock stands still until the line is written
			synctest.Wait()
			if text := out.text.String(); strings.Count(text, "\n") != 1 || !strings.Contains(text, "one") || time.Since(started) > 1 {
				t.Errorf("%s: %q after %s", format, text, time.Since(started))
			}
			log.Debug("two")
			time.Sleep(2 * linesPeriod)
			if text := out.text.String(); strings.Contains(text, "two") {
				t.Errorf("%s: %q", format, text)
			}
		})
	}
}

// TestBlockedLog checks that no goroutine waits for a blocked writer, that lines keep their
// order, and that dropped lines are counted.
func TestBlockedLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read, write := io.Pipe()
		observed := 0
		log, flush, err := New(write, "text", "info", func() { observed++ })
		if err != nil {
			t.Fatal(err)
		}
		defer flush()
		log.Info("0")
		time.Sleep(linesPeriod) // the writer is blocked
		const fit, more = 1000, 200
		filler := strings.Repeat("x", maxPending/fit-100)
		for n := range fit + more {
			log.Info(fmt.Sprint(n+1), "filler", filler)
		}
		seen := observed // while it is blocked
		var text []byte
		var reading sync.WaitGroup
		reading.Go(func() { text, _ = io.ReadAll(read) })
		time.Sleep(2 * linesPeriod) // a timer writes the lines that were kept
		log.Info("last")
		flush()
		_ = write.Close()
		reading.Wait()

		got := strings.Split(strings.TrimSpace(string(text)), "\n")
		lost := 0
		for n, line := range got[:len(got)-2] {
			if !strings.Contains(line, fmt.Sprintf(" msg=%d", n)) {
				t.Fatalf("line %d: %.80s", n, line)
			}
		}
		note := got[len(got)-2]
		if _, err := fmt.Sscanf(note[strings.LastIndex(note, " "):], " lost=%d", &lost); err != nil || !strings.Contains(note, "level=ERROR") {
			t.Errorf("%v: %.200s", err, note)
		}
		if seen != lost {
			t.Errorf("%d lost lines are observed, want %d", seen, lost)
		}
		if written := len(got) - 3; lost == 0 || written+lost != fit+more {
			t.Errorf("%d lines written and %d dropped, of %d", written, lost, fit+more)
		}
		if !strings.Contains(got[len(got)-1], "msg=last") {
			t.Errorf("the last line: %s", got[len(got)-1])
		}
	})
}

// TestLogFromMany checks that every line is written once and whole.
func TestLogFromMany(t *testing.T) {
	var out blockable
	log, flush, err := New(&out, "json", "info", func() {})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	const each = 40
	for n := range 50 {
		all.Go(func() {
			for i := range each {
				log.Info("line", "n", n, "i", i)
			}
		})
	}
	all.Wait()
	flush()
	for n := range 50 {
		last := -1
		for i := range each {
			at := strings.Index(out.text.String(), fmt.Sprintf(`"n":%d,"i":%d}`+"\n", n, i))
			if at <= last {
				t.Fatalf("line %d of goroutine %d is at offset %d, the line before it at %d", i, n, at, last)
			}
			last = at
		}
	}
}

// full is a writer to a disk with room for one byte.
type full struct{}

func (full) Write([]byte) (int, error) { return 1, syscall.ENOSPC }

// TestLinesThatCannotBeWritten checks that they are counted.
func TestLinesThatCannotBeWritten(t *testing.T) {
	lost := 0
	log, flush, err := New(full{}, "text", "info", func() { lost++ })
	if err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		log.Info(fmt.Sprint(n))
	}
	flush()
	if lost != 3 {
		t.Errorf("%d lost lines are counted, want 3", lost)
	}
}

// slow is a writer that takes a while for every write.
type slow struct{}

func (slow) Write(p []byte) (int, error) {
	time.Sleep(time.Millisecond)
	return len(p), nil
}

// TestSlowLog checks that a goroutine that logs does not wait for the writer.
func TestSlowLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, flush, err := New(slow{}, "text", "info", func() {})
		if err != nil {
			t.Fatal(err)
		}
		defer flush()
		var all sync.WaitGroup
		for n := range 100 {
			time.Sleep(300 * time.Microsecond)
			all.Go(func() {
				started := time.Now()
				log.Info(fmt.Sprint(n))
				if took := time.Since(started); took > 0 {
					t.Errorf("line %d took %s", n, took)
				}
			})
		}
		all.Wait()
	})
}

// writes counts the writes to it, and their lines.
type writes struct {
	mu    sync.Mutex
	count int
	lines int
}

func (w *writes) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.count++
	w.lines += bytes.Count(p, []byte("\n"))
	return len(p), nil
}

func (w *writes) counts() (writes, lines int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.count, w.lines
}

// TestLinesAreWrittenTogether checks that the lines logged within linesPeriod are
// written at once.
func TestLinesAreWrittenTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out writes
		log, flush, err := New(&out, "text", "info", func() {})
		if err != nil {
			t.Fatal(err)
		}
		defer flush()
		for n := range 100 {
			log.Info(fmt.Sprint(n))
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		log.Info("in the same period")
		if count, lines := out.counts(); count != 1 { // it may begin before all are logged
			t.Errorf("%d lines in %d writes, want one write", lines, count)
		}
		time.Sleep(linesPeriod)
		synctest.Wait()
		if count, lines := out.counts(); count != 2 || lines != 101 {
			t.Errorf("%d lines in %d writes, want 101 in 2", lines, count)
		}
	})
}

// TestLastLinesOfABlockedLog checks that a blocked writer does not keep the program
// from ending.
func TestLastLinesOfABlockedLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		read, write := io.Pipe()
		log, flush, err := New(write, "text", "info", func() {})
		if err != nil {
			t.Fatal(err)
		}
		log.Info("blocked")
		time.Sleep(linesPeriod)
		started := time.Now()
		flush()
		if took := time.Since(started); took != linesTimeout {
			t.Errorf("flush took %s, want %s", took, linesTimeout)
		}
		_ = read.Close()
	})
}
