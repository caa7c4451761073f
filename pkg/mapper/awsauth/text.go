package awsauth

import (
	"fmt"
	"strings"
)

// A text is the YAML that a section is read from. The zero value is an unknown text.
type text struct {
	content string
	origin  origin
}

// An origin is the place of a text in a file. The zero value is for a text that is not
// in a file, as in a ConfigMap.
type origin struct {
	line, column int
	// folded is set if the lines of the text are not lines of the file, so that all
	// have the origin's place.
	folded bool
}

// place converts a place in the text to a place in the file.
func (o origin) place(line, column int) (int, int) {
	if o.folded {
		return o.line, o.column
	}
	return o.line + line, o.column + column
}

// shown returns a place as messages compare it with another: in the file, or within
// the text if that is folded.
func (o origin) shown(line, column int) (int, int) {
	if o.folded {
		return line, column
	}
	return o.place(line, column)
}

// excerpt returns a line and the lines around it, with their numbers in the file.
func (t text) excerpt(line int) string {
	const longest = 100
	if t.content == "" || t.origin.folded {
		return ""
	}
	var b strings.Builder
	number := 0
	for content := range strings.Lines(t.content) {
		number++
		if number < line-1 {
			continue
		}
		if number > line+1 {
			break
		}
		mark := " "
		if number == line {
			mark = ">"
		}
		content = strings.TrimRight(content, " \r\n")
		at, _ := t.origin.place(number, 0)
		fmt.Fprintf(&b, "%s %d | %s\n", mark, at, content[:min(len(content), longest)])
	}
	return b.String()
}
