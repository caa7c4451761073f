package main

import (
	"go/ast"
	"go/parser"
	gotoken "go/token"
	"path"
	"strings"
	"unicode"
)

// A span is a part of a file that people read, by byte offsets.
type span struct{ start, end int }

// An extractor returns the spans of a file.
type extractor func(name, content string) ([]span, error)

// extractorFor returns nil for files that are not checked.
func extractorFor(name string) extractor {
	switch path.Ext(name) {
	case ".go":
		return goSpans
	case ".md", ".yaml", ".yml", ".sh", ".txtar", ".tpl", ".service":
		return wholeFile
	}
	switch path.Base(name) {
	case "Makefile", "NOTES.txt":
		return wholeFile
	}
	return nil
}

func wholeFile(_, content string) ([]span, error) {
	return []span{{0, len(content)}}, nil
}

// goSpans returns the comments and the string literals of a Go file.
func goSpans(name, content string) ([]span, error) {
	files := gotoken.NewFileSet()
	file, err := parser.ParseFile(files, name, content, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var spans []span
	add := func(node ast.Node) {
		spans = append(spans, span{files.Position(node.Pos()).Offset, files.Position(node.End()).Offset})
	}
	for _, group := range file.Comments {
		add(group)
	}
	ast.Inspect(file, func(node ast.Node) bool {
		if literal, ok := node.(*ast.BasicLit); ok && literal.Kind == gotoken.STRING {
			add(literal)
		}
		return true
	})
	return spans, nil
}

// A token is a word in lower case, and where it begins.
type token struct {
	word   string
	offset int
	joined bool // only white space and comment markers stand before it
}

// tokenize splits text into words. Punctuation between two words keeps a phrase
// from spanning both.
func tokenize(text string) []token {
	// Of the same length, so that offsets stay right.
	text = strings.NewReplacer(`\n`, " .", `\t`, " .").Replace(text)
	var tokens []token
	joined := false
	for offset := 0; offset < len(text); {
		field := text[offset:]
		if space := len(field) - len(strings.TrimLeftFunc(field, unicode.IsSpace)); space > 0 {
			offset += space
			continue
		}
		if end := strings.IndexFunc(field, unicode.IsSpace); end >= 0 {
			field = field[:end]
		}
		opened := strings.TrimLeftFunc(field, punctuation)
		word := strings.TrimRightFunc(opened, punctuation)
		switch {
		case word != "":
			before := len(field) - len(opened)
			tokens = append(tokens, token{strings.ToLower(word), offset + before, joined && before == 0})
			joined = len(word) == len(opened)
		case field != "//" && field != "#" && field != ">":
			joined = false
		}
		offset += len(field)
	}
	return tokens
}

func punctuation(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r)
}
