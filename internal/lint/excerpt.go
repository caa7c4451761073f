package lint

import (
	"regexp"
	"strings"
	"sync"
	"unicode"

	"golang.org/x/text/width"

	"github.com/kube-iam/authenticator/pkg/mapper"
)

// An excerpt is a line of a text, and the line below it that points at a place. Both are
// safe to print on a terminal. The zero value is none.
type excerpt struct{ line, caret string }

// maxExcerpt is the number of characters of an excerpt.
const maxExcerpt = 120

// secret matches a line of a kubeconfig that may contain a credential.
var secret = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?i)secret|password|session_?token|key-data|token["']?\s*:|value["']?\s*:|A[KS]IA[A-Z0-9]{8}`)
})

// excerpt returns the line of a problem, or none if the problem has no line.
func (r *Report) excerpt(p mapper.Problem) excerpt {
	line, ok := lineOf(r.text(p), p.Line)
	if !ok || r.Kind == Kubeconfig && secret().MatchString(line) {
		return excerpt{}
	}
	chars := []rune(line)
	at := min(max(p.Column-1, 0), len(chars))
	if p.Column == 0 {
		at = len(chars) - len([]rune(strings.TrimLeft(line, " \t")))
	}
	// Of a long line, show the part around the place.
	from := 0
	if at > maxExcerpt*3/4 {
		from = at - maxExcerpt/2
	}
	to := min(from+maxExcerpt, len(chars))
	var shown, caret strings.Builder
	if from > 0 {
		shown.WriteString("…")
		caret.WriteString(" ")
	}
	for i, c := range chars[from:to] {
		shown.WriteRune(visible(c))
		if i < at-from {
			caret.WriteString(blank(visible(c)))
		}
	}
	if to < len(chars) {
		shown.WriteString("…")
	}
	return excerpt{shown.String(), caret.String() + "^"}
}

// visible returns a character that a terminal can print: text from elsewhere must not
// control it.
func visible(c rune) rune {
	if c == '\t' || unicode.IsPrint(c) {
		return c
	}
	return unicode.ReplacementChar
}

// blank returns the white space that is as wide on a terminal as a character.
func blank(c rune) string {
	switch {
	case c == '\t':
		return "\t"
	case unicode.In(c, unicode.Mn, unicode.Me): // combines with the character before it
		return ""
	}
	switch width.LookupRune(c).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return "  "
	}
	return " "
}

// lineOf returns a line of a text, counted from 1.
func lineOf(text string, number int) (string, bool) {
	n := 0
	for line := range strings.Lines(text) {
		if n++; n == number {
			return strings.TrimRight(line, "\r\n"), true
		}
	}
	return "", false
}
