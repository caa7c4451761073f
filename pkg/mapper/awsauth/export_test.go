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
