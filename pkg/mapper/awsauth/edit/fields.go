package edit

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// set returns the splices of the next step that gives an item the username and groups
// of a mapping; none if it has them. The first step finds what cannot be changed: later
// ones see the text of the steps before, whose lines nobody knows.
func (p *place) set(index int, m Mapping) ([]splice, error) {
	node := p.list.Content[index]
	if node.Kind != yaml.MappingNode {
		return nil, refuse("the entry on %s is an alias", p.at(node.Line))
	}
	is := mappingOf(p.section, node)
	st := p.styleOf(p.section, &yaml.Node{Kind: yaml.SequenceNode, Style: p.list.Style, Content: []*yaml.Node{node}})
	groups, err := p.setAllGroups(index, st, is, m)
	if err != nil || is.Username == m.Username && p.field(node, fieldUsername) >= 0 {
		return groups, err
	}
	st = p.styleOf(p.section, &yaml.Node{Kind: yaml.SequenceNode, Style: p.list.Style, Content: []*yaml.Node{node}})
	text := func(inFlow bool, q quote) string { return scalar(m.Username, q, inFlow) }
	return p.setField(index, fieldUsername, st, text)
}

// setAllGroups returns the splices of the next step that gives an item the groups of a
// mapping; none if it has them.
func (p *place) setAllGroups(index int, st style, is, m Mapping) ([]splice, error) {
	node := p.list.Content[index]
	if sameGroups(is.Groups, m.Groups) {
		return nil, nil
	}
	i := p.field(node, fieldGroups)
	if i < 0 || node.Content[i+1].Kind == yaml.ScalarNode {
		st.groupsInFlow = true
		return p.setField(index, fieldGroups, st, func(inFlow bool, q quote) string {
			if inFlow && st.quotedKeys {
				st.quotes[fieldGroups] = doubleQuote
			}
			return st.flowGroups(m.Groups)
		})
	}
	return p.setGroups(index, node.Content[i+1], st, is.Groups, m.Groups)
}

// field returns the index of a field's key in an entry; -1 if it is missing. A repeated
// field has the index of its last key.
func (p *place) field(entry *yaml.Node, field string) int {
	found := -1
	for i := 0; i+1 < len(entry.Content); i += 2 {
		if fieldOf(p.section, entry.Content[i].Value) == field {
			found = i
		}
	}
	return found
}

// setField returns the splices that give a field a value.
func (p *place) setField(index int, field string, st style, text func(inFlow bool, q quote) string) ([]splice, error) {
	entry := p.list.Content[index]
	inFlow := entry.Style&yaml.FlowStyle != 0
	i := p.field(entry, field)
	if i < 0 {
		return p.addField(index, field, st, text)
	}
	value := entry.Content[i+1]
	if value.Kind == yaml.ScalarNode && value.Value == "" && value.Style == 0 && value.Anchor == "" { // as in groups:
		key, err := p.scalarSpan(entry.Content[i])
		if err != nil {
			return nil, err
		}
		colon := key.end + len(p.text[key.end:]) - len(strings.TrimLeft(p.text[key.end:], " \t"))
		if colon >= len(p.text) || p.text[colon] != ':' {
			return nil, refuse("the colon after %s on %s is not on its line", entry.Content[i].Value, p.at(entry.Content[i].Line))
		}
		return []splice{{colon + 1, colon + 1, " " + text(inFlow, quoteOf(value))}}, nil
	}
	at, err := p.scalarSpan(value)
	if err != nil {
		return nil, err
	}
	return []splice{{at.start, at.end, text(inFlow, quoteOf(value))}}, nil
}

// addField returns the splices that add a field to an entry: the username after the
// principal, the groups at the end.
func (p *place) addField(index int, field string, st style, text func(inFlow bool, q quote) string) ([]splice, error) {
	entry := p.list.Content[index]
	if entry.Style&yaml.FlowStyle != 0 {
		f, err := p.flow(entry)
		if err != nil {
			return nil, err
		}
		return p.insertFlow(f, st.key(field)+st.colon+text(true, st.quotes[field]), " "), nil
	}
	limit, err := p.itemLimit(index)
	if err != nil {
		return nil, err
	}
	pairs, err := p.blockPairs(entry, limit)
	if err != nil {
		return nil, err
	}
	after := pairs[len(pairs)-1]
	if i := max(p.field(entry, fieldARN), p.field(entry, fieldSSO)); field == fieldUsername && i >= 0 {
		after = pairs[i/2]
	}
	column := pairs[0].start - p.lineStart(pairs[0].start)
	added := p.ending(after.lead) + strings.Repeat(" ", column) + st.key(field) + ": " + text(false, st.quotes[field])
	return []splice{{after.end, after.end, added}}, nil
}

// itemLimit returns the offset where an item of the block list certainly ends.
func (p *place) itemLimit(index int) (int, error) {
	if p.isFlow() {
		return p.limit, nil
	}
	items, err := p.blockItems(p.list, p.limit)
	if err != nil {
		return 0, err
	}
	if index+1 < len(items) {
		return p.lineStart(items[index+1].lead), nil
	}
	return p.limit, nil
}

// setGroups returns the splices that add the first group that is missing or, if there is
// none, remove the first one that is too many.
func (p *place) setGroups(index int, list *yaml.Node, st style, is, want []string) ([]splice, error) {
	if list.Kind != yaml.SequenceNode || list.Anchor != "" {
		return nil, refuse("the groups on %s are shared with other entries by an alias", p.at(list.Line))
	}
	add := slices.IndexFunc(want, func(group string) bool { return !slices.Contains(is, group) })
	remove := slices.IndexFunc(list.Content, func(item *yaml.Node) bool { return item.Kind != yaml.ScalarNode || !slices.Contains(want, item.Value) })
	if add < 0 && remove < 0 {
		return nil, refuse("the groups on %s cannot be changed", p.at(list.Line))
	}
	if list.Style&yaml.FlowStyle != 0 {
		f, err := p.flow(list)
		if err != nil {
			return nil, err
		}
		if add < 0 {
			return p.removeFlow(f, remove), nil
		}
		return p.insertFlow(f, scalar(want[add], groupQuote(list), true), st.comma), nil
	}
	limit, err := p.groupsLimit(index, list)
	if err != nil {
		return nil, err
	}
	items, err := p.blockItems(list, limit)
	if err != nil {
		return nil, err
	}
	if add < 0 {
		return []splice{p.removeItem(items, remove)}, nil
	}
	return []splice{p.insertItem(items, "- "+scalar(want[add], groupQuote(list), false))}, nil
}

func groupQuote(list *yaml.Node) quote {
	if len(list.Content) == 0 {
		return doubleQuote
	}
	return quoteOf(list.Content[len(list.Content)-1])
}

// groupsLimit returns the offset where a block list of groups certainly ends: at the
// entry's next field, or where the entry ends.
func (p *place) groupsLimit(index int, list *yaml.Node) (int, error) {
	entry := p.list.Content[index]
	for i := 1; i+2 < len(entry.Content); i += 2 {
		if entry.Content[i] != list {
			continue
		}
		next, err := p.offset(entry.Content[i+1])
		if err != nil {
			return 0, err
		}
		return p.lineStart(next), nil
	}
	return p.itemLimit(index)
}
