package awsauth

import (
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/pkg/mapper"
)

// maxParsed is the length of a text whose YAML nodes are kept for the next reading. They
// take about ten times its memory.
const maxParsed = 256 << 10

// A parsed is a block sequence that was parsed, so that after an edit of its text only
// the changed items are parsed: parsing takes most of the time of a reading. Nothing
// changes it once it was read.
type parsed struct {
	content string
	root    *yaml.Node
	items   []place
	read    readItems
}

// readItems are the entries that were read from items, but for those with anything to
// report, with the options and the origin of the text that made them so.
type readItems struct {
	opts    Options
	origin  origin
	entries map[*yaml.Node]mapper.Entry
}

// place is where an item begins.
type place struct{ offset, line int }

// newParsed returns a parsed text, or nil if it is too long or its items have no clear
// bounds.
func newParsed(content string, root *yaml.Node) *parsed {
	if len(content) > maxParsed {
		return nil
	}
	p := &parsed{content: content, root: root, items: split(content)}
	if !haveItems(root, p.items, 0) {
		return nil
	}
	return p
}

// edited returns the nodes of another version of the text; nil if it must be parsed as a
// whole. They are those of a parsing as a whole.
func (p *parsed) edited(content string) *parsed {
	if p == nil || len(content) > maxParsed {
		return nil
	}
	e := &parsed{content: content, items: split(content)}
	most := min(len(p.items), len(e.items))
	first, last := 0, 0 // the unchanged items at the start and at the end
	for first < most && p.item(first) == e.item(first) {
		first++
	}
	for last < most-first && p.item(len(p.items)-1-last) == e.item(len(e.items)-1-last) {
		last++
	}
	if first+last == 0 {
		return nil
	}
	root := *p.root
	root.Line = e.items[0].line
	end := len(e.items) - last
	root.Content = make([]*yaml.Node, 0, len(e.items))
	root.Content = append(root.Content, moved(p.root.Content[:first], e.items[0].line-p.items[0].line)...)
	if first < end {
		before := e.items[first].line - 1
		changed, rest, err := firstDocument(content[e.items[first].offset:e.start(end)])
		if err != nil || rest != nothing || !haveItems(changed, e.items[first:end], before) {
			return nil
		}
		AsYAML11(changed)
		root.Content = append(root.Content, moved(changed.Content, before)...)
	}
	if last > 0 {
		root.Content = append(root.Content, moved(p.root.Content[len(p.items)-last:], e.items[end].line-p.items[len(p.items)-last].line)...)
	}
	e.root = &root
	return e
}

// lastRead returns the entries of a section that the last reading read from items with
// nothing to report, if it would read them in the same way.
func (r *reading) lastRead(name string) map[*yaml.Node]mapper.Entry {
	if r.last == nil || r.last.parsed[name] == nil {
		return nil
	}
	read := r.last.parsed[name].read
	if read.opts != r.opts || read.origin != r.text.origin {
		return nil
	}
	return read.entries
}

// start returns the offset of an item; after the last one, that of the end.
func (p *parsed) start(i int) int {
	if i < len(p.items) {
		return p.items[i].offset
	}
	return len(p.content)
}

func (p *parsed) item(i int) string { return p.content[p.start(i):p.start(i+1)] }

// haveItems reports whether the items of a list begin at these places, and in no others.
// Lines of the list count from a line of the text.
func haveItems(list *yaml.Node, items []place, from int) bool {
	if list == nil || list.Kind != yaml.SequenceNode || len(list.Content) != len(items) {
		return false
	}
	for i, item := range list.Content {
		if item.Line+from != items[i].line {
			return false
		}
	}
	return true
}

// moved returns nodes that are some lines further down.
func moved(nodes []*yaml.Node, lines int) []*yaml.Node {
	if lines == 0 || len(nodes) == 0 {
		return nodes
	}
	all := make([]*yaml.Node, len(nodes))
	for i, node := range nodes {
		n := *node
		n.Line += lines
		n.Content = moved(n.Content, lines)
		all[i] = &n
	}
	return all
}

// split returns the places of the items of a block sequence, each of which can be parsed
// alone; none if the text may be anything else. Comments, anchors, aliases, tags,
// directives, block scalars, tabs and characters outside of ASCII are left to the parser.
func split(content string) (items []place) {
	offset, line, column := 0, 0, -1
	for text := range strings.Lines(content) {
		line++
		if strings.ContainsFunc(text, isSpecial) {
			return nil
		}
		rest := strings.TrimLeft(text, " ")
		indent := len(text) - len(rest)
		switch {
		case strings.TrimSpace(rest) == "":
		case indent > column && column >= 0: // continues an item
		case strings.HasPrefix(rest, "- ") && (indent == column || column < 0):
			column = indent
			items = append(items, place{offset, line})
		default:
			return nil
		}
		offset += len(text)
	}
	return items
}

func isSpecial(c rune) bool {
	switch c {
	case '#', '&', '*', '!', '%', '|', '>', '?':
		return true
	}
	return c < ' ' && c != '\n' || c > '~'
}
