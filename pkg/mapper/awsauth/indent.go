package awsauth

import (
	"fmt"
	"slices"
)

// A level is a list or mapping that is open at a line.
type level struct {
	column, line int
	list         bool
	// open is set while the last item or key has no value yet.
	open bool
}

// enter opens a level at a dash or key, or goes back to the level at its column. First
// is set if the dash or key is the first of its line.
func (s *scanner) enter(next level, first bool) *fault {
	next.open = true
	closed := s.leave(next.column)
	if len(s.levels) == 0 {
		if closed != nil {
			return s.misplaced(next, s.nearest(next, closed))
		}
		s.levels = append(s.levels, next)
		return nil
	}
	top := &s.levels[len(s.levels)-1]
	switch {
	case top.column == next.column && top.list == next.list:
		top.open, top.line = true, next.line
		return nil
	case top.column == next.column && top.list:
		// A list may be in the column of the key that it belongs to.
		if n := len(s.levels); n > 1 && s.levels[n-2].column == next.column {
			s.levels = s.levels[:n-1]
			s.levels[n-2].open, s.levels[n-2].line = true, next.line
			return nil
		}
		if closed == nil {
			return s.misplaced(next, level{column: top.column + 2, line: top.line})
		}
		return s.misplaced(next, s.nearest(next, closed))
	case top.open && closed == nil:
		top.open = false
		s.levels = append(s.levels, next)
		return nil
	case next.list && first && closed == nil && top.column < next.column:
		return nil // it continues the text of the previous line
	default:
		return s.misplaced(next, s.nearest(next, closed))
	}
}

// nearest returns the level that a dash or key most likely belongs to: that of its kind
// with the nearest column, the inner one of two. It may be one that was just closed.
func (s *scanner) nearest(next level, closed []level) level {
	inwards := slices.Concat(s.levels, closed)
	found := inwards[min(len(s.levels), len(inwards)-1)]
	for _, l := range slices.Backward(inwards) {
		if l.list == next.list && (found.list != next.list || distance(l, next) < distance(found, next)) {
			found = l
		}
	}
	return found
}

func distance(a, b level) int { return max(a.column-b.column, b.column-a.column) }

// enterText checks the indentation of a text that is neither an item nor a key.
func (s *scanner) enterText(line, column int, first bool) *fault {
	if !first {
		return nil
	}
	closed := s.leave(column)
	if len(s.levels) == 0 {
		s.levels = append(s.levels, level{column: column, line: line})
		return nil
	}
	top := &s.levels[len(s.levels)-1]
	if top.open || closed == nil && column > top.column {
		top.open = false
		return nil
	}
	return faultAt(line, column+1, "this line is neither a field nor an item of a list", `write a field, like username: admin, or start an item with "- "`)
}

// leave closes the levels to the right of a column, and returns them.
func (s *scanner) leave(column int) (closed []level) {
	i := len(s.levels)
	for i > 0 && s.levels[i-1].column > column {
		i--
	}
	if i < len(s.levels) {
		closed = slices.Clone(s.levels[i:])
	}
	s.levels = s.levels[:i]
	return closed
}

func (s *scanner) misplaced(next, beside level) *fault {
	line, indent := s.text.origin.shown(beside.line, beside.column)
	_, its := s.text.origin.shown(next.line, next.column)
	if its == indent {
		what, other := "is a field", "starts an item of a list"
		if next.list {
			what, other = "starts an item of a list", "does not"
		}
		return faultAt(next.line, next.column+1, fmt.Sprintf("this line %s, but line %d, with the same indentation, %s", what, line, other), `start both with "- ", or neither`)
	}
	return faultAt(next.line, next.column+1,
		fmt.Sprintf("this line is indented by %s, but line %d, which it seems to belong with, by %d", spaces(its), line, indent),
		"indent it by "+spaces(indent))
}

func spaces(n int) string {
	if n == 1 {
		return "1 space"
	}
	return fmt.Sprintf("%d spaces", n)
}
