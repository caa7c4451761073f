package policy

import (
	"strings"
	"unicode/utf8"

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

// wildcard matches * (any run of characters) and ? (any one), in linear space and
// without recursion, because policies come from users. With foldCase the pattern is
// in lower case and the value in any.
func wildcard(pattern, value string, foldCase bool) bool {
	p, v := 0, 0
	star, mark := -1, 0
	// Going back to the last star takes quadratic time for a few patterns.
	steps := 64 * (len(pattern) + len(value))
	for v < len(value) {
		if steps--; steps == 0 {
			return matchAll(pattern, value, foldCase)
		}
		c := fold(rune(value[v]), foldCase)
		switch {
		case p+1 < len(pattern) && pattern[p] == escape && rune(pattern[p+1]) == c:
			p, v = p+2, v+1
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, v
			p++
		case p < len(pattern) && pattern[p] == '?':
			p, v = p+1, v+width(value[v:])
		case p < len(pattern) && pattern[p] != escape && rune(pattern[p]) == c:
			p, v = p+1, v+1
		case star >= 0:
			mark += width(value[mark:])
			p, v = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// matchAll is wildcard in steps of at most the value's length times a 64th of the
// pattern's. It follows all ways to match at once: bit i of a set is set where i tokens of the
// pattern have matched, which are characters and question marks.
func matchAll(pattern, value string, foldCase bool) bool {
	size := len(pattern)/64 + 1
	tokens, stars, anyOne := 0, make([]uint64, size), make([]uint64, size)
	literals := map[rune][]uint64{}
	for rest := pattern; rest != ""; {
		r, n := utf8.DecodeRuneInString(rest)
		literal := r == escape && n < len(rest)
		if literal {
			escaped, m := utf8.DecodeRuneInString(rest[n:])
			r, n = escaped, n+m
		}
		rest = rest[n:]
		bit, word := uint64(1)<<(tokens%64), tokens/64
		switch {
		case r == '*' && !literal:
			stars[word] |= bit
			continue
		case r == '?' && !literal:
			anyOne[word] |= bit
		case literals[r] == nil:
			literals[r] = make([]uint64, size)
			fallthrough
		default:
			literals[r][word] |= bit
		}
		tokens++
	}
	if tokens > len(value) {
		return false
	}
	matched := make([]uint64, size)
	matched[0] = 1
	for _, r := range value {
		these, carry := literals[fold(r, foldCase)], uint64(0)
		for i, before := range matched {
			step := before & anyOne[i]
			if these != nil {
				step |= before & these[i]
			}
			matched[i] = step<<1 | carry | before&stars[i]
			carry = step >> 63
		}
	}
	return matched[tokens/64]>>(tokens%64)&1 == 1
}

// fold returns a character in lower case, if it is a letter of ASCII.
func fold(r rune, foldCase bool) rune {
	if foldCase && 'A' <= r && r <= 'Z' {
		r += 'a' - 'A'
	}
	return r
}

// width returns the width of the first character of a text.
func width(text string) int {
	_, n := utf8.DecodeRuneInString(text)
	return n
}
