package edit

import (
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

const mapAccounts = "mapAccounts"

// A place is the list of a section within a text.
type place struct {
	source
	section string
	// list is nil if there is none yet.
	list *yaml.Node
	// limit is the offset where the list certainly ends.
	limit int
	// begin returns the splice that writes the first item of a list that does not
	// exist yet. In a block, the lines after the first have the indentation already.
	begin func(p *place, item func(indent string) string) ([]splice, error)
	// beginIndent is the indentation of that item.
	beginIndent string
	// inFlow is set if the first item is written in brackets.
	inFlow bool
	// broken is why the section cannot be read. It then has no list.
	broken error
}

// brokenPlace returns the place of a section that cannot be read.
func brokenPlace(section, text string, err error) *place {
	return &place{source: newSource(text), section: section, broken: inSection(section, err)}
}

// openText returns the place of a section that is text.
func openText(section string, s source) (*place, error) {
	text := s.text
	p := &place{source: s, section: section, limit: len(text), begin: appendItem}
	if !utf8.ValidString(text) || strings.HasPrefix(text, "\ufeff") {
		return nil, refuse("it is not UTF-8, or starts with a byte order mark")
	}
	trimmed := strings.TrimSpace(text)
	if trimmed == `""` || trimmed == "''" || trimmed == "``" {
		p.begin = replaceText
		return p, nil
	}
	root, unread, err := awsauth.ParseYAML(text)
	invalid, isSyntax := errors.AsType[*awsauth.SyntaxError](err)
	switch {
	case isSyntax:
		return nil, refuse("it does not parse: %s", s.syntax(invalid))
	case err != nil:
		return nil, refuse("it does not parse: %w", err)
	case unread != nil:
		return nil, refuse("%s", s.syntax(unread))
	case root == nil || root.Kind == yaml.ScalarNode && root.Value == "" && root.Style == 0 && root.Anchor == "":
		return p, nil
	case root.Kind != yaml.SequenceNode:
		return nil, refuse("it is not a list of entries")
	}
	if err := s.unreadable(section, awsauth.Parse(map[string]string{section: text}, nil, awsauth.Options{})); err != nil {
		return nil, err
	}
	p.list = root
	return p, nil
}

// unreadable returns an error for a section that keeps its last good content.
func (s source) unreadable(section string, result *awsauth.Result) error {
	for _, problem := range result.Problems {
		switch problem.Code {
		case mapper.SectionSyntax, mapper.SectionNotList, mapper.SectionTooLarge:
			switch {
			case problem.Section != section:
			case problem.Line == 0: // of the section as a whole
				return refuse("%s (%s)", problem.Message, problem.Fix)
			default:
				return refuse("%s: %s (%s)", s.at(problem.Line), problem.Message, problem.Fix)
			}
		}
	}
	return nil
}

// appendItem writes the first item at the end of the text.
func appendItem(p *place, item func(indent string) string) ([]splice, error) {
	text := item(p.beginIndent)
	if end := len(p.text); p.lineEnd(end) == p.lineStart(end) { // the last line is empty
		return []splice{{end, end, text + p.ending(max(end-1, 0))}}, nil
	}
	return []splice{{len(p.text), len(p.text), p.ending(0) + text}}, nil
}

// replaceText writes the first item instead of a text that means none, such as "".
func replaceText(p *place, item func(indent string) string) ([]splice, error) {
	return []splice{{0, len(p.text), item("") + "\n"}}, nil
}

func (p *place) isFlow() bool {
	if p.list == nil {
		return p.inFlow
	}
	return p.list.Style&yaml.FlowStyle != 0
}

// insert returns the splices that add a mapping at the end.
func (p *place) insert(m Mapping) ([]splice, error) {
	if p.list == nil {
		return p.begin(p, func(indent string) string { return p.firstItem(m, indent) })
	}
	if p.isFlow() {
		f, err := p.flow(p.list)
		if err != nil {
			return nil, err
		}
		return p.insertFlow(f, p.item(m, ""), " "), nil
	}
	items, err := p.blockItems(p.list, p.limit)
	if err != nil || len(items) == 0 {
		return nil, err
	}
	return []splice{p.insertItem(items, p.item(m, p.indent(items[0].lead)))}, nil
}

// item writes a mapping in the style of the list.
func (p *place) item(m Mapping, indent string) string {
	if p.section != mapAccounts {
		return p.styleOf(p.section, p.list).entry(m, p.isFlow(), indent)
	}
	account := p.account(p.list, m.Account)
	if p.isFlow() {
		return account
	}
	pad := " "
	if last := p.list.Content[len(p.list.Content)-1]; last.Kind == yaml.ScalarNode {
		if start, err := p.offset(last); err == nil {
			if dash, err := p.dash(start); err == nil && p.line(dash) == p.line(start) {
				pad = p.text[dash+1 : start]
			}
		}
	}
	return "-" + pad + account
}

// firstItem writes the first mapping of a list.
func (p *place) firstItem(m Mapping, indent string) string {
	text := doubleQuoted(m.Account)
	if p.section != mapAccounts {
		st := defaultStyle(p.section, p.ending(0), p.inFlow)
		text = st.entry(m, p.inFlow, indent)
	} else if !p.inFlow {
		text = "- " + text
	}
	return text
}

// remove returns the splices that remove an item.
func (p *place) remove(index int) ([]splice, error) {
	if anchor := anchorIn(p.list.Content[index]); anchor != "" {
		return nil, refuse("the entry on %s has the anchor &%s, which others may refer to", p.at(p.list.Content[index].Line), anchor)
	}
	if p.isFlow() {
		f, err := p.flow(p.list)
		if err != nil {
			return nil, err
		}
		return p.removeFlow(f, index), nil
	}
	items, err := p.blockItems(p.list, p.limit)
	if err != nil {
		return nil, err
	}
	return []splice{p.removeItem(items, index)}, nil
}

func anchorIn(node *yaml.Node) string {
	if node.Anchor != "" {
		return node.Anchor
	}
	for _, child := range node.Content {
		if anchor := anchorIn(child); anchor != "" {
			return anchor
		}
	}
	return ""
}

// mappings returns the mapping of each item, as it is written. One that is invalid has
// only the principal that it names, if any.
func (p *place) mappings() []Mapping {
	if p == nil || p.list == nil {
		return nil
	}
	mappings := make([]Mapping, len(p.list.Content))
	for i, node := range p.list.Content {
		mappings[i] = mappingOf(p.section, resolve(node))
	}
	return mappings
}

func mappingOf(section string, node *yaml.Node) Mapping {
	m := Mapping{Section: section}
	if section == mapAccounts {
		if node.Kind == yaml.ScalarNode {
			m.Account = node.Value
		}
		return m
	}
	read := awsauth.ParseItem(section, node, awsauth.Options{})
	for entry := range read.Table.Entries() {
		m.ARN, m.SSO, m.Username = entry.ARN, entry.SSO, entry.Username.String()
		for _, group := range entry.Groups {
			m.Groups = append(m.Groups, group.String())
		}
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if value := resolve(node.Content[i+1]); fieldOf(section, node.Content[i].Value) == fieldARN && value.Kind == yaml.ScalarNode {
			m.ARN = value.Value
		}
	}
	return m
}

func resolve(node *yaml.Node) *yaml.Node {
	if node.Kind == yaml.AliasNode {
		return node.Alias
	}
	return node
}

// A shape is the content of an item, to compare it before and after a change.
type shape struct {
	// all is the whole content; rest is without username and groups.
	all, rest string
	mapping   Mapping
}

func (a shape) equal(b shape) bool { return a.all == b.all }

// is returns an error unless an item is a mapping.
func (a shape) is(m Mapping) error {
	if a.mapping.sameAs(m.Principal) && a.mapping.Username == m.Username && sameGroups(a.mapping.Groups, m.Groups) {
		return nil
	}
	return errors.New("the entry would be read as another one")
}

func sameGroups(a, b []string) bool {
	set := func(groups []string) []string { return slices.Compact(slices.Sorted(slices.Values(groups))) }
	return slices.Equal(set(a), set(b))
}

func (p *place) shapes() []shape {
	if p != nil && p.broken != nil {
		return []shape{{all: p.text}}
	}
	mappings := p.mappings()
	shapes := make([]shape, len(mappings))
	for i, m := range mappings {
		node := p.list.Content[i]
		rest := *node
		rest.Content = nil
		for j := 0; j+1 < len(node.Content) && node.Kind == yaml.MappingNode; j += 2 {
			if field := fieldOf(p.section, node.Content[j].Value); field != fieldUsername && field != fieldGroups {
				rest.Content = append(rest.Content, node.Content[j:j+2]...)
			}
		}
		shapes[i] = shape{all: structure(node), rest: structure(&rest), mapping: m}
	}
	return shapes
}

// structure returns the content of a node as text, without its place and style.
func structure(node *yaml.Node) string {
	var b strings.Builder
	var write func(*yaml.Node)
	write = func(n *yaml.Node) {
		b.WriteString("(" + n.Tag + "&" + n.Anchor + " " + doubleQuoted(n.Value))
		for _, child := range n.Content {
			write(child)
		}
		b.WriteByte(')')
	}
	write(node)
	return b.String()
}
