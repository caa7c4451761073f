package cli

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/term"
)

// statusEvery is how often a status is printed where a line cannot be rewritten.
const statusEvery = 15 * time.Second

// A Progress prints what a long task does: lines that stay, and one status that
// changes. On a terminal the status is a line that is rewritten; elsewhere it is
// printed every 15 seconds. It is safe for concurrent use.
type Progress struct {
	prefix string
	now    func() time.Time

	mu      sync.Mutex
	out     io.Writer
	width   int // of the terminal; 0 if there is none
	shown   bool
	printed time.Time
}

// NewProgress returns a progress that prints to w, each line after the prefix.
func NewProgress(w io.Writer, prefix string) *Progress {
	p := &Progress{prefix: prefix, out: w, now: time.Now}
	if isTerminal(w) && os.Getenv("TERM") != "dumb" {
		p.width = 80
		if width, _, err := term.GetSize(int(w.(*os.File).Fd())); err == nil && width > 0 {
			p.width = width
		}
	}
	p.printed = p.now()
	return p
}

// Printf prints a line that stays.
func (p *Progress) Printf(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	fmt.Fprintf(p.out, p.prefix+format+"\n", args...)
	p.printed = p.now()
}

// Statusf shows how far the task is.
func (p *Progress) Statusf(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	line := p.prefix + fmt.Sprintf(format, args...)
	switch now := p.now(); {
	case p.width > 0:
		p.clear()
		fmt.Fprint(p.out, truncate(line, p.width-1))
		p.shown = true
	case now.Sub(p.printed) >= statusEvery:
		fmt.Fprintln(p.out, line)
		p.printed = now
	}
}

// Done removes the status from a terminal.
func (p *Progress) Done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
}

// clear needs the lock.
func (p *Progress) clear() {
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
		p.shown = false
	}
}

// truncate keeps a line from wrapping: only one row of the terminal is rewritten.
func truncate(line string, width int) string {
	if utf8.RuneCountInString(line) <= width {
		return line
	}
	return string([]rune(line)[:width])
}
