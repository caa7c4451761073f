package awsauth

import (
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// CountValues is the bound that the parser's memory depends on.
func CountValues(text string) int { return countValues(text) }

// Nodes is how many nodes the parser makes of a text.
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

// Steps is how many values a reading looked at.
func Steps(r *Result) int { return r.steps }
