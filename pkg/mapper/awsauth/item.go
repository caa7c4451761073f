package awsauth

import "go.yaml.in/yaml/v3"

// ParseItem reads one item of the list of a section, such as mapRoles. Lines are those
// of the item's text.
func ParseItem(section string, item *yaml.Node, opts Options) *Result {
	AsYAML11(item)
	r := newReading(nil, opts)
	r.readValue(section, &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{item}, Line: item.Line, Column: item.Column})
	return r.result()
}

// FileData returns the mapping in a file that holds the sections, and reports whether
// it is the data of a ConfigMap, in which each section must be text. Both may be nil.
// ParseFile reads the same mapping.
func FileData(root *yaml.Node) (data *yaml.Node, isConfigMap bool, err error) {
	data, err = newReading(nil, Options{}).dataOf(root)
	return data, data != root, err
}

// PlacesOf returns where the lines and columns of a section that is text are in the file
// that has it.
func PlacesOf(section *yaml.Node, file string) func(line, column int) (int, int) {
	return originOf(section, file).place
}

// Sections returns the names of the sections, in the order in which they are read.
func Sections() []string { return sectionNames() }
