package awsauth

import (
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/pkg/mapper"
)

// AsYAML11 gives the values of a document the types that they have in YAML 1.1, which EKS
// and kubectl parse: yes and no are booleans, and a date is text.
func AsYAML11(node *yaml.Node) {
	if node.Kind == yaml.ScalarNode && node.Style == 0 {
		switch {
		case isTruthWord(node.Value):
			node.Tag = "!!bool"
		case node.Tag == "!!timestamp":
			node.Tag = "!!str"
		}
	}
	for _, child := range node.Content {
		AsYAML11(child)
	}
}

// isTruthWord reports whether a word without quotes is a boolean in YAML 1.1 and text
// in YAML 1.2.
func isTruthWord(word string) bool {
	switch word {
	case "y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "n", "N", "no", "No", "NO", "off", "Off", "OFF":
		return true
	}
	return false
}

// isZeroOnEKS reports whether EKS reads a value as empty text, since it is not text. It
// does not read one with an unknown tag so.
func isZeroOnEKS(node *yaml.Node) bool {
	switch node.Tag {
	case "!!int", "!!float", "!!bool":
		return true
	default:
		return node.Kind != yaml.ScalarNode
	}
}

// convertSection returns a section of the configuration file as a list. Like
// aws-iam-authenticator, it also accepts a single entry, and accounts in one text.
func (r *reading) convertSection(name string, value *yaml.Node) *yaml.Node {
	list := &yaml.Node{Kind: yaml.SequenceNode, Line: value.Line, Column: value.Column}
	switch {
	case value.Kind == yaml.MappingNode && len(value.Content) == 0:
		return list
	case value.Kind == yaml.MappingNode && name != mapAccounts:
		list.Content = []*yaml.Node{value}
	case value.Kind == yaml.ScalarNode && name == mapAccounts && !isNone(value) && !isEmpty(value.Value):
		for account := range strings.SplitSeq(value.Value, ",") {
			item := *value
			item.Value = account
			list.Content = append(list.Content, &item)
		}
	default:
		return value
	}
	r.converted(name, value, fmt.Sprintf("%s is not a list but %s, and is converted to a list of it", name, described(value)), `start each entry with "- "`)
	return list
}

// convertField returns an entry's field in the configuration file as text, or as a
// list of texts for groups, if aws-iam-authenticator converts it.
func (r *reading) convertField(section string, key, value *yaml.Node) *yaml.Node {
	switch field := strings.ToLower(key.Value); {
	case field == "username" || field == "rolearn" || field == "userarn":
		return r.convertText(section, field, value)
	case field != "groups" || isNone(value):
		return value
	case value.Kind == yaml.SequenceNode:
		return r.convertGroups(section, value)
	}
	text, ok := weakText(value)
	if !ok || text == "" || strings.Count(text, ",") >= maxGroups {
		return value
	}
	groups := []string{text}
	if value.Tag == "!!str" || value.Tag == "!!binary" {
		groups = strings.Split(text, ",")
	}
	list := &yaml.Node{Kind: yaml.SequenceNode, Line: value.Line, Column: value.Column}
	for i, group := range groups {
		list.Content = append(list.Content, textAt(value, group))
		groups[i] = fmt.Sprintf("%q", group)
	}
	written := "[" + shortened(strings.Join(groups, ", ")) + "]"
	r.converted(section, value, fmt.Sprintf("groups is not a list but %s, and is converted to %s", described(value), written), "write groups: "+written)
	return list
}

// convertGroups converts a list once, however many aliases refer to it.
func (r *reading) convertGroups(section string, list *yaml.Node) *yaml.Node {
	if known, ok := r.convertedGroups[list]; ok {
		return known
	}
	converted := *list
	converted.Content = make([]*yaml.Node, 0, len(list.Content))
	for _, item := range list.Content {
		converted.Content = append(converted.Content, r.convertText(section, "a group", resolve(item)))
	}
	r.convertedGroups[list] = &converted
	return &converted
}

func (r *reading) convertText(section, what string, node *yaml.Node) *yaml.Node {
	if isText(node) || isNone(node) {
		return node
	}
	text, ok := weakText(node)
	if !ok {
		return node
	}
	r.converted(section, node, fmt.Sprintf("%s is not text but %s, and is converted to %s", what, described(node), quoted(text)), "write "+quoted(text))
	r.suggestText(node, text)
	return textAt(node, text)
}

func (r *reading) converted(section string, at *yaml.Node, message, fix string) {
	r.warn(mapper.ValueConverted, section, at, message+", as in aws-iam-authenticator", fix)
}

// weakText returns the text that aws-iam-authenticator converts a value to, as the
// weakly typed decoding of viper does, and reports whether it converts it.
func weakText(node *yaml.Node) (string, bool) {
	var value any
	if node.Kind != yaml.ScalarNode || node.Decode(&value) != nil {
		return "", false
	}
	switch v := value.(type) {
	case string:
		return v, true
	case bool:
		if v {
			return "1", true
		}
		return "0", true
	case int, int64, uint64:
		return fmt.Sprint(v), true
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), true
	}
	return "", false
}

func textAt(at *yaml.Node, text string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Style: yaml.DoubleQuotedStyle, Tag: "!!str", Value: text, Line: at.Line, Column: at.Column}
}
