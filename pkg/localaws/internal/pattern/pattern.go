// Package pattern compiles regular expressions when they are first used: most runs use
// few of a local AWS's, and compiling all of them takes longer than the rest of a start.
package pattern

import (
	"regexp"
	"sync"
)

// Pattern is a regular expression.
type Pattern struct{ compiled func() *regexp.Regexp }

// New returns a pattern, which must be valid.
func New(expression string) Pattern {
	return Pattern{sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })}
}

// MatchString reports whether a text contains a match.
func (p Pattern) MatchString(text string) bool { return p.compiled().MatchString(text) }

// FindStringSubmatch returns the first match and its groups; nil if there is none.
func (p Pattern) FindStringSubmatch(text string) []string {
	return p.compiled().FindStringSubmatch(text)
}

// ReplaceAllString replaces all matches by a replacement, which may refer to groups.
func (p Pattern) ReplaceAllString(text, replacement string) string {
	return p.compiled().ReplaceAllString(text, replacement)
}
