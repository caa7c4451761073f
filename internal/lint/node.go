package lint

import (
	"iter"

	"go.yaml.in/yaml/v3"
)

// keys returns the keys of a mapping and their values; none of other nodes.
func keys(node *yaml.Node) iter.Seq2[string, *yaml.Node] {
	return func(yield func(string, *yaml.Node) bool) {
		if node == nil || node.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(node.Content); i += 2 {
			if !yield(node.Content[i].Value, resolve(node.Content[i+1])) {
				return
			}
		}
	}
}

// field returns the value of a mapping's key; nil if the key is missing.
func field(node *yaml.Node, name string) *yaml.Node {
	for key, value := range keys(node) {
		if key == name {
			return value
		}
	}
	return nil
}

// items returns the items of a list; none of other nodes.
func items(node *yaml.Node) iter.Seq[*yaml.Node] {
	return func(yield func(*yaml.Node) bool) {
		if node == nil || node.Kind != yaml.SequenceNode {
			return
		}
		for _, item := range node.Content {
			if !yield(resolve(item)) {
				return
			}
		}
	}
}

func resolve(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

// textOf returns the text of a node, and reports whether it has any.
func textOf(node *yaml.Node) (string, bool) {
	if node == nil || node.Kind != yaml.ScalarNode || node.Tag != "!!str" || node.Value == "" {
		return "", false
	}
	return node.Value, true
}
