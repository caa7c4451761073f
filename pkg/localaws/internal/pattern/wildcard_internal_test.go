package pattern

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestWildcard(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pattern, yes, no string
	}{
		{"", "", "a"},
		{"*", "", "-"},
		{"a*c", "abbc", "abbcd"},
		{"a?c", "aéc", "ac"},
		{`a\*c`, "a*c", "abc"},
		{`a\?c`, "a?c", "abc"},
		{`a\\c`, `a\c`, `a\\c`},
		{`a\bc`, "abc", `a\bc`},
		{`a\\*`, `a\bc`, "abc"},
		{`a\`, `a\`, "a"},
		{`*\`, `a\`, "a"},
		{`\é`, "é", "e"},
	} {
		for _, match := range []func(pattern, value string) bool{Wildcard{Escape: '\\'}.Match, Wildcard{Escape: '\\'}.matchAll} {
			if !match(test.pattern, test.yes) || match(test.pattern, test.no) && test.no != "-" {
				t.Errorf("%q must match %q, and not %q", test.pattern, test.yes, test.no)
			}
		}
	}
	fold := Wildcard{FoldCase: true}
	if !fold.Match("k*", "KEY") || fold.Match("k", "\u212a") || fold.Match("\u212a", "k") {
		t.Error("only letters of ASCII have no case")
	}
}

// FuzzMatchAll compares the two ways to match wildcards.
func FuzzMatchAll(f *testing.F) {
	f.Add("*", "", false)
	f.Add("a*b?c", "axxbyc", false)
	f.Add("\x00*?*", "*é", false)
	f.Add("*\x00", "a\x00", false)
	f.Add("get*s", "GetUsers", true)
	f.Add(strings.Repeat("*a", 40)+"?", strings.Repeat("a", 70), false)
	f.Add(strings.Repeat("?", 64), strings.Repeat("a", 64), false)
	f.Fuzz(func(t *testing.T, pattern, value string, foldCase bool) {
		if !utf8.ValidString(pattern) || !utf8.ValidString(value) {
			t.Skip("not a text")
		}
		w := Wildcard{FoldCase: foldCase}
		if got, want := w.matchAll(pattern, value), w.Match(pattern, value); got != want {
			t.Errorf("%q matches %q: %v, want %v", value, pattern, got, want)
		}
	})
}
