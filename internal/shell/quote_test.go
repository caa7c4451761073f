package shell

import (
	"os/exec"
	"strings"
	"testing"
	"unicode"
)

func TestQuote(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Log("bash is not installed: what it reads is not checked")
	}
	for word, want := range map[string]string{
		"":                            "''",
		"arn:aws:iam::1:user/b+@=,.-": "arn:aws:iam::1:user/b+@=,.-",
		"it's {{SessionName}}":        `'it'\''s {{SessionName}}'`,
		"$(x) `y` \\ \"":              "'$(x) `y` \\ \"'",
		"日本":                          "'日本'",
		"a\x1b[2Jb":                   `$'a\033[2Jb'`,
		"1\n2'\\":                     `$'1\0122\'\\'`,
		"\u202eevil 日":                `$'\342\200\256evil 日'`,
		"\xff\ufffd\t7":               `$'\377` + "\ufffd" + `\0117'`,
	} {
		got := Quote(word)
		if got != want || strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("Quote(%q) = %q, want %q", word, got, want)
		}
		if bash == "" {
			continue
		}
		if read, err := exec.Command(bash, "-c", "printf %s "+got).Output(); err != nil || string(read) != word {
			t.Errorf("bash reads %q as %q, %v", got, read, err)
		}
	}
}
