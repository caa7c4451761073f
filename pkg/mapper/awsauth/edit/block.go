package edit

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// An item is an item of a block list, or a pair of a block mapping. A block is written
// with indentation, without brackets.
type item struct {
	// lead is the offset of the item's dash, or of its first byte in a mapping.
	lead int
	// start is the offset of the item's value.
	start int
	// end is the end of its last line, before the line break.
	end int
}

// blockItems returns the items of a block list. The text from limit on is not the
// list's.
func (s source) blockItems(list *yaml.Node, limit int) ([]item, error) {
	items := make([]item, len(list.Content))
	for i, node := range list.Content {
		start, err := s.offset(node)
		if err != nil {
			return nil, err
		}
		dash, err := s.dash(start)
		if err != nil {
			return nil, err
		}
		if strings.TrimLeft(s.text[s.lineStart(dash):dash], " ") != "" || i > 0 && s.indent(dash) != s.indent(items[0].lead) {
			return nil, refuse("%s does not start with the dash of an item", s.at(s.line(dash)+1))
		}
		items[i] = item{lead: dash, start: start}
	}
	s.setEnds(items, limit)
	return items, nil
}

// blockPairs returns the pairs of a block mapping.
func (s source) blockPairs(mapping *yaml.Node, limit int) ([]item, error) {
	items := make([]item, 0, len(mapping.Content)/2)
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		start, err := s.offset(mapping.Content[i])
		if err != nil {
			return nil, err
		}
		if before := strings.TrimLeft(s.text[s.lineStart(start):start], " "); i > 0 && before != "" {
			return nil, refuse("%s does not start with a field", s.at(s.line(start)+1))
		}
		items = append(items, item{lead: start, start: start})
	}
	s.setEnds(items, limit)
	return items, nil
}

func (s source) setEnds(items []item, limit int) {
	for i := range items {
		until := limit
		if i+1 < len(items) {
			until = s.lineStart(items[i+1].lead)
		}
		items[i].end = s.contentEnd(items[i].lead, until, items[i].lead-s.lineStart(items[i].lead))
	}
}

// dash returns the offset of the dash of an item. It is on the item's line or, if only
// comments are between them, above it.
func (s source) dash(start int) (int, error) {
	before := strings.TrimRight(s.text[s.lineStart(start):start], " \t")
	if strings.HasSuffix(before, "-") {
		return s.lineStart(start) + len(before) - 1, nil
	}
	for line := s.line(start) - 1; before == "" && line >= 0; line-- {
		text := s.text[s.lines[line]:s.lineEnd(s.lines[line])]
		trimmed := strings.TrimLeft(text, " ")
		after, isDash := strings.CutPrefix(trimmed, "-")
		if after = strings.TrimLeft(after, " \t"); isDash && (after == "" || after[0] == '#') {
			return s.lines[line] + len(text) - len(trimmed), nil
		}
		if trimmed != "" && trimmed[0] != '#' {
			break
		}
	}
	return 0, refuse("%s does not start with the dash of an item", s.at(s.line(start)+1))
}

// isBlankBefore reports whether the line above an offset is blank.
func (s source) isBlankBefore(at int) bool {
	line := s.line(at)
	return line > 0 && strings.TrimSpace(s.text[s.lines[line-1]:s.lines[line]]) == ""
}

// isBlankAfter reports whether the line below an offset is blank.
func (s source) isBlankAfter(at int) bool {
	next := s.nextLine(at)
	return next < len(s.text) && strings.TrimSpace(s.text[next:s.nextLine(next)]) == ""
}

// insertItem returns the splice that adds an item after the last one of a block list.
// The text of the item has no indentation in its first line.
func (s source) insertItem(items []item, text string) splice {
	last := items[len(items)-1]
	ending := s.ending(last.lead)
	gap := ending
	if separated := len(items) > 1; separated {
		for i := range items[1:] {
			separated = separated && s.isBlankAfter(items[i].end)
		}
		if separated {
			gap += ending
		}
	}
	return splice{last.end, last.end, gap + s.indent(last.lead) + text}
}

// removeItem returns the splice that removes the lines of an item of a block list, and
// a blank line that separates it from another. Comments above it stay.
func (s source) removeItem(items []item, i int) splice {
	removed := items[i]
	from, to := s.lineStart(removed.lead), removed.end
	if from == 0 {
		to = s.nextLine(to)
		if i+1 < len(items) && s.isBlankAfter(removed.end) {
			to = s.nextLine(to)
		}
		return splice{from, to, ""}
	}
	separated := i+1 == len(items) || s.isBlankAfter(removed.end)
	switch {
	case i > 0 && separated && s.isBlankBefore(from):
		from = s.lines[s.line(from)-1]
	case i == 0 && len(items) > 1 && s.isBlankAfter(to):
		to = s.lineEnd(s.nextLine(to))
	}
	return splice{s.lineEnd(s.lines[s.line(from)-1]), to, ""}
}
