package mapper

import (
	"maps"
	"strings"
)

// Solve returns the values of the placeholders with which the template expands to a
// text, by name, and reports whether there are such values. Known holds the values that
// are certain. If several values are possible, Solve returns the shortest first ones.
func (t Template) Solve(text string, known map[string]string) (map[string]string, bool) {
	values := maps.Clone(known)
	if values == nil {
		values = map[string]string{}
	}
	if !solve(t.text, text, values) {
		return nil, false
	}
	return values, true
}

// solve adds values until template expands to text, or leaves values as they were.
func solve(template, text string, values map[string]string) bool {
	literal, rest, found := strings.Cut(template, "{{")
	text, ok := strings.CutPrefix(text, literal)
	if !ok || !found {
		return ok && text == ""
	}
	name, rest, _ := strings.Cut(rest, "}}")
	if value, bound := values[name]; bound {
		text, ok = strings.CutPrefix(text, value)
		return ok && solve(rest, text, values)
	}
	shortest, longest := lengthOf(name)
	for n := 1; n <= min(longest, len(text)) && isPossible(name, text[n-1]); n++ {
		if n < shortest {
			continue
		}
		values[name] = text[:n]
		if agree(values) && solve(rest, text[n:], values) {
			return true
		}
		delete(values, name)
	}
	return false
}

// agree reports whether the two forms of the session name can be those of one session.
func agree(values map[string]string) bool {
	name, hasName := values["SessionName"]
	raw, hasRaw := values["SessionNameRaw"]
	return !hasName || !hasRaw || strings.ReplaceAll(raw, "@", "-") == name
}

// lengthOf returns the lengths that the value of a placeholder can have in AWS.
func lengthOf(name string) (shortest, longest int) {
	switch p, _ := placeholderOf(name); p {
	case accountID:
		return 12, 12
	case accessKeyID:
		return 16, 128
	case sessionName, sessionNameRaw:
		return 2, 64
	default:
		return 1, 253
	}
}

// isPossible reports whether the value of a placeholder can have a character.
func isPossible(name string, c byte) bool {
	digit := '0' <= c && c <= '9'
	letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
	switch p, _ := placeholderOf(name); p {
	case accountID:
		return digit
	case accessKeyID:
		return digit || letter || c == '_'
	case sessionName:
		return digit || letter || strings.IndexByte("_+=,.-", c) >= 0
	case sessionNameRaw:
		return digit || letter || strings.IndexByte("_+=,.-@", c) >= 0
	default:
		return digit || letter || c == '.' || c == '-'
	}
}
