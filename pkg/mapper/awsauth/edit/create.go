package edit

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// emptyManifest is written into a file that has nothing in it.
const emptyManifest = `apiVersion: v1
kind: ConfigMap
metadata:
  name: aws-auth
  namespace: kube-system
data: {}
`

// create writes the first mapping of a section that is missing or has no text.
func (o opened) create(section string, key, value *yaml.Node, change func(*place) ([]splice, error)) (string, error) {
	switch {
	case o.root == nil:
		return o.createManifest(section, change)
	case o.isConfigMap && (o.data == nil || o.data.Kind != yaml.MappingNode || len(o.data.Content) == 0):
		return o.createData(section, change)
	case value != nil:
		return o.createValue(section, key, value, change)
	}
	mapping, limit := o.data, o.limit
	if mapping.Style&yaml.FlowStyle != 0 {
		f, err := o.flow(mapping)
		if err != nil {
			return "", err
		}
		text, err := o.flowValue(section, change)
		if err != nil {
			return "", err
		}
		return o.apply(o.insertFlow(f, doubleQuoted(section)+": "+text, " ")...)
	}
	pairs, err := o.blockPairs(mapping, limit)
	if err != nil {
		return "", err
	}
	last := pairs[len(pairs)-1]
	indent := strings.Repeat(" ", mapping.Content[0].Column-1)
	text, err := o.blockValue(section, indent, change)
	if err != nil {
		return "", err
	}
	return o.apply(splice{last.end, last.end, o.ending(0) + indent + section + ":" + text})
}

func (o opened) createManifest(section string, change func(*place) ([]splice, error)) (string, error) {
	text := o.text
	if text != "" && o.lineEnd(len(text)) != o.lineStart(len(text)) {
		text += o.ending(0)
	}
	text += emptyManifest
	if o, err := File(text).open(); err != nil || o.root == nil {
		return "", refuse("the file has no mapping, and cannot continue with a manifest")
	}
	made, err := File(text).edit(section, change)
	if err != nil {
		return "", err
	}
	return string(made.(File)), nil
}

// createData writes the first section of a manifest without data.
func (o opened) createData(section string, change func(*place) ([]splice, error)) (string, error) {
	ending := o.ending(0)
	var key, value *yaml.Node
	for i := 0; i+1 < len(o.root.Content); i += 2 {
		if o.root.Content[i].Value == "data" {
			key, value = o.root.Content[i], o.root.Content[i+1]
		}
	}
	if o.root.Style&yaml.FlowStyle != 0 {
		return o.createFlowData(section, value, change)
	}
	text, err := o.blockValue(section, "  ", change)
	if err != nil {
		return "", err
	}
	text = ending + "  " + section + ":" + text
	if key == nil {
		pairs, err := o.blockPairs(o.root, o.limit)
		if err != nil {
			return "", err
		}
		end := pairs[len(pairs)-1].end
		return o.apply(splice{end, end, ending + "data:" + text})
	}
	at, err := o.offset(key)
	if err != nil {
		return "", err
	}
	line := o.text[at:o.lineEnd(at)]
	rest := strings.TrimSpace(strings.TrimPrefix(line, "data:"))
	if !strings.HasPrefix(line, "data:") || rest != "" && rest != "{}" && rest != "null" && rest != "~" && rest[0] != '#' {
		return "", refuse("its data on line %d is neither empty nor a mapping", key.Line)
	}
	if rest != "" && rest[0] == '#' {
		return o.apply(splice{o.lineEnd(at), o.lineEnd(at), text})
	}
	return o.apply(splice{at + len("data:"), o.lineEnd(at), text})
}

func (o opened) createFlowData(section string, value *yaml.Node, change func(*place) ([]splice, error)) (string, error) {
	text, err := o.flowValue(section, change)
	if err != nil {
		return "", err
	}
	pair := doubleQuoted(section) + ": " + text
	mapping := o.root
	if value == nil {
		pair = `"data": {` + pair + "}"
	} else if mapping = value; value.Kind != yaml.MappingNode {
		return "", refuse("its data on line %d is not a mapping", value.Line)
	}
	f, err := o.flow(mapping)
	if err != nil {
		return "", err
	}
	return o.apply(o.insertFlow(f, pair, " ")...)
}

