// Package encode writes values as JSON and YAML of characters that a terminal shows.
// Control characters, and those that change the direction of text, are escaped: what a
// person sees is what a program reads.
package encode

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf16"
)

// JSON returns a value as indented JSON that ends in a newline.
func JSON(value any) ([]byte, error) {
	text, err := JSONLine(value)
	if err != nil {
		return nil, err
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, text, "", "  "); err != nil {
		return nil, err
	}
	return indented.Bytes(), nil
}

// JSONLine returns a value as one line of JSON that ends in a newline.
func JSONLine(value any) ([]byte, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return append(escaped(text, func(r rune) string {
		if high, low := utf16.EncodeRune(r); high != unicode.ReplacementChar {
			return fmt.Sprintf(`\u%04x\u%04x`, high, low)
		}
		return fmt.Sprintf(`\u%04x`, r)
	}), '\n'), nil
}

// escaped escapes the hidden characters of a text.
func escaped(text []byte, escape func(rune) string) []byte {
	if !isHiding(string(text)) {
		return text
	}
	var b bytes.Buffer
	for _, r := range string(text) {
		if isHidden(r) {
			b.WriteString(escape(r))
		} else {
			b.WriteRune(r)
		}
	}
	return b.Bytes()
}

func isHiding(text string) bool { return strings.ContainsFunc(text, isHidden) }

// isHidden reports whether a terminal may not show a character.
func isHidden(r rune) bool { return !unicode.IsPrint(r) && r != '\n' && r != '\t' }
