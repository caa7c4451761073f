package lint

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/kube-iam/authenticator/pkg/mapper"
)

// applyAll makes edits, the last one in the text first, and reports whether the text at
// each place is of a form that it can change. The caller reads the result again to see
// what the edits do.
func applyAll(content []byte, edits []mapper.Edit) ([]byte, bool) {
	lines := strings.SplitAfter(string(content), "\n")
	for _, edit := range edits {
		var ok bool
		if lines, ok = apply(lines, edit); !ok {
			return nil, false
		}
	}
	return []byte(strings.Join(lines, "")), true
}

func apply(lines []string, edit mapper.Edit) ([]string, bool) {
	number := edit.Line - 1
	if number < 0 || number >= len(lines) {
		return nil, false
	}
	line := lines[number]
	at, ok := byteOf(line, edit.Column)
	if !ok {
		return nil, false
	}
	switch edit.Kind {
	case mapper.Insert:
		return slices.Insert(lines, number, edit.New), at == 0 && !strings.HasPrefix(line, "{")
	case mapper.Remove:
		return remove(lines, number, at, edit.Column > 0)
	default:
		lines[number], ok = replace(line, at, edit)
		return lines, ok
	}
}

// byteOf returns the index of a column, which counts characters from 1; 0 is the first
// one that is not a space.
func byteOf(line string, column int) (int, bool) {
	if column == 0 {
		return indentation(line), true
	}
	at := 0
	for range column - 1 {
		_, size := utf8.DecodeRuneInString(line[at:])
		if at += size; at >= len(line) {
			return 0, false
		}
	}
	return at, true
}

func indentation(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// replace replaces the value or key at an index of a line, in the style of its quotes.
func replace(line string, at int, edit mapper.Edit) (string, bool) {
	rest := strings.TrimRight(line[at:], "\r\n")
	end, quote, ok := scalar(rest, edit.Old)
	if !ok {
		return "", false
	}
	after := strings.TrimLeft(rest[end:], " ")
	isKey := strings.HasPrefix(after, ":")
	if isKey != (edit.Kind == mapper.Rename) {
		return "", false
	}
	var text string
	switch {
	case quote == '\'':
		text = "'" + strings.ReplaceAll(edit.New, "'", "''") + "'"
	case quote == '"' || edit.New == edit.Old || !isPlain(edit.New, edit.Old):
		text = doubleQuoted(edit.New)
	default:
		text = edit.New
	}
	if edit.Kind == mapper.List {
		if quote == 0 && isPlain(edit.New, "") {
			text = edit.New
		}
		text = "[" + text + "]"
	}
	return line[:at] + text + line[at+end:], true
}

// scalar returns the end of the value or key at the start of a text, and its quote; 0 if
// it has none. Value is its value.
func scalar(text, value string) (end int, quote byte, ok bool) {
	if text == "" {
		return 0, 0, false
	}
	if quote = text[0]; quote != '"' && quote != '\'' {
		end = len(value)
		if value == "" || !strings.HasPrefix(text, value) {
			return 0, 0, false
		}
		return end, 0, end == len(text) || strings.IndexByte(" \t,]}:", text[end]) >= 0
	}
	for i := 1; i < len(text); i++ {
		switch {
		case quote == '"' && text[i] == '\\':
			i++
		case text[i] != quote:
		case quote == '\'' && i+1 < len(text) && text[i+1] == quote:
			i++
		default:
			return i + 1, quote, true
		}
	}
	return 0, 0, false
}

// plain matches texts that need no quotes, if they are not words of YAML. Braces may
// stay where there were some.
var plain = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z][A-Za-z0-9:/+=.@_{}-]*[A-Za-z0-9}]$`) })

func isPlain(text, old string) bool {
	switch strings.ToLower(text) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null":
		return false
	}
	return plain().MatchString(text) && (!strings.ContainsAny(text, "{}") || strings.ContainsAny(old, "{}"))
}

func doubleQuoted(text string) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(text) // a string always encodes
	return strings.TrimSuffix(b.String(), "\n")
}

// remove removes what is at an index of a line: an item of a list with all its lines, a
// field with all its lines, or an item in brackets. Without a column it is an item that
// starts in the line.
func remove(lines []string, number, at int, hasColumn bool) ([]string, bool) {
	line := strings.TrimRight(lines[number], "\r\n")
	before, text := strings.TrimLeft(line[:min(at, len(line))], " "), line[min(at, len(line)):]
	isField := strings.Contains(text+" ", ": ")
	switch {
	case !hasColumn && (text == "-" || strings.HasPrefix(text, "- ")),
		strings.TrimRight(before, " ") == "-" && !isField:
		return removeLines(lines, number, indentation(line), false), true
	case hasColumn && before == "" && isField:
		return removeLines(lines, number, at, true), true
	case !hasColumn:
		return nil, false
	}
	edited, ok := removeInBrackets(line, at)
	if !ok {
		return nil, false
	}
	lines[number] = edited + lines[number][len(line):]
	return lines, true
}

// removeLines removes a line and those below it that are indented more. The items of a
// field's list may be in the column of the field.
func removeLines(lines []string, number, indent int, isField bool) []string {
	end := number + 1
	for i := end; i < len(lines); i++ {
		text := strings.TrimSpace(lines[i])
		if text == "" {
			continue
		}
		column := indentation(lines[i])
		isItem := isField && column == indent && strings.HasPrefix(text, "- ")
		if column <= indent && !isItem {
			break
		}
		end = i + 1
	}
	return slices.Delete(lines, number, end)
}

// removeInBrackets removes an item of a list in brackets, with one comma.
func removeInBrackets(line string, at int) (string, bool) {
	value, _, _ := strings.Cut(line[at:], ",")
	value, _, _ = strings.Cut(value, "]")
	end, _, ok := scalar(line[at:], strings.TrimRight(value, " "))
	if !ok {
		return "", false
	}
	before, after := strings.TrimRight(line[:at], " "), strings.TrimLeft(line[at+end:], " ")
	switch {
	case strings.HasPrefix(after, ",") && (strings.HasSuffix(before, "[") || strings.HasSuffix(before, ",")):
		return line[:at] + strings.TrimLeft(after[1:], " "), true
	case strings.HasPrefix(after, "]") && strings.HasSuffix(before, ","):
		return strings.TrimSuffix(before, ",") + after, true
	case strings.HasPrefix(after, "]") && strings.HasSuffix(before, "["):
		return before + after, true
	}
	return "", false
}