// createValue writes the first mapping of a section whose value is null or blank.
func (o opened) createValue(section string, key, value *yaml.Node, change func(*place) ([]splice, error)) (string, error) {
	at, err := o.scalarSpan(key)
	if err != nil {
		return "", err
	}
	colon := at.end + len(o.text[at.end:]) - len(strings.TrimLeft(o.text[at.end:], " \t"))
	if colon >= len(o.text) || o.text[colon] != ':' {
		return "", refuse("the colon after it is not on its line")
	}
	colon++
	inFlow := o.data.Style&yaml.FlowStyle != 0
	if value.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 { // an empty block of text
		inner, err := textOf(section, change)
		if err != nil {
			return "", err
		}
		if strings.TrimSpace(value.Value) != "" {
			return "", refuse("its text is only %s", strings.TrimSpace(value.Value))
		}
		value := *value
		value.Value = ""
		splices, err := o.embedLines(key, &value, inner)
		if err != nil {
			return "", err
		}
		return o.apply(splices...)
	}
	end := colon
	if value.Value != "" || value.Style != 0 {
		old, err := o.scalarSpan(value)
		if err != nil {
			return "", err
		}
		end = old.end
	}
	if inFlow {
		text, err := o.flowValue(section, change)
		if err != nil {
			return "", err
		}
		return o.apply(splice{colon, end, " " + text})
	}
	text, err := o.blockValue(section, o.indent(at.start), change)
	if err != nil {
		return "", err
	}
	// A comment stays on the line of the key.
	marker, lines, _ := strings.Cut(text, o.ending(0))
	return o.apply(splice{colon, end, marker}, splice{o.lineEnd(end), o.lineEnd(end), o.ending(0) + lines})
}

// isNative reports whether a section that is created becomes a list of the file, and
// not text.
func (o opened) isNative() bool {
	if o.isConfigMap {
		return false
	}
	text := false
	for i := 1; i < len(o.data.Content); i += 2 {
		text = text || slices.Contains(awsauth.Sections(), o.data.Content[i-1].Value) && isText(o.data.Content[i]) && !isBlank(o.data.Content[i].Value)
	}
	return !text
}

// textOf returns the text of a new section.
func textOf(section string, change func(*place) ([]splice, error)) (string, error) {
	p, err := openText(section, newSource(""))
	if err != nil {
		return "", err
	}
	return p.changed(change)
}

// blockValue returns the value of a new section, from after the colon of its key to the
// end of its last line.
func (o opened) blockValue(section, indent string, change func(*place) ([]splice, error)) (string, error) {
	text, err := textOf(section, change)
	if err != nil {
		return "", err
	}
	marker, deeper := " |", "  "
	if o.isNative() {
		marker, deeper = "", ""
		for i := 1; i < len(o.data.Content); i += 2 { // as the lists of other sections
			if list := o.data.Content[i]; list.Kind == yaml.SequenceNode && len(list.Content) > 0 {
				deeper = strings.Repeat(" ", max(list.Column-o.data.Content[i-1].Column, 0))
			}
		}
	}
	var b strings.Builder
	b.WriteString(marker)
	for line := range strings.Lines(text) {
		b.WriteString(o.ending(0) + indent + deeper + strings.TrimSuffix(line, "\n"))
	}
	return b.String(), nil
}

// flowValue returns the value of a new section in JSON.
func (o opened) flowValue(section string, change func(*place) ([]splice, error)) (string, error) {
	if !o.isNative() {
		text, err := textOf(section, change)
		return doubleQuoted(text), err
	}
	p, err := openText(section, newSource("[]"))
	if err != nil {
		return "", err
	}
	return p.changed(change)
}
