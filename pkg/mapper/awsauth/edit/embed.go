package edit

import (
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// embed returns the splices of a file that change the text of a scalar. They replace
// only the lines or characters that differ.
func (o opened) embed(key, value *yaml.Node, text string) ([]splice, error) {
	if value.Anchor != "" || value.Style&yaml.TaggedStyle != 0 {
		return nil, refuse("its text has an anchor or a tag")
	}
	switch {
	case value.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return o.embedLines(key, value, text)
	case quoteOf(value) != noQuote:
		return o.embedQuoted(value, text)
	}
	return nil, refuse("its text has neither quotes nor a |")
}

// embedLines changes the lines of a block of text, which starts after a | or >.
func (o opened) embedLines(key, value *yaml.Node, text string) ([]splice, error) {
	header, err := o.offset(value)
	if err != nil {
		return nil, err
	}
	split := func(text string) []string {
		if text == "" {
			return nil
		}
		return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	}
	was, is := split(value.Value), split(text)
	indent, err := o.blockIndent(key, header, was)
	if err != nil {
		return nil, err
	}
	same := 0
	for same < min(len(was), len(is)) && was[same] == is[same] {
		same++
	}
	tail := 0
	for tail < min(len(was), len(is))-same && was[len(was)-1-tail] == is[len(is)-1-tail] {
		tail++
	}
	first := o.line(header)
	if first+len(was) >= len(o.lines) {
		return nil, refuse("its lines are not those of the file")
	}
	from, to := o.lineEnd(o.lines[first+same]), o.lineEnd(o.lines[first+len(was)-tail])
	var b strings.Builder
	for _, line := range is[same : len(is)-tail] {
		b.WriteString(o.ending(header))
		if line != "" {
			b.WriteString(indent + line)
		}
	}
	return []splice{{from, to, b.String()}}, nil
}

// blockIndent returns the indentation of the lines of a block of text.
func (o opened) blockIndent(key *yaml.Node, header int, lines []string) (string, error) {
	first := o.line(header)
	for i, line := range lines {
		if strings.TrimSpace(line) == "" {
			continue
		}
		if first+1+i >= len(o.lines) {
			break
		}
		at := o.lines[first+1+i]
		inFile := o.text[at:o.lineEnd(at)]
		if indent, ok := strings.CutSuffix(inFile, line); ok && strings.Trim(indent, " ") == "" {
			return indent, nil
		}
		return "", refuse("its lines are folded (>); write it after %s: |", key.Value)
	}
	for _, c := range o.text[header+1 : o.lineEnd(header)] {
		if c >= '1' && c <= '9' {
			n, _ := strconv.Atoi(string(c))
			return strings.Repeat(" ", key.Column-1+n), nil
		}
		if c != '+' && c != '-' {
			break
		}
	}
	return strings.Repeat(" ", key.Column-1+2), nil
}

// embedQuoted changes the characters within the quotes of a text.
func (o opened) embedQuoted(value *yaml.Node, text string) ([]splice, error) {
	at, err := o.scalarSpan(value)
	if err != nil {
		return nil, err
	}
	places, decoded, ok := unquote(o.text[at.start+1:at.end-1], quoteOf(value))
	if !ok || decoded != value.Value {
		return nil, refuse("its quoted text spans lines in a way that cannot be changed; write it after a |")
	}
	same := 0
	for same < min(len(decoded), len(text)) && decoded[same] == text[same] {
		same++
	}
	tail := 0
	for tail < min(len(decoded), len(text))-same && decoded[len(decoded)-1-tail] == text[len(text)-1-tail] {
		tail++
	}
	// Only whole characters.
	for same > 0 && (!isStart(decoded, same) || !isStart(text, same)) {
		same--
	}
	for tail > 0 && (!isStart(decoded, len(decoded)-tail) || !isStart(text, len(text)-tail)) {
		tail--
	}
	changed := text[same : len(text)-tail]
	written := doubleQuoted(changed)
	if quoteOf(value) == singleQuote {
		if strings.ContainsAny(changed, "\r\n\t") {
			return nil, refuse("its text is in single quotes, which cannot hold the new lines; write it after a |")
		}
		written = scalar(changed, singleQuote, true)
	}
	from, to := at.start+1+places[same], at.start+1+places[len(decoded)-tail]
	return []splice{{from, to, written[1 : len(written)-1]}}, nil
}

// isStart reports whether a character starts at an offset.
func isStart(text string, at int) bool { return at >= len(text) || text[at]&0xc0 != 0x80 }

// unquote returns the text of a quoted value, and for each of its bytes the offset in
// the raw value, with the end of the raw value last.
func unquote(raw string, q quote) (places []int, text string, ok bool) {
	var b strings.Builder
	put := func(at int, s string) {
		for range len(s) {
			places = append(places, at)
		}
		b.WriteString(s)
	}
	for i := 0; i < len(raw); {
		switch c := raw[i]; {
		case q == singleQuote && c == '\'':
			put(i, "'")
			i += 2
		case q == doubleQuote && c == '\\' && i+1 < len(raw) && strings.IndexByte("\r\n", raw[i+1]) >= 0:
			// An escaped line break is nothing, with the white space that follows it.
			i = len(raw) - len(strings.TrimLeft(raw[i+1:], " \t\r\n"))
		case q == doubleQuote && c == '\\':
			n := 2
			if i+1 < len(raw) {
				switch raw[i+1] {
				case 'x':
					n = 4
				case 'u':
					n = 6
				case 'U':
					n = 10
				}
			}
			if i+n > len(raw) {
				return nil, "", false
			}
			var s string
			if yaml.Unmarshal([]byte(`"`+raw[i:i+n]+`"`), &s) != nil {
				return nil, "", false
			}
			put(i, s)
			i += n
		case c == '\n' || c == '\r':
			// A single line break is a space, and more are one less.
			line := strings.TrimRight(b.String(), " \t")
			if trimmed := b.Len() - len(line); trimmed > 0 && places[len(line)] < i-trimmed {
				return nil, "", false // an escaped space
			}
			b.Reset()
			b.WriteString(line)
			places = places[:len(line)]
			at, breaks := i, 0
			for i < len(raw) && strings.IndexByte(" \t\r\n", raw[i]) >= 0 {
				if raw[i] == '\n' || raw[i] == '\r' && (i+1 == len(raw) || raw[i+1] != '\n') {
					breaks++
				}
				i++
			}
			if breaks == 1 {
				put(at, " ")
			} else {
				put(at, strings.Repeat("\n", breaks-1))
			}
		default:
			put(i, raw[i:i+1])
			i++
		}
	}
	return append(places, len(raw)), b.String(), true
}
