package edit

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// File is the content of a file of mappings: the manifest of an aws-auth ConfigMap, its
// bare data, or JSON. Its sections may be text or native lists.
type File string

// Read implements [Document].
func (f File) Read(opts awsauth.Options) (*awsauth.Result, error) {
	return awsauth.ParseFile([]byte(f), nil, opts)
}

// An opened file.
type opened struct {
	source
	root *yaml.Node
	// data has the sections; nil if there are none yet. limit is where it certainly
	// ends.
	data        *yaml.Node
	limit       int
	isConfigMap bool
	read        *awsauth.Result
}

func (f File) open() (opened, error) {
	o := opened{source: newSource(string(f)), limit: len(f)}
	if !utf8.ValidString(o.text) || strings.HasPrefix(o.text, "\ufeff") {
		return o, refuse("it is not UTF-8, or starts with a byte order mark")
	}
	var err error
	if o.read, err = f.Read(awsauth.Options{}); err != nil {
		return o, err
	}
	root, _, err := awsauth.ParseYAML(o.text)
	if err != nil {
		return o, fmt.Errorf("parsing mappings: %w", err)
	}
	if root == nil || root.Kind != yaml.MappingNode {
		return o, nil
	}
	o.root = root
	if o.data, o.isConfigMap, err = awsauth.FileData(root); err != nil {
		return o, fmt.Errorf("parsing mappings: %w", err)
	}
	if o.data != nil && o.data != root {
		if o.data.Kind == yaml.MappingNode && o.data.Anchor != "" {
			return o, refuse("its data has an anchor")
		}
		o.limit, err = o.after(root, "data", o.limit)
	}
	return o, err
}

// after returns the offset where the value of a key of a mapping certainly ends: the
// start of the line of the next key.
func (o opened) after(mapping *yaml.Node, key string, limit int) (int, error) {
	for i := 0; i+2 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value != key || mapping.Style&yaml.FlowStyle != 0 {
			continue
		}
		next, err := o.offset(mapping.Content[i+2])
		if err != nil {
			return 0, err
		}
		return o.lineStart(next), nil
	}
	return limit, nil
}

// section returns the key and value of a section; nil if it is missing.
func (o opened) section(name string) (key, value *yaml.Node) {
	if o.data == nil {
		return nil, nil
	}
	for i := 0; i+1 < len(o.data.Content) && o.data.Kind == yaml.MappingNode; i += 2 {
		if o.data.Content[i].Value == name {
			return o.data.Content[i], o.data.Content[i+1]
		}
	}
	return nil, nil
}

// isText reports whether the text of a section is read as a section of its own.
func isText(value *yaml.Node) bool { return value.Kind == yaml.ScalarNode && value.Tag != "!!null" }

func (f File) lists() (map[string]*place, error) {
	o, err := f.open()
	if err != nil {
		return nil, err
	}
	places := map[string]*place{}
	for _, section := range awsauth.Sections() {
		if places[section], err = o.place(section); err != nil {
			_, value := o.section(section)
			places[section] = brokenPlace(section, value.Value, err)
		}
	}
	return places, nil
}

// place returns the list of a section: in its text, or in the file.
func (o opened) place(section string) (*place, error) {
	_, value := o.section(section)
	switch {
	case value == nil:
		return nil, nil
	case isText(value):
		// The problems have the lines of the file, and so do their messages.
		if err := o.unreadable(section, o.read); err != nil {
			return nil, err
		}
		text := newSource(value.Value)
		text.inFile = awsauth.PlacesOf(value, o.text)
		return openText(section, text)
	case value.Kind == yaml.SequenceNode:
		if err := o.unreadable(section, o.read); err != nil {
			return nil, err
		}
		limit, err := o.after(o.data, section, o.limit)
		if err != nil {
			return nil, err
		}
		return &place{source: o.source, section: section, list: value, limit: limit}, nil
	case value.Kind == yaml.ScalarNode:
		return nil, nil
	}
	return nil, refuse("it is not a list of entries")
}

func (f File) edit(section string, change func(*place) ([]splice, error)) (Document, error) {
	o, err := f.open()
	if err != nil {
		return nil, err
	}
	key, value := o.section(section)
	p, err := o.place(section)
	if err != nil {
		return nil, err
	}
	var text string
	switch {
	case value == nil || value.Kind == yaml.ScalarNode && (value.Tag == "!!null" || isBlank(value.Value)):
		text, err = o.create(section, key, value, change)
	case isText(value):
		text, err = o.editText(section, key, value, p, change)
	default:
		text, err = p.changed(change)
	}
	if err != nil {
		return nil, err
	}
	return File(text), nil
}

// editText changes a section that is text.
func (o opened) editText(section string, key, value *yaml.Node, p *place, change func(*place) ([]splice, error)) (string, error) {
	inner, err := p.changed(change)
	if err != nil {
		return "", err
	}
	splices, err := o.embed(key, value, inner)
	if err != nil {
		return "", err
	}
	text, err := o.apply(splices...)
	if err != nil {
		return "", err
	}
	after, err := File(text).open()
	if err != nil {
		return "", refuse("the result would not be readable: %w", err)
	}
	if _, is := after.section(section); is == nil || strings.TrimRight(is.Value, "\n") != strings.TrimRight(inner, "\n") {
		return "", refuse("its text cannot be changed in the way it is written in the file; write it after %s: |", section)
	}
	return text, nil
}

func isBlank(text string) bool {
	switch strings.TrimSpace(text) {
	case "", `""`, "''", "``":
		return true
	}
	return false
}

// Data returns the content of a file as the data of a ConfigMap: its sections as text,
// and of a manifest the other keys too.
func (f File) Data() (Data, error) {
	o, err := f.open()
	if err != nil {
		return nil, err
	}
	data := Data{}
	if o.data == nil || o.data.Kind != yaml.MappingNode {
		return data, nil
	}
	for i := 0; i+1 < len(o.data.Content); i += 2 {
		key, value := o.data.Content[i].Value, o.data.Content[i+1]
		isSection := slices.Contains(awsauth.Sections(), key)
		switch {
		case value.Kind == yaml.ScalarNode && (isSection || o.isConfigMap):
			data[key] = value.Value
			if value.Tag == "!!null" {
				data[key] = ""
			}
		case !isSection:
		default:
			if data[key], err = o.listText(key); err != nil {
				return nil, inSection(key, err)
			}
		}
	}
	return data, nil
}

// listText returns a native list of the file as text, without its indentation.
func (o opened) listText(section string) (string, error) {
	p, err := o.place(section)
	if err != nil {
		return "", err
	}
	var text string
	line, column := p.list.Line, p.list.Column
	if p.isFlow() {
		f, err := p.flow(p.list)
		if err != nil {
			return "", err
		}
		text = p.text[f.open:f.end+1] + "\n"
	} else {
		items, err := p.blockItems(p.list, p.limit)
		if err != nil {
			return "", err
		}
		indent := p.indent(items[0].lead)
		for line := range strings.Lines(p.text[p.lineStart(items[0].lead):items[len(items)-1].end]) {
			text += strings.TrimPrefix(line, indent)
		}
		text += "\n"
	}
	listed := newSource(text)
	listed.inFile = func(l, c int) (int, int) { return l + line - 1, c + column - 1 }
	same, err := openText(section, listed)
	if err != nil {
		return "", err
	}
	if !slices.EqualFunc(p.shapes(), same.shapes(), shape.equal) {
		return "", refuse("its list cannot be written as text, such as for an alias")
	}
	return text, nil
}
