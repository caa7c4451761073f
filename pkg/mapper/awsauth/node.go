package awsauth

import (
	"fmt"
	"iter"

	"go.yaml.in/yaml/v3"
)

// pairs yields a mapping's keys and values; of anything else, nothing.
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

// value returns the value of a mapping's key; nil if it has none.
func value(node *yaml.Node, name string) *yaml.Node {
	for key, value := range pairs(node) {
		if key.Value == name {
			return resolve(value)
		}
	}
	return nil
}

// resolve follows a YAML alias to its anchor.
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

// described is a node in few words.
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
		return node.Value + ", which EKS reads as a truth value"
	case node.Tag == "!!bool":
		return "the truth value " + shortened(node.Value)
	default:
		return quoted(node.Value)
	}
}

// quoted is a text of a file, short enough for a message.
func quoted(text string) string {
	if short := shortened(text); short != text {
		return fmt.Sprintf("%q…", short)
	}
	return fmt.Sprintf("%q", text)
}

func shortened(text string) string {
	const limit = 120
	return text[:min(len(text), limit)]
}
