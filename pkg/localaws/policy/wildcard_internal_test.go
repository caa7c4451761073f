package policy

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzMatchAll compares the two ways to match wildcards.
func FuzzMatchAll(f *testing.F) {
	f.Add("*", "", false)
	f.Add("a*b?c", "axxbyc", false)
	f.Add("\x00*?*", "*é", false)
	f.Add("get*s", "GetUsers", true)
	f.Add(strings.Repeat("*a", 40)+"?", strings.Repeat("a", 70), false)
	f.Add(strings.Repeat("?", 64), strings.Repeat("a", 64), false)
	f.Fuzz(func(t *testing.T, pattern, value string, foldCase bool) {
		if !utf8.ValidString(pattern) || !utf8.ValidString(value) || strings.HasSuffix(strings.ReplaceAll(pattern, "\x00\x00", ""), "\x00") {
			t.Skip("not a text, or an escape of nothing")
		}
		if got, want := matchAll(pattern, value, foldCase), wildcard(pattern, value, foldCase); got != want {
			t.Errorf("%q matches %q: %v, want %v", value, pattern, got, want)
		}
	})
}
