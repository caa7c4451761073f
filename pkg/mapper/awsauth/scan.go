package awsauth

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// A scanner looks for the first fault in YAML of the form of aws-auth: a list of
// mappings with short values. It supports no more of YAML than that.
type scanner struct {
	// flow has the open brackets, and quote is the open quote.
	flow  []opening
	quote opening
	// block is the column of the key or dash that a block of text belongs to;
	// -1 outside of a block.
	block  int
	levels []level
	text   text
	// anchors are those of the text; nil until one is looked up.
	anchors map[string]bool
}

// An opening is a bracket or quote and its place. The zero value is none.
type opening struct {
	char         byte
	line, column int
}

// findFault returns the first fault in a text that it can explain.
func findFault(t text) (fault, bool) {
	s := scanner{block: -1, text: t}
	found := findCharacter(t)
	number := 0
	for line := range strings.Lines(t.content) {
		if found != nil {
			break
		}
		number++
		found = s.scanLine(number, strings.TrimRight(line, " \t\r\n"))
	}
	if found == nil {
		if found = s.neverClosed(); found == nil {
			return fault{}, false
		}
	}
	found.column = inCharacters(t.content, found.line, found.column)
	return *found, true
}

// inCharacters returns a column of a line, which counts bytes from 1, in characters.
func inCharacters(content string, line, column int) int {
	number := 0
	for text := range strings.Lines(content) {
		if number++; number == line {
			return utf8.RuneCountInString(text[:min(column-1, len(text))]) + 1
		}
	}
	return column
}

// neverClosed returns the fault of the quote or bracket that is open; nil if there is
// none.
func (s *scanner) neverClosed() *fault {
	open := s.quote
	if open.char == 0 && len(s.flow) > 0 {
		open = s.flow[len(s.flow)-1]
	}
	switch open.char {
	case 0:
		return nil
	case '"', '\'':
		return faultAt(open.line, open.column, "the quote opened here is never closed", fmt.Sprintf("close it with %c in the same line", open.char))
	default:
		return faultAt(open.line, open.column, fmt.Sprintf("the %c opened here is never closed", open.char), fmt.Sprintf("close it with %c", closer(open.char)))
	}
}

func closer(bracket byte) byte {
	if bracket == '[' {
		return ']'
	}
	return '}'
}

func (s *scanner) scanLine(number int, line string) *fault {
	text := strings.TrimLeft(line, " ")
	column := len(line) - len(text)
	if s.block >= 0 {
		if text == "" || column > s.block {
			return nil
		}
		s.block = -1
	}
	if s.quote.char != 0 {
		return s.scanInQuote(number, line, text)
	}
	if text == "" || text[0] == '#' {
		return nil
	}
	if text[0] == '\t' && len(s.flow) == 0 {
		return faultAt(number, column+1, "the indentation contains a tab", "indent with spaces, not with tabs")
	}
	if len(s.flow) > 0 {
		if strings.HasPrefix(text, "- ") || s.flow[len(s.flow)-1].char == '[' && isField(text) {
			return s.neverClosed()
		}
		return s.scanFlow(number, line, column)
	}
	if column == 0 && (strings.HasPrefix(text, "---") || strings.HasPrefix(text, "...") || text[0] == '%') {
		s.levels = nil
		return nil
	}
	for _, marker := range []string{"<<<<<<< ", "=======", ">>>>>>> "} {
		if strings.HasPrefix(text, marker) {
			return faultAt(number, column+1, "this line is a conflict marker of Git", "resolve the conflict and remove the markers")
		}
	}
	return s.scanBlock(number, line, column)
}

// scanInQuote looks for the end of a quote that an earlier line opened. If a line starts
// a field, the quote is never closed.
func (s *scanner) scanInQuote(number int, line, text string) *fault {
	if isField(text) || strings.HasPrefix(text, "- ") {
		return s.neverClosed()
	}
	end := closing(line, 0, s.quote.char)
	if end < 0 {
		return nil
	}
	s.quote = opening{}
	return s.afterQuote(number, line, end+1)
}

