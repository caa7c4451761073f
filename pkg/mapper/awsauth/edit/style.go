package edit

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The fields of an entry, in the order in which a new one has them without an example.
const (
	fieldARN      = "arn" // rolearn or userarn
	fieldSSO      = "sso"
	fieldUsername = "username"
	fieldGroups   = "groups"
)

// A style is how the entries of a list are written.
type style struct {
	// ending is the line break.
	ending string
	// pad is the white space between an item's dash and its first field.
	pad string
	// order has the fields in their order, keys their spelling.
	order  []string
	keys   map[string]string
	quotes map[string]quote
	// flow is set for entries in braces. Its white space is what is after the opening
	// brace, after each comma, and before the closing brace.
	flow              bool
	open, comma, end  string
	colon             string
	quotedKeys        bool
	groupsInFlow      bool
	groupsIndent      string
	groupsOpen        string
	groupsComma       string
	groupsEnd         string
	groupsSampleFound bool
}

// defaultStyle is the style of the first entry of a section.
func defaultStyle(section, ending string, flow bool) style {
	st := style{
		ending: ending, pad: " ", flow: flow, comma: " ", colon: ": ", groupsInFlow: flow, groupsIndent: "  ", groupsComma: " ",
		order: []string{fieldARN, fieldSSO, fieldUsername, fieldGroups},
		keys:  map[string]string{fieldARN: arnField(section), fieldSSO: "sso", fieldUsername: "username", fieldGroups: "groups"},
	}
	if st.quotedKeys = flow; flow {
		st.quotes = map[string]quote{fieldARN: doubleQuote, fieldSSO: doubleQuote, fieldUsername: doubleQuote, fieldGroups: doubleQuote}
	}
	return st
}

func arnField(section string) string {
	if section == "mapUsers" {
		return "userarn"
	}
	return "rolearn"
}

// fieldOf returns the field that a key names; empty for an unknown key.
func fieldOf(section, key string) string {
	switch key = strings.ToLower(key); key {
	case arnField(section):
		return fieldARN
	case fieldSSO, fieldUsername, fieldGroups:
		return key
	}
	return ""
}

// styleOf returns the style of the entries of a list: that of the last one, and of its
// groups if it has any.
func (s source) styleOf(section string, list *yaml.Node) style {
	isFlow := list.Style&yaml.FlowStyle != 0
	st := defaultStyle(section, "\n", isFlow)
	sampled := false
	for _, node := range slices.Backward(list.Content) {
		if node.Kind != yaml.MappingNode || len(node.Content) < 2 {
			continue
		}
		start, err := s.offset(node)
		if err != nil {
			continue
		}
		if !sampled {
			sampled = true
			st = s.sample(section, st, node, start, isFlow)
		}
		if !st.groupsSampleFound && (node.Style&yaml.FlowStyle != 0) == st.flow {
			s.sampleGroups(section, &st, node)
		}
		if st.groupsSampleFound {
			break
		}
	}
	return st
}

// sample takes the style of an entry.
func (s source) sample(section string, st style, node *yaml.Node, start int, listIsFlow bool) style {
	st.ending = s.ending(start)
	if st.flow = node.Style&yaml.FlowStyle != 0; !st.flow {
		st.groupsInFlow, st.quotedKeys = false, false
	}
	if dash, err := s.dash(start); err == nil && !listIsFlow && s.line(dash) == s.line(start) {
		st.pad = s.text[dash+1 : start]
	}
	st.quotes = map[string]quote{}
	var order []string
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		st.quotedKeys = i == 0 && quoteOf(key) == doubleQuote || st.quotedKeys && i > 0
		field := fieldOf(section, key.Value)
		if field == "" || slices.Contains(order, field) {
			continue
		}
		order = append(order, field)
		st.keys[field] = key.Value
		st.quotes[field] = quoteOf(value)
		if field == fieldSSO {
			for j := 1; j < len(value.Content); j += 2 {
				st.quotes[field] = quoteOf(value.Content[j])
			}
		}
	}
	st.order = completed(order)
	for _, field := range []string{fieldARN, fieldUsername, fieldGroups, fieldSSO} {
		if _, known := st.quotes[field]; !known && st.quotedKeys {
			st.quotes[field] = doubleQuote
		}
	}
	if st.flow {
		s.sampleFlow(&st, node)
	}
	return st
}

// completed adds the fields that an entry does not have to the order of its fields: sso
// and rolearn next to each other, since an entry has one of them, then the username.
func completed(order []string) []string {
	has := func(field string) bool { return slices.Contains(order, field) }
	after := func(field, other string) {
		if !has(field) {
			order = slices.Insert(order, slices.Index(order, other)+1, field)
		}
	}
	if !has(fieldARN) {
		after(fieldARN, fieldSSO)
	}
	after(fieldSSO, fieldARN)
	after(fieldUsername, fieldSSO)
	if !has(fieldGroups) {
		order = append(order, fieldGroups)
	}
	return order
}

// sampleFlow takes the white space of an entry in braces.
func (s source) sampleFlow(st *style, node *yaml.Node) {
	f, err := s.flow(node)
	if err != nil {
		return
	}
	st.open, st.comma, st.end = s.whiteSpace(f, " ")
	if item := s.text[f.open:f.end]; st.quotedKeys && strings.Contains(item, `":`) && !strings.Contains(item, `": `) {
		st.colon = ":"
	}
}

// whiteSpace returns the white space after the opening bracket, after a comma, and
// before the closing bracket.
func (s source) whiteSpace(f flow, usual string) (open, comma, end string) {
	if len(f.items) == 0 {
		return "", " ", ""
	}
	open = s.gap(f.open+1, f.items[0].start)
	end = s.gap(f.items[len(f.items)-1].end, f.end)
	if f.isTrailing() {
		end = s.gap(f.commas[len(f.commas)-1]+1, f.end)
	}
	return open, s.separator(f, usual), end
}

// sampleGroups takes the style of the groups of an entry.
func (s source) sampleGroups(section string, st *style, node *yaml.Node) {
	for i := 0; i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if fieldOf(section, key.Value) != fieldGroups || value.Kind != yaml.SequenceNode || len(value.Content) == 0 {
			continue
		}
		st.groupsSampleFound = true
		st.quotes[fieldGroups] = quoteOf(value.Content[len(value.Content)-1])
		st.groupsInFlow = value.Style&yaml.FlowStyle != 0
		if !st.groupsInFlow {
			st.groupsIndent = strings.Repeat(" ", max(value.Column-key.Column, 0))
			return
		}
		if f, err := s.flow(value); err == nil {
			st.groupsOpen, st.groupsComma, st.groupsEnd = s.whiteSpace(f, st.comma)
		}
		return
	}
}

// account writes an item of mapAccounts in the style of the others.
func (s source) account(list *yaml.Node, id string) string {
	q := doubleQuote
	inFlow := list != nil && list.Style&yaml.FlowStyle != 0
	if list != nil && len(list.Content) > 0 {
		q = quoteOf(list.Content[len(list.Content)-1])
	}
	if q == noQuote && needsNoQuotes(id) {
		return id
	}
	if q == noQuote {
		q = doubleQuote
	}
	return scalar(id, q, inFlow)
}
