package main

import (
	"fmt"
	"iter"
	"slices"
	"strings"
)

// A phrase is a run of words, "*" matching any one.
type phrase struct {
	words []string
	say   string
}

// pass is what to say instead of a phrase that is fine.
const pass = "-"

// phrases are keyed by their first word, the longest first.
type phrases map[string][]phrase

// parsePhrases reads lines of "phrase, phrase => what to say".
func parsePhrases(text string) (phrases, error) {
	all := phrases{}
	for number, line := range lines(text) {
		left, say, ok := strings.Cut(line, "=>")
		if !ok {
			return nil, fmt.Errorf("line %d: expected: phrase, phrase => what to say", number)
		}
		for one := range strings.SplitSeq(left, ",") {
			words := strings.Fields(strings.ToLower(one))
			if len(words) == 0 || words[0] == "*" {
				return nil, fmt.Errorf("line %d: a phrase must begin with a word", number)
			}
			all[words[0]] = append(all[words[0]], phrase{words, strings.TrimSpace(say)})
		}
	}
	for _, same := range all {
		slices.SortStableFunc(same, func(a, b phrase) int { return len(b.words) - len(a.words) })
	}
	return all, nil
}

// match returns the longest phrase that the tokens begin with, or nil.
func (p phrases) match(tokens []token) *phrase {
	for _, candidate := range p[tokens[0].word] {
		if len(tokens) >= len(candidate.words) && slices.EqualFunc(candidate.words[1:], tokens[1:len(candidate.words)], func(word string, t token) bool {
			return t.joined && (word == "*" || word == t.word)
		}) {
			return &candidate
		}
	}
	return nil
}

// An exception lets a phrase, or with "*" all phrases, stay in a file, or under a
// directory if the path ends in a slash.
type exception struct {
	path, phrase string
	line         int
	used         bool
}

type exceptions []exception

// parseExceptions reads lines of "path | phrase | reason".
func parseExceptions(text string) (exceptions, error) {
	var all exceptions
	for number, line := range lines(text) {
		fields := strings.SplitN(line, "|", 3)
		for i := range fields {
			fields[i] = strings.TrimSpace(fields[i])
		}
		if len(fields) != 3 || slices.Contains(fields, "") {
			return nil, fmt.Errorf("line %d: expected: path | phrase | reason", number)
		}
		all = append(all, exception{path: fields[0], phrase: strings.ToLower(fields[1]), line: number})
	}
	return all, nil
}

// allow reports whether an exception covers the phrase in the file, and marks it
// used.
func (all exceptions) allow(name, phrase string) bool {
	for i, e := range all {
		inPath := name == e.path || strings.HasSuffix(e.path, "/") && strings.HasPrefix(name, e.path)
		if inPath && (e.phrase == "*" || e.phrase == phrase) {
			all[i].used = true
			return true
		}
	}
	return false
}

// lines iterates over the lines that are neither empty nor comments, by number.
func lines(text string) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		number := 0
		for line := range strings.Lines(text) {
			number++
			line = strings.TrimSpace(line)
			if line != "" && !strings.HasPrefix(line, "#") && !yield(number, line) {
				return
			}
		}
	}
}
