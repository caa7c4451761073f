package encode

import (
	"bytes"
	"encoding/json"
	"fmt"

	yamlv3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"
)

// YAML returns a value as YAML, by the names of its fields in JSON.
func YAML(value any) ([]byte, error) {
	line, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	// JSON may hold control characters that YAML may not, and YAML has no surrogates.
	text, err := yaml.JSONToYAML(escaped(line, func(r rune) string {
		if r > maxUnit {
			return string(r)
		}
		return fmt.Sprintf(`\u%04x`, r)
	}))
	if err != nil || !isHiding(string(text)) {
		return text, err
	}
	// Only double quotes allow escapes.
	var document yamlv3.Node
	if err := yamlv3.Unmarshal(text, &document); err != nil {
		return nil, err
	}
	quote(&document)
	var quoted bytes.Buffer
	encoder := yamlv3.NewEncoder(&quoted)
	encoder.SetIndent(2)
	if err := encoder.Encode(&document); err != nil {
		return nil, err
	}
	return escaped(quoted.Bytes(), func(r rune) string { return fmt.Sprintf(`\U%08x`, r) }), nil
}

// maxUnit is the largest character that is one unit of UTF-16.
const maxUnit = 0xFFFF

// quote puts the texts with hidden characters into double quotes.
func quote(node *yamlv3.Node) {
	if node.Kind == yamlv3.ScalarNode && isHiding(node.Value) {
		node.Style = yamlv3.DoubleQuotedStyle
	}
	for _, child := range node.Content {
		quote(child)
	}
}
