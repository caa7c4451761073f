package awsauth

import (
	"fmt"
	"iter"
	"strings"

	"go.yaml.in/yaml/v3"
)

// pairs returns the keys and values of a mapping; none of other nodes.
func pairs(node *yaml.Node) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(key, value *yaml.Node) bool) {
		if node == nil || node.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(node.Content); i += 2 {
			if !yield(resolve(node.Content[i]), node.Content[i+1]) {
				return
			}
		}
	}
}

// value returns the value of a mapping's key; nil if the key is missing.
func value(node *yaml.Node, name string) *yaml.Node {
	for key, value := range pairs(node) {
		if key.Value == name {
			return resolve(value)
		}
	}
	return nil
}

// keyOf returns a key of a mapping; nil if it is missing.
func keyOf(node *yaml.Node, name string) *yaml.Node {
	for key := range pairs(node) {
		if key.Value == name {
			return key
		}
	}
	return nil
}

// resolve returns the anchor of a YAML alias, and any other node unchanged.
func resolve(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

func isText(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!str" }

// isNone reports whether a field is absent or null.
func isNone(node *yaml.Node) bool {
	return node == nil || node.Kind == yaml.ScalarNode && node.Tag == "!!null"
}

// described returns a short description of a node.
func described(node *yaml.Node) string {
	switch {
	case node.Kind == yaml.MappingNode:
		return "a mapping"
	case node.Kind == yaml.SequenceNode:
		return "a list"
	case isNone(node):
		return "null"
	case node.Kind == yaml.ScalarNode && node.Tag == "!!int", node.Tag == "!!float":
		return "the number " + shortened(node.Value)
	case node.Tag == "!!bool" && isTruthWord(node.Value):
		return node.Value + ", which EKS reads as a boolean"
	case node.Tag == "!!bool":
		return "the boolean " + shortened(node.Value)
	default:
		return quoted(node.Value)
	}
}

// quoted returns a text in quotes, short enough for a message.
func quoted(text string) string {
	if short := shortened(text); short != text {
		return fmt.Sprintf("%q…", short)
	}
	return fmt.Sprintf("%q", text)
}

func shortened(text string) string {
	const limit = 120
	return cut(text, limit)
}

// cut returns at most so many bytes of a text, and no part of a character.
func cut(text string, limit int) string {
	return strings.ToValidUTF8(text[:min(len(text), limit)], "")
}
