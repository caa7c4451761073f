package edit

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// A source is a YAML text in which nodes can be found: a node has only a line and a
// column, both of its start.
type source struct {
	text string
	// lines has the offset of the start of each line.
	lines []int
	// inFile returns where a line and column of the text are in the file; nil if the text
	// is the whole file, or is in none.
	inFile func(line, column int) (int, int)
	// inSection is set if the text is in no file: then people see its own lines.
	inSection bool
}

func newSource(text string) source {
	s := source{text: text, lines: []int{0}}
	for i := 0; i < len(text); {
		n := lineBreak(text[i:])
		if n > 0 {
			i += n
			s.lines = append(s.lines, i)
			continue
		}
		i++
	}
	return s
}

// lineBreak returns the length of the line break that a text starts with; 0 if it
// starts with something else. YAML 1.1 has five.
func lineBreak(text string) int {
	for _, ending := range []string{"\r\n", "\n", "\r", "\u0085", "\u2028", "\u2029"} {
		if strings.HasPrefix(text, ending) {
			return len(ending)
		}
	}
	return 0
}

// at names a line of the text, as people find it: in the file or, of a ConfigMap, in the
// section.
func (s source) at(line int) string {
	if s.inSection {
		return fmt.Sprintf("line %d of the section", line)
	}
	if s.inFile != nil {
		line, _ = s.inFile(line, 0)
	}
	return fmt.Sprintf("line %d", line)
}

// syntax describes an error in the syntax of the text.
func (s source) syntax(err *awsauth.SyntaxError) string {
	if err.Column <= 1 { // 1 also means that the column is unknown
		return fmt.Sprintf("%s: %s; %s", s.at(err.Line), err.Cause, err.Fix)
	}
	column := err.Column
	if s.inFile != nil {
		_, column = s.inFile(err.Line, column)
	}
	return fmt.Sprintf("%s, column %d: %s; %s", s.at(err.Line), column, err.Cause, err.Fix)
}

// offset returns the place of a node's start.
func (s source) offset(node *yaml.Node) (int, error) {
	if node.Line < 1 || node.Line > len(s.lines) || node.Column < 1 {
		return 0, refuse("the place of a value on %s is unknown", s.at(node.Line))
	}
	at := s.lines[node.Line-1]
	for range node.Column - 1 {
		_, n := utf8.DecodeRuneInString(s.text[at:])
		if n == 0 || lineBreak(s.text[at:]) > 0 {
			return 0, refuse("the place of a value on %s is unknown", s.at(node.Line))
		}
		at += n
	}
	return at, nil
}

// line returns the index of the line that an offset is in.
func (s source) line(at int) int {
	i, found := slices.BinarySearch(s.lines, at)
	if !found {
		i--
	}
	return i
}

func (s source) lineStart(at int) int { return s.lines[s.line(at)] }

// nextLine returns the start of the next line, or the end of the text.
func (s source) nextLine(at int) int {
	if i := s.line(at) + 1; i < len(s.lines) {
		return s.lines[i]
	}
	return len(s.text)
}

// lineEnd returns the end of the line that an offset is in, before its line break.
func (s source) lineEnd(at int) int {
	start, next := s.lineStart(at), s.nextLine(at)
	for end := next - 1; end >= max(start, next-3); end-- {
		if n := lineBreak(s.text[end:next]); n > 0 && end+n == next && (end == start || s.text[end] != '\n' || s.text[end-1] != '\r') {
			return end
		}
	}
	return next
}

// ending returns the line break of the line that an offset is in, or the text's first
// one.
func (s source) ending(at int) string {
	for _, at := range []int{at, 0} {
		if end := s.lineEnd(at); end < s.nextLine(at) {
			return s.text[end:s.nextLine(at)]
		}
	}
	return "\n"
}

// indent returns the white space that the line of an offset starts with.
func (s source) indent(at int) string {
	line := s.text[s.lineStart(at):s.lineEnd(at)]
	return line[:len(line)-len(strings.TrimLeft(line, " \t"))]
}

// contentEnd returns the end of the last line that belongs to the value that starts at
// an offset: what follows it until limit are blank lines and comments, which belong to
// it only if they are indented more than column, the column of the value's list.
func (s source) contentEnd(from, limit, column int) int {
	end := s.lineEnd(from)
	for at := s.nextLine(from); at < limit; at = s.nextLine(at) {
		line := s.text[at:s.lineEnd(at)]
		if trimmed := strings.TrimLeft(line, " \t"); trimmed == "" || trimmed[0] == '#' {
			continue
		}
		if strings.HasPrefix(line, "...") || strings.HasPrefix(line, "---") {
			break
		}
		end = s.lineEnd(at)
	}
	for at := s.nextLine(end); at < limit; at = s.nextLine(at) {
		line := s.text[at:s.lineEnd(at)]
		trimmed := strings.TrimLeft(line, " \t")
		if trimmed == "" || trimmed[0] != '#' || len(line)-len(trimmed) <= column {
			break
		}
		end = s.lineEnd(at)
	}
	return end
}

// A splice replaces the bytes between two offsets.
type splice struct {
	from, to int
	with     string
}

// apply returns the text after splices that do not overlap.
func (s source) apply(splices ...splice) (string, error) {
	sort.SliceStable(splices, func(i, j int) bool { return splices[i].from < splices[j].from })
	var b strings.Builder
	at := 0
	for _, p := range splices {
		if p.from < at || p.to < p.from || p.to > len(s.text) {
			return "", refuse("two changes are at the same place")
		}
		b.WriteString(s.text[at:p.from])
		b.WriteString(p.with)
		at = p.to
	}
	b.WriteString(s.text[at:])
	return b.String(), nil
}

// refuse returns the error for a text that cannot be edited safely.
func refuse(format string, args ...any) error {
	return &UnsafeError{Reason: fmt.Errorf(format, args...).Error()}
}
