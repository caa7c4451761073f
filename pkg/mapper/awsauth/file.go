package awsauth

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"
)

// ParseFile reads a file of mappings: the manifest of an aws-auth ConfigMap, its
// bare data, or the JSON of aws-iam-authenticator's DynamicFile. The sections
// may be text, as in a ConfigMap, or native lists. Lines of native lists are the
// file's, lines within text are the text's.
//
// The error says that the file as a whole cannot be read; then what the last
// reading held should stay in force.
func ParseFile(content []byte, last *Result, opts Options) (*Result, error) {
	var document yaml.Node
	err := yaml.NewDecoder(strings.NewReader(string(content))).Decode(&document)
	switch {
	case errors.Is(err, io.EOF):
		return newReading(last, opts).result(), nil
	case err != nil:
		line, message := syntaxError(err)
		line, fix := diagnose(string(content), line)
		return nil, fmt.Errorf("parsing mappings: line %d: %s; %s", line, message, fix)
	}
	root := resolve(document.Content[0])
	if root.Kind != yaml.MappingNode {
		return nil, errors.New("parsing mappings: the file is not a map with mapRoles, mapUsers or mapAccounts")
	}
	return parseRoot(root, last, opts)
}

func parseRoot(root *yaml.Node, last *Result, opts Options) (*Result, error) {
	data := root
	if kind := value(root, "kind"); kind != nil {
		if kind.Value != "ConfigMap" {
			return nil, fmt.Errorf("parsing mappings: line %d: the file is the manifest of a %s, not of a ConfigMap", kind.Line, kind.Value)
		}
		data = value(root, "data")
	}
	r := newReading(last, opts)
	lines := map[string]int{}
	for key, section := range pairs(data) {
		section = resolve(section)
		if first, twice := lines[key.Value]; twice && isSection(key.Value) {
			return nil, fmt.Errorf("parsing mappings: line %d: %s stands in line %d already", key.Line, key.Value, first)
		}
		lines[key.Value] = key.Line
		switch {
		case !isSection(key.Value):
			r.checkKey(key.Value, key.Line, key.Column)
		case section.Kind != yaml.ScalarNode:
			r.readValue(key.Value, section)
		case !isEmpty(section.Value):
			r.readText(key.Value, section.Value)
		}
	}
	return r.result(), nil
}

// value of a mapping's key; nil if it has none.
func value(node *yaml.Node, name string) *yaml.Node {
	for key, value := range pairs(node) {
		if key.Value == name {
			return resolve(value)
		}
	}
	return nil
}
