// Command words fails if a repository's comments, strings or documents contain
// phrases of words.txt, and prints what to say instead.
package main

import (
	"cmp"
	_ "embed"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed words.txt
var wordsFile string

//go:embed exceptions.txt
var exceptionsFile string

func main() {
	root := flag.String("root", ".", "root `directory` of the repository")
	flag.Parse()
	findings, err := run(*root, wordsFile, exceptionsFile)
	if err != nil {
		fmt.Fprintf(os.Stderr, "words: %v\n", err)
		os.Exit(2)
	}
	for _, f := range findings {
		fmt.Println(f)
	}
	if len(findings) > 0 {
		fmt.Fprintln(os.Stderr, "words: say it as above, or name an exception and its reason in hack/lint/words/exceptions.txt")
		os.Exit(1)
	}
}

// run checks the repository's files, tracked and new, but not ignored ones.
func run(root, phraseText, exceptionText string) ([]string, error) {
	phrases, err := parsePhrases(phraseText)
	if err != nil {
		return nil, fmt.Errorf("reading words.txt: %w", err)
	}
	exceptions, err := parseExceptions(exceptionText)
	if err != nil {
		return nil, fmt.Errorf("reading exceptions.txt: %w", err)
	}
	list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = root
	files, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("listing the files of %s: %w", root, err)
	}
	var findings []string
	for name := range strings.SplitSeq(strings.TrimSuffix(string(files), "\x00"), "\x00") {
		extract := extractorFor(name)
		if extract == nil {
			continue
		}
		path := filepath.Join(root, name)
		if info, err := os.Lstat(path); os.IsNotExist(err) || err == nil && !info.Mode().IsRegular() {
			continue // deleted but not yet committed, or a link to another file
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		spans, err := extract(name, string(content))
		if err != nil {
			return nil, err
		}
		for _, found := range check(string(content), spans, phrases) {
			if !exceptions.allow(name, found.phrase) {
				findings = append(findings, fmt.Sprintf("%s:%d: %q → say %s", name, found.line, found.phrase, found.say))
			}
		}
	}
	for _, e := range exceptions {
		if !e.used {
			findings = append(findings, fmt.Sprintf("hack/lint/words/exceptions.txt:%d: nothing in %s needs this exception: delete it", e.line, e.path))
		}
	}
	return findings, nil
}

// A finding is a phrase in a file.
type finding struct {
	line        int
	phrase, say string
}

// check returns the phrases in the spans of a file, in the order of their lines.
func check(content string, spans []span, phrases phrases) []finding {
	var findings []finding
	for _, s := range spans {
		tokens := tokenize(content[s.start:s.end])
		for len(tokens) > 0 {
			p := phrases.match(tokens)
			if p == nil {
				tokens = tokens[1:]
				continue
			}
			if p.say != pass {
				findings = append(findings, finding{
					line:   1 + strings.Count(content[:s.start+tokens[0].offset], "\n"),
					phrase: strings.Join(p.words, " "),
					say:    p.say,
				})
			}
			tokens = tokens[len(p.words):]
		}
	}
	slices.SortStableFunc(findings, func(a, b finding) int { return cmp.Compare(a.line, b.line) })
	return findings
}