// scanBlock scans a line outside of brackets: dashes, a key, a value.
func (s *scanner) scanBlock(number int, line string, column int) *fault {
	first := true
	for line[column] == '-' && (column+1 == len(line) || line[column+1] == ' ') {
		if f := s.enter(level{column: column, line: number, list: true}, first); f != nil {
			return f
		}
		first = false
		rest := strings.TrimLeft(line[column+1:], " ")
		if column = len(line) - len(rest); rest == "" {
			return nil
		}
	}
	text := line[column:]
	if text[0] == '-' && isField(text[1:]) {
		return faultAt(number, column+1, "a space is missing after the dash", "write - "+text[1:])
	}
	value := keyEnd(text)
	if value < 0 {
		if field, rest, ok := strings.Cut(text, ":"); ok && isFieldName(field) {
			return faultAt(number, column+len(field)+1, "a space is missing after the colon", fmt.Sprintf("write %s: %s", field, rest))
		}
		if f := s.enterText(number, column, first); f != nil {
			return f
		}
		return s.scanValue(number, line, column, "")
	}
	if f := s.enter(level{column: column, line: number}, first); f != nil {
		return f
	}
	key := strings.TrimRight(text[:value-1], " ")
	rest := strings.TrimLeft(text[value:], " ")
	return s.scanValue(number, line, len(line)-len(rest), key)
}

// scanValue scans what follows a key or a dash.
func (s *scanner) scanValue(number int, line string, column int, key string) *fault {
	value := line[column:]
	for value != "" && (value[0] == '&' || value[0] == '!') { // an anchor or a tag
		_, value, _ = strings.Cut(value, " ")
		value = strings.TrimLeft(value, " ")
		column = len(line) - len(value)
	}
	if value == "" || value[0] == '#' {
		return nil
	}
	top := &s.levels[len(s.levels)-1]
	top.open = false
	inQuotes := func(cause string) *fault {
		fix := "quote the value: "
		if key != "" {
			fix += key + ": "
		}
		f := faultAt(number, column+1, cause, fix+quoted(withoutComment(value)))
		f.unquoted = withoutComment(value)
		return f
	}
	switch c := value[0]; {
	case strings.HasPrefix(value, "{{"):
		return inQuotes("a value starts with {{ without quotes, so YAML reads it as a mapping")
	case c == '"' || c == '\'':
		end := closing(line, column+1, c)
		if end < 0 {
			s.quote = opening{c, number, column + 1}
			return nil
		}
		return s.afterQuote(number, line, end+1)
	case c == '[' || c == '{':
		return s.scanFlow(number, line, column)
	case c == '|' || c == '>':
		s.block = top.column
		return nil
	case c == '@' || c == '`' || c == '%':
		return inQuotes(fmt.Sprintf("a value must not start with %c without quotes", c))
	case c == '*' && !s.isAnchor(withoutComment(value[1:])):
		return inQuotes("a value that starts with * is an alias, but no anchor has its name")
	}
	if plain := withoutComment(value); key != "" && (strings.Contains(plain, ": ") || strings.HasSuffix(plain, ":")) {
		return inQuotes("a value that contains a colon and a space requires quotes")
	}
	return nil
}

