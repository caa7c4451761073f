// Package pattern matches texts: with wildcards, and with regular expressions that are
// compiled when they are first used, because most runs use few of a local AWS's, and
// compiling all of them takes longer than the rest of a start.
package pattern

import (
	"regexp"
	"sync"
)

// Pattern is a regular expression. The zero Pattern matches every text.
type Pattern struct {
	expression string
	compiled   func() *regexp.Regexp
}

// New returns a pattern, which must be valid.
func New(expression string) Pattern {
	return Pattern{expression, sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })}
}

// MatchString reports whether a text contains a match.
func (p Pattern) MatchString(text string) bool {
	return p.compiled == nil || p.compiled().MatchString(text)
}

// String returns the expression.
func (p Pattern) String() string { return p.expression }

// FindStringSubmatch returns the first match and its groups; nil if there is none.
func (p Pattern) FindStringSubmatch(text string) []string {
	return p.compiled().FindStringSubmatch(text)
}

// ReplaceAllString replaces all matches by a replacement, which may refer to groups.
func (p Pattern) ReplaceAllString(text, replacement string) string {
	return p.compiled().ReplaceAllString(text, replacement)
}
