package edit

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// A flow is a list in [ ] or a mapping in { }, as in JSON.
type flow struct {
	// open and end are the offsets of the brackets.
	open, end int
	items     []span
	// commas has the offset of the comma after each item. The last item has one
	// only if the list ends with a comma.
	commas []int
}

type span struct{ start, end int }

// flow returns a list or mapping in brackets.
func (s source) flow(node *yaml.Node) (flow, error) {
	at, err := s.offset(node)
	if err != nil {
		return flow{}, err
	}
	f, ok := scanFlow(s.text, at)
	step := 1
	if node.Kind == yaml.MappingNode {
		step = 2
	}
	if !ok || len(f.items)*step != len(node.Content) {
		return flow{}, refuse("the brackets on %s cannot be matched", s.at(node.Line))
	}
	for i, item := range f.items {
		if start, err := s.offset(node.Content[i*step]); err != nil || start != item.start {
			return flow{}, refuse("the values on %s are not where they are expected", s.at(node.Line))
		}
	}
	return f, nil
}

// scanFlow finds the items between a bracket and its counterpart. It leaves it to the
// caller to compare them with what the parser found.
func scanFlow(text string, at int) (f flow, ok bool) {
	if at >= len(text) || text[at] != '[' && text[at] != '{' {
		return f, false
	}
	f = flow{open: at}
	depth, start, last := 0, -1, -1 // of the item: its start and the end so far
	add := func() {
		if start >= 0 {
			f.items = append(f.items, span{start, last})
		}
		start = -1
	}
	touch := func(from, to int) {
		if start < 0 {
			start = from
		}
		last = to
	}
	plain := false // within a value without quotes
	for i := at; i < len(text); i++ {
		c := text[i]
		blankBefore := i == 0 || strings.IndexByte(" \t\r\n", text[i-1]) >= 0
		switch {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			continue
		case c == '#' && (blankBefore || !plain):
			for i+1 < len(text) && text[i+1] != '\n' && text[i+1] != '\r' {
				i++
			}
			continue
		case c == '[' || c == '{':
			if depth++; depth > 1 {
				touch(i, i+1)
			}
			plain = false
		case c == ']' || c == '}':
			if depth--; depth == 0 {
				add()
				f.end = i
				return f, true
			}
			last, plain = i+1, false
		case c == ',':
			plain = false
			if depth == 1 {
				add()
				f.commas = append(f.commas, i)
			} else {
				touch(i, i+1)
			}
		case (c == '"' || c == '\'') && !plain:
			end := quoteEnd(text, i)
			if end < 0 {
				return f, false
			}
			touch(i, end)
			i = end - 1
		case c == ':' && (i+1 == len(text) || strings.IndexByte(" \t\r\n,[]{}", text[i+1]) >= 0 || !plain):
			touch(i, i+1)
			plain = false
		default:
			touch(i, i+1)
			plain = true
		}
	}
	return f, false
}

// quoteEnd returns the offset after the quote that closes a quoted value; -1 if there is
// none.
func quoteEnd(text string, at int) int {
	quote := text[at]
	for i := at + 1; i < len(text); i++ {
		switch {
		case quote == '"' && text[i] == '\\':
			i++
		case text[i] != quote:
		case quote == '\'' && i+1 < len(text) && text[i+1] == quote:
			i++
		default:
			return i + 1
		}
	}
	return -1
}

// commentEnd returns the end of the comment that follows an offset on its line, and
// reports whether there is one.
func (s source) commentEnd(at int) (int, bool) {
	end := s.lineEnd(at)
	if strings.HasPrefix(strings.TrimLeft(s.text[at:end], " \t"), "#") {
		return end, true
	}
	return at, false
}

// gap returns the white space between two offsets. A comment between them and what is
// before it are left out.
func (s source) gap(from, to int) string {
	text := s.text[from:to]
	if i := strings.LastIndexByte(text, '#'); i >= 0 {
		text = text[i:]
		return s.ending(to) + text[strings.LastIndexAny(text, "\r\n")+1:]
	}
	return text
}

// isTrailing reports whether a comma follows the last item.
func (f flow) isTrailing() bool { return len(f.items) > 0 && len(f.commas) == len(f.items) }

// separator returns the white space before the next item. Usual is that of other lists.
func (s source) separator(f flow, usual string) string {
	switch n := len(f.items); {
	case n > 1:
		return s.gap(f.commas[n-2]+1, f.items[n-1].start)
	case n == 1:
		if gap := s.gap(f.open+1, f.items[0].start); strings.ContainsAny(gap, "\r\n") {
			return gap
		}
		if item := s.text[f.items[0].start:f.items[0].end]; strings.Contains(item, `":`) && !strings.Contains(item, `": `) {
			return "" // compact JSON
		}
	}
	if strings.ContainsAny(usual, "\r\n") {
		return " "
	}
	return usual
}

// insertFlow returns the splices that add an item to a list or mapping in brackets.
// Usual is the white space after a comma in other lists.
func (s source) insertFlow(f flow, text, usual string) []splice {
	n := len(f.items)
	if n == 0 {
		return []splice{{f.open + 1, f.open + 1, text}}
	}
	last := f.items[n-1].end
	separator, after := s.separator(f, usual), last
	if f.isTrailing() {
		after = f.commas[n-1] + 1
	}
	at, commented := s.commentEnd(after)
	if commented && !strings.ContainsAny(separator, "\r\n") {
		separator = s.ending(after) + s.indent(f.items[n-1].start)
	}
	switch {
	case f.isTrailing():
		return []splice{{at, at, separator + text + ","}}
	case commented:
		return []splice{{last, last, ","}, {at, at, separator + text}}
	default:
		return []splice{{last, last, "," + separator + text}}
	}
}

// removeFlow returns the splices that remove an item of a list or mapping in brackets,
// with a comment that follows it on its line.
func (s source) removeFlow(f flow, i int) []splice {
	n, removed := len(f.items), f.items[i]
	switch {
	case n == 1:
		splices := []splice{{removed.start, removed.end, ""}}
		if f.isTrailing() {
			splices = append(splices, splice{f.commas[0], f.commas[0] + 1, ""})
		}
		return splices
	case i < n-1:
		to, _ := s.commentEnd(f.commas[i] + 1)
		to += len(s.text[to:]) - len(strings.TrimLeft(s.text[to:], " \t\r\n"))
		return []splice{{removed.start, to, ""}}
	}
	from := f.commas[i-1] + 1
	comment := strings.LastIndexByte(s.text[from:removed.start], '#')
	if comment >= 0 {
		from = s.lineEnd(from + comment)
	}
	to := removed.end
	if f.isTrailing() {
		to = f.commas[i] + 1
	}
	to, _ = s.commentEnd(to)
	if comment >= 0 && lineBreak(s.text[to:]) == 0 {
		from = s.nextLine(from) // the comment's line must end
	}
	splices := []splice{{from, to, ""}}
	if !f.isTrailing() {
		splices = append(splices, splice{f.commas[i-1], f.commas[i-1] + 1, ""})
	}
	return splices
}
