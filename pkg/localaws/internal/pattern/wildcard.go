package pattern

import (
	"strings"
	"unicode/utf8"
)

// A Wildcard matches texts with the wildcards * (any run of characters) and ? (any one).
type Wildcard struct {
	// Escape precedes a character that is literal. At the end of a pattern it is itself.
	Escape byte
	// FoldCase ignores the case of ASCII letters; the pattern must be one of [Lower].
	FoldCase bool
}

// Lower returns a text with its ASCII letters in lower case. Others stay: the lower case of
// the Kelvin sign is the letter k.
func Lower(text string) string { return strings.Map(lower, text) }

func lower(r rune) rune {
	if 'A' <= r && r <= 'Z' {
		r += 'a' - 'A'
	}
	return r
}

// Match reports whether a pattern matches a value. It takes linear space and does not
// recurse, because patterns come from users.
func (w Wildcard) Match(pattern, value string) bool {
	p, v := 0, 0
	star, mark := -1, 0
	// Going back to the last star takes quadratic time for a few patterns.
	steps := 64 * (len(pattern) + len(value))
	for v < len(value) {
		if steps--; steps == 0 {
			return w.matchAll(pattern, value)
		}
		c := w.fold(rune(value[v]))
		escaped := p+1 < len(pattern) && pattern[p] == w.Escape
		switch {
		case escaped && rune(pattern[p+1]) == c:
			p, v = p+2, v+1
		case !escaped && p < len(pattern) && pattern[p] == '*':
			star, mark = p, v
			p++
		case !escaped && p < len(pattern) && pattern[p] == '?':
			p, v = p+1, v+width(value[v:])
		case !escaped && p < len(pattern) && rune(pattern[p]) == c:
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

// matchAll matches like Match, in O(len(value) × len(pattern)/64) steps: it is a
// bit-parallel automaton. Bit i of a set is set where i tokens of the pattern have
// matched, which are characters and question marks.
func (w Wildcard) matchAll(pattern, value string) bool {
	size := len(pattern)/64 + 1
	tokens, stars, anyOne := 0, make([]uint64, size), make([]uint64, size)
	literals := map[rune][]uint64{}
	for rest := pattern; rest != ""; {
		r, n := utf8.DecodeRuneInString(rest)
		literal := r == rune(w.Escape) && n < len(rest)
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
		these, carry := literals[w.fold(r)], uint64(0)
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

// fold returns a character in lower case, if it is a letter of ASCII and case is ignored.
func (w Wildcard) fold(r rune) rune {
	if w.FoldCase {
		return lower(r)
	}
	return r
}

// width returns the width of the first character of a text.
func width(text string) int {
	_, n := utf8.DecodeRuneInString(text)
	return n
}
