package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const testPhrases = `
# a comment
red fish, blue * fish => cod
big red fish => -
`

func TestFindings(t *testing.T) {
	t.Parallel()
	rules, err := parsePhrases(testPhrases)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		file, content string
		want          []string // line: phrase
	}{
		"document":             {"a.md", "one\nRed fish.", []string{"2: red fish"}},
		"across a line":        {"a.md", "the red\nfish", []string{"1: red fish"}},
		"across a quoted line": {"a.md", "> the red\n> fish", []string{"1: red fish"}},
		"any word":             {"a.md", "blue old fish", []string{"1: blue * fish"}},
		"too many words":       {"a.md", "blue very old fish", nil},
		"longer words":         {"a.md", "red fishes, bored fish", nil},
		"punctuation between":  {"a.md", "red, fish; red (fish)", nil},
		"punctuation around":   {"a.md", "(red fish)", []string{"1: red fish"}},
		"passed":               {"a.md", "a big red fish", nil},
		"passed and found":     {"a.md", "a big red fish, a red fish", []string{"1: red fish"}},
		"script":               {"a.sh", "# red fish\n", []string{"1: red fish"}},
		"make":                 {"x/Makefile", "fish: # red\n# fish\n", []string{"1: red fish"}},
		"comment":              {"a.go", "package a\n\n// A red\n// fish.\ntype A int\n", []string{"3: red fish"}},
		"string":               {"a.go", "package a\n\nconst A = \"red fish\"\n", []string{"3: red fish"}},
		"raw string":           {"a.go", "package a\n\nconst A = `\nred fish`\n", []string{"4: red fish"}},
		"escapes in a string":  {"a.go", `package a; const A = "red\nfish\nred fish"`, []string{"1: red fish"}},
		"code":                 {"a.go", "package a\n\nvar red, fish int\n\nvar _ = red - fish\n", nil},
		"not a text":           {"a.json", "red fish", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			if extract := extractorFor(test.file); extract != nil {
				spans, err := extract(test.file, test.content)
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range check(test.content, spans, rules) {
					got = append(got, fmt.Sprintf("%d: %s", f.line, f.phrase))
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("found %q, want %q", got, test.want)
			}
		})
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for name, content := range map[string]string{
		".gitignore":   "ignored.md\n",
		"found.md":     "A red fish.\n",
		"ignored.md":   "A red fish.\n",
		"file.md":      "A red fish, a blue old fish.\n",
		"dir/a/any.md": "A red fish, a blue old fish.\n",
		"dir.md":       "A red fish.\n",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("found.md", filepath.Join(root, "link.md")); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("git", "-C", root, "init", "-q").CombinedOutput(); err != nil {
		t.Fatalf("git init: %v: %s", err, out)
	}
	got, err := run(root, testPhrases, "# a comment\n"+
		"file.md | red fish | the fish is red\n"+
		"dir/ | * | all of it\n"+
		"gone.md | red fish | stale\n"+
		"found.md | blue * fish | stale, too\n")
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`dir.md:1: "red fish" → say cod`,
		`file.md:1: "blue * fish" → say cod`,
		`found.md:1: "red fish" → say cod`,
		`hack/lint/words/exceptions.txt:4: nothing in gone.md needs this exception: delete it`,
		`hack/lint/words/exceptions.txt:5: nothing in found.md needs this exception: delete it`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestMalformedData(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ phrases, exceptions, want string }{
		"no say":       {"red fish", "", "reading words.txt: line 1: expected: phrase, phrase => what to say"},
		"empty phrase": {"red,, fish => cod", "", "reading words.txt: line 1: a phrase must begin with a word"},
		"any first":    {"* fish => cod", "", "reading words.txt: line 1: a phrase must begin with a word"},
		"no reason":    {"", "\na.md | red fish |", "reading exceptions.txt: line 2: expected: path | phrase | reason"},
	} {
		if _, err := run(t.TempDir(), test.phrases, test.exceptions); err == nil || err.Error() != test.want {
			t.Errorf("%s: error %v, want %s", name, err, test.want)
		}
	}
}

func TestDataIsWellFormed(t *testing.T) {
	t.Parallel()
	if _, err := parsePhrases(wordsFile); err != nil {
		t.Errorf("words.txt: %v", err)
	}
	if _, err := parseExceptions(exceptionsFile); err != nil {
		t.Errorf("exceptions.txt: %v", err)
	}
}
