package cli

import (
	"io"
	"os"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"
)

// Streams are a program's standard streams.
type Streams struct {
	In       io.Reader
	Out, Err io.Writer
}

// isTerminal reports whether a stream is a terminal.
func isTerminal(stream any) bool {
	file, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// Environment holds a process's environment variables, as NAME=value.
type Environment []string

// Get returns the value of a variable; it is empty if the variable is not set.
func (e Environment) Get(name string) string {
	prefix := name + "="
	i := slices.IndexFunc(e, func(variable string) bool { return strings.HasPrefix(variable, prefix) })
	if i < 0 {
		return ""
	}
	return strings.TrimPrefix(e[i], prefix)
}

// colored reports whether text on a stream may be styled: see no-color.org.
func colored(terminal bool, env Environment) bool {
	return terminal && env.Get("NO_COLOR") == "" && env.Get("TERM") != "dumb"
}

// Printable returns a text with its control characters replaced: text from elsewhere
// must not control the terminal.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

// Indented is [PrintableLines] for the rest of a line: further lines are indented, since
// text from elsewhere must not look like a line of the program.
func Indented(text string) string {
	return strings.ReplaceAll(strings.TrimRight(PrintableLines(text), "\n"), "\n", "\n  ")
}

// PrintableLines is [Printable] for a text of several lines, and keeps tabs.
func PrintableLines(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == '\n' || r == '\t' {
			return r
		}
		return unicode.ReplacementChar
	}, text)
}

// PrintableTo returns a writer of text of several lines, which it writes to w as
// [PrintableLines] returns it.
func PrintableTo(w io.Writer) io.Writer { return &printableWriter{w: w} }

type printableWriter struct {
	w io.Writer
	// begun is the start of a character whose other bytes are still to come.
	begun []byte
}

func (p *printableWriter) Write(text []byte) (int, error) {
	all := slices.Concat(p.begun, text)
	end := len(all)
	for i := max(0, end-utf8.UTFMax+1); i < len(all); i++ {
		if utf8.RuneStart(all[i]) && !utf8.FullRune(all[i:]) {
			end = i
			break
		}
	}
	p.begun = all[end:]
	if _, err := io.WriteString(p.w, PrintableLines(string(all[:end]))); err != nil {
		return 0, err
	}
	return len(text), nil
}
