package awsauth

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// findCharacter returns the first character of a text that YAML does not allow; nil if
// there is none. The parser reports it without its place.
func findCharacter(t text) *fault {
	number := 0
	for line := range strings.Lines(t.content) {
		number++
		for i, c := range line {
			switch _, size := utf8.DecodeRuneInString(line[i:]); {
			case c == utf8.RuneError && size == 1:
				return faultAt(number, i+1, fmt.Sprintf("the byte 0x%02X is not UTF-8", line[i]), "save the file as UTF-8")
			case !isYAML(c):
				return faultAt(number, i+1, fmt.Sprintf("the control character %U is not allowed", c), "remove it; an editor may not show it")
			}
		}
	}
	return nil
}

// isYAML reports whether YAML allows a character.
func isYAML(c rune) bool {
	switch {
	case c == '\t', c == '\n', c == '\r', c == 0x85:
		return true
	case c < ' ', 0x7f <= c && c < 0xa0, c == 0xfffe, c == 0xffff:
		return false
	default:
		return true
	}
}
