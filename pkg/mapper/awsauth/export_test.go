package awsauth

import (
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// CountValues returns the bound on the values that the parser may create.
func CountValues(text string) int { return countValues(text) }

// Nodes returns the number of nodes that the parser creates for a text.
func Nodes(text string) int {
	count := 0
	var walk func(*yaml.Node)
	walk = func(node *yaml.Node) {
		count++
		for _, child := range node.Content {
			walk(child)
		}
	}
	var document yaml.Node
	decoder := yaml.NewDecoder(io.LimitReader(strings.NewReader(text), 1<<20))
	if decoder.Decode(&document) == nil {
		walk(&document)
	}
	return count
}

// Steps returns the number of values that a reading looked at.
func Steps(r *Result) int { return r.steps }

// Edited returns the nodes of a text after an edit of another: those of a parsing of the
// changed items, nil if the text must be parsed as a whole, and those of such a parsing.
func Edited(before, after string) (edited, whole *yaml.Node) {
	parse := func(text string) *reading {
		r := newReading(nil, Options{})
		_, _, _ = r.document(mapUsers, text)
		return r
	}
	if e := parse(before).parsed[mapUsers].edited(after); e != nil {
		edited = e.root
	}
	if w := parse(after).parsed[mapUsers]; w != nil {
		whole = w.root
	}
	return edited, whole
}
