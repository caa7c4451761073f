package policy

import (
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
)

// A text of a policy, which may contain policy variables such as ${aws:username}.
type text struct {
	literal   string // up to the first variable
	variables []variable
}

// A variable and the literal text after it.
type variable struct {
	name, key  string // as written, and in lower case
	fallback   string
	hasDefault bool
	literal    string
}

// escape precedes characters that are literal though they would be wildcards.
const escape = '\x00'

// escaped escapes a text for use in a pattern.
func escaped(value string) string {
	if !strings.ContainsAny(value, "*?\x00") {
		return value
	}
	return strings.NewReplacer("*", "\x00*", "?", "\x00?", "\x00", "\x00\x00").Replace(value)
}

func verbatim(value string) string { return value }

// text parses a text of the policy, like parseText.
func (p *parser) text(written string, quote func(string) string) (text, bool) {
	if !p.variables {
		return text{literal: written}, true
	}
	return parseText(written, quote)
}

// parseText parses the variables in a text; quote escapes a literal wildcard. It
// reports whether the text is well-formed.
func parseText(written string, quote func(string) string) (text, bool) {
	var t text
	literal := &t.literal
	for {
		before, after, found := strings.Cut(written, "${")
		*literal += before
		if !found {
			return t, true
		}
		inside, rest, closed := strings.Cut(after, "}")
		switch {
		case !closed:
			return text{}, false
		case inside == "*" || inside == "?" || inside == "$":
			*literal += quote(inside)
		default:
			v, ok := parseVariable(inside)
			if !ok {
				return text{}, false
			}
			t.variables = append(t.variables, v)
			literal = &t.variables[len(t.variables)-1].literal
		}
		written = rest
	}
}

// The contents of the braces: a key, and optionally a default.
var variablePattern = pattern.New(`^([^ ,'${]+)(, '([^']*)')?$`)

func parseVariable(inside string) (variable, bool) {
	parts := variablePattern.FindStringSubmatch(inside)
	if parts == nil {
		return variable{}, false
	}
	return variable{name: parts[1], key: strings.ToLower(parts[1]), hasDefault: parts[2] != "", fallback: parts[3]}, true
}

// expand substitutes the variables in the text, quoted. If a variable without a
// default has a key with no value or several, there is no text, and nothing matches
// it.
func (t text) expand(context map[string][]string, quote func(string) string) (string, bool) {
	if len(t.variables) == 0 {
		return t.literal, true
	}
	var b strings.Builder
	b.WriteString(t.literal)
	for _, v := range t.variables {
		switch values := context[v.key]; {
		case len(values) == 1:
			b.WriteString(quote(values[0]))
		case v.hasDefault:
			b.WriteString(quote(v.fallback))
		default:
			return "", false
		}
		b.WriteString(v.literal)
	}
	return b.String(), true
}

// names calls found with the name of each variable.
func (t text) names(found func(name string)) {
	for _, v := range t.variables {
		found(v.name)
	}
}

// wildcard matches the wildcards in a pattern. With foldCase the pattern is in lower case
// and the value in any.
func wildcard(want, value string, foldCase bool) bool {
	return pattern.Wildcard{Escape: escape, FoldCase: foldCase}.Match(want, value)
}
