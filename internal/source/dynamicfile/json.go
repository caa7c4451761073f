package dynamicfile

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// asYAML returns valid JSON so that YAML reads the same texts in it. Our YAML knows
// neither \/ nor escapes of UTF-16 surrogates, which other languages write, and does not
// take every character as it is. Each line stays where it is.
func asYAML(text []byte) []byte {
	if !bytes.ContainsRune(text, '\\') && !bytes.ContainsFunc(text, isOtherInYAML) {
		return text
	}
	out := make([]byte, 0, len(text))
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch unit := escaped(text); {
		case utf16.IsSurrogate(unit):
			size = len(`\ud800`)
			if r = utf16.DecodeRune(unit, escaped(text[size:])); r != utf8.RuneError {
				size *= 2
			}
			out = utf8.AppendRune(out, r)
		case bytes.HasPrefix(text, []byte(`\/`)):
			size = len(`\/`)
			out = append(out, '/')
		case r == '\\':
			size = len(`\\`)
			out = append(out, text[:size]...)
		case r == utf8.RuneError:
			out = utf8.AppendRune(out, r)
		case isOtherInYAML(r):
			out = fmt.Appendf(out, `\u%04x`, r)
		default:
			out = append(out, text[:size]...)
		}
		text = text[size:]
	}
	return out
}

// escaped returns the code unit of the escape with which a text starts; 0 if it starts
// with none.
func escaped(text []byte) rune {
	if len(text) < len(`\ud800`) || text[0] != '\\' || text[1] != 'u' {
		return 0
	}
	unit, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return 0
	}
	return rune(unit)
}

// isOtherInYAML reports whether YAML refuses a character, or takes it for the end of a
// line.
func isOtherInYAML(r rune) bool {
	switch {
	case r == '\t', r == '\n', r == '\r', r >= 0x10000:
		return false
	case r == '\u2028', r == '\u2029', r == '\ufeff', r >= utf8.RuneError:
		return true
	}
	return r < ' ' || r >= 0x7f && r < 0xa0
}