// scanFlow scans from a bracket, or inside of brackets, to the end of the line.
func (s *scanner) scanFlow(number int, line string, column int) *fault {
	for i := column; i < len(line); i++ {
		at := func(cause, fix string) *fault { return faultAt(number, i+1, cause, fix) }
		switch c := line[i]; c {
		case ' ', '\t', ',', ':':
		case '#':
			return nil
		case '"', '\'':
			end := closing(line, i+1, c)
			if end < 0 {
				s.quote = opening{c, number, i + 1}
				return nil
			}
			i = end
		case '[', '{':
			if strings.HasPrefix(line[i:], "{{") {
				return at("a value with {{ in brackets has no quotes", "quote the value, like \"{{SessionName}}\"")
			}
			s.flow = append(s.flow, opening{c, number, i + 1})
		case ']', '}':
			if closer(s.flow[len(s.flow)-1].char) != c {
				if slices.ContainsFunc(s.flow, func(o opening) bool { return closer(o.char) == c }) {
					return s.neverClosed()
				}
				return at(fmt.Sprintf("the %c closes nothing", c), "pair the brackets")
			}
			if s.flow = s.flow[:len(s.flow)-1]; len(s.flow) == 0 {
				return s.afterValue(number, line, i+1, fmt.Sprintf("text follows the closing %c", c))
			}
		default:
			for i+1 < len(line) && !strings.ContainsRune(",[]{}", rune(line[i+1])) && !strings.HasPrefix(line[i+1:], ": ") && !strings.HasPrefix(line[i+1:], " #") {
				i++
			}
		}
	}
	return nil
}

func (s *scanner) afterQuote(number int, line string, column int) *fault {
	if len(s.flow) > 0 {
		return s.scanFlow(number, line, column)
	}
	return s.afterValue(number, line, column, "text follows the closing quote")
}

// afterValue returns a fault if anything but a comment follows a closed value.
func (s *scanner) afterValue(number int, line string, column int, cause string) *fault {
	rest := strings.TrimLeft(line[column:], " ")
	if rest == "" || rest[0] == '#' {
		return nil
	}
	return faultAt(number, len(line)-len(rest)+1, cause, "put the whole value in one pair of quotes")
}

// closing returns the column at which a quote is closed in a line, searching from a
// column; -1 if it is not.
func closing(line string, from int, quote byte) int {
	for i := from; i < len(line); i++ {
		switch {
		case quote == '"' && line[i] == '\\':
			i++
		case line[i] != quote:
		case quote == '\'' && i+1 < len(line) && line[i+1] == quote:
			i++
		default:
			return i
		}
	}
	return -1
}

// keyEnd returns the index after the colon of the key that a text starts with; -1 if
// it does not start with a key.
func keyEnd(text string) int {
	from := 0
	if c := text[0]; c == '"' || c == '\'' {
		if from = closing(text, 1, c) + 1; from == 0 {
			return -1
		}
		if !strings.HasPrefix(strings.TrimLeft(text[from:], " "), ":") {
			return -1
		}
	} else if c == '[' || c == '{' {
		return -1
	}
	for i := from; i < len(text); i++ {
		if text[i] == '#' && i > 0 && text[i-1] == ' ' {
			return -1
		}
		if text[i] == ':' && (i+1 == len(text) || text[i+1] == ' ' || text[i+1] == '\t') {
			return i + 1
		}
	}
	return -1
}

// isField reports whether a text starts with a key: a word, a colon, a blank.
func isField(text string) bool {
	text = strings.TrimLeft(strings.TrimPrefix(text, "- "), " ")
	if text == "" || text[0] == '"' || text[0] == '\'' {
		return false
	}
	end := keyEnd(text)
	return end > 1 && !strings.ContainsAny(text[:end-1], ` ,[]{}"'`)
}

// isFieldName reports whether a word is a field of an entry, in any case.
func isFieldName(word string) bool {
	switch strings.ToLower(word) {
	case "rolearn", "userarn", "username", "groups", "sso", "permissionsetname", "accountid":
		return true
	}
	return false
}

func (s *scanner) isAnchor(name string) bool {
	if s.anchors == nil {
		s.anchors = map[string]bool{}
		for i, part := range strings.Split(s.text.content, "&") {
			if end := strings.IndexAny(part, " \n\r\t,[]{}"); end > 0 && i > 0 {
				s.anchors[part[:end]] = true
			}
		}
	}
	return s.anchors[name]
}

func withoutComment(value string) string {
	value, _, _ = strings.Cut(value, " #")
	return strings.TrimRight(value, " ")
}
