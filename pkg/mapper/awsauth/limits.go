package awsauth

import (
	"fmt"
	"math"
	"strings"

	"go.yaml.in/yaml/v3"
)

// The limits of a section. They are far above what a cluster needs, and keep a
// ConfigMap from exhausting the server's memory. A section that exceeds one
// keeps its last good content. docs/mapping.md lists them.
const (
	// maxText is the length of a section, or of a file, in bytes. A ConfigMap
	// has at most 1 MiB.
	maxText = 4 << 20
	// maxValues is the number of YAML values in a text. The parser takes about 170
	// bytes for each.
	maxValues = 300_000
	// maxExpanded is the length of a section in bytes after its aliases are expanded.
	maxExpanded = 8 << 20
	maxDepth    = 16
	maxEntries  = 20_000 // in a section
	maxGroups   = 500    // of an entry
)

// An entry or group that exceeds one of these is dropped, alone.
const (
	maxARN  = 2048 // AWS's limit
	maxName = 1024 // of a user or group
)

// maxProblems is the number of problems that one reading lists.
const maxProblems = 200

// textExceeds describes the limit that a text exceeds; empty if it exceeds none.
func textExceeds(text string) string {
	if len(text) > maxText {
		return fmt.Sprintf("it has %d bytes (at most %d)", len(text), maxText)
	}
	if n := countValues(text); n > maxValues {
		return fmt.Sprintf("it has about %d YAML values (at most %d)", n, maxValues)
	}
	return ""
}

// The parser keeps comments, which take the memory of up to four values each. It
// compares each directive with all previous ones; aws-auth needs none.
const (
	commentValues   = 4
	directiveValues = 1000
)

// countValues returns the maximum number of values that the YAML parser creates for a
// text: the parser's memory and time must be bounded before it runs. It counts what can
// start a value, which is nearly exact for real mappings.
func countValues(text string) int {
	at := func(i int) byte {
		if i < 0 || i >= len(text) {
			return '\n'
		}
		return text[i]
	}
	n, alias := 4, false
	for i := range len(text) {
		c := text[i]
		switch c {
		case ',', '[', '{':
			n += 3
		case '-', '?':
			if isBlank(at(i + 1)) {
				n += 2
			}
		case ':':
			if isBlank(at(i+1)) || isFlow(at(i+1)) || isFlow(at(i-1)) || alias {
				n += 2
			}
		case '#':
			if isBlank(at(i - 1)) {
				n += commentValues
			}
		case '%':
			if before := at(i - 1); isBlank(before) && before != ' ' && before != '\t' {
				n += directiveValues
			}
		}
		// A colon ends the name of an alias without a blank.
		alias = c == '*' || alias && c != ':' && !isBlank(c) && !isFlow(c)
	}
	return n
}

// isBlank reports whether a byte may be white space: YAML has line breaks outside
// of ASCII, and in UTF-16 every letter has a zero byte beside it.
func isBlank(c byte) bool { return c <= ' ' || c > '~' }

// isFlow reports whether a character ends a plain value inside [ ] or { }, or is
// a quote.
func isFlow(c byte) bool { return strings.IndexByte(`,[]{}"'`, c) >= 0 }

// A meter measures a section's value. It follows aliases without copying their
// anchors.
type meter struct {
	// values counts the values of the section, each once.
	values int
	// mappingAsKey is a mapping that is the key of another. In aws-auth, only
	// {{SessionName}} without quotes is read that way.
	mappingAsKey *yaml.Node
	anchors      map[*yaml.Node]extent
}

// extent is the size of a value after its aliases are expanded.
type extent struct{ bytes, depth int }

func newMeter() *meter { return &meter{anchors: map[*yaml.Node]extent{}} }

// exceeds describes the limit that a section's list exceeds; empty if it exceeds none.
func (m *meter) exceeds(name string, list *yaml.Node, at origin) string {
	total := m.measure(list)
	switch {
	case total.bytes > maxExpanded:
		return fmt.Sprintf("it has %d bytes or more after its aliases are expanded (at most %d)", total.bytes, maxExpanded)
	case total.depth > maxDepth:
		return fmt.Sprintf("its values are nested %d levels deep (at most %d)", total.depth, maxDepth)
	case len(list.Content) > maxEntries:
		return fmt.Sprintf("it has %d entries (at most %d)", len(list.Content), maxEntries)
	case name == mapAccounts:
		return ""
	}
	for _, item := range list.Content {
		item = resolve(item)
		for key, value := range pairs(item) {
			if n := len(resolve(value).Content); n > maxGroups && strings.EqualFold(key.Value, "groups") {
				line, of := item.Line, " of the text"
				if !at.folded {
					line, _ = at.place(line, 0)
					of = ""
				}
				return fmt.Sprintf("the entry in line %d%s has %d groups (at most %d)", line, of, n, maxGroups)
			}
		}
	}
	return ""
}

func (m *meter) measure(node *yaml.Node) extent {
	node = resolve(node)
	if node.Anchor != "" {
		if known, ok := m.anchors[node]; ok {
			return known
		}
		m.anchors[node] = extent{} // for an alias within its own anchor
	}
	m.values++
	total := extent{bytes: len(node.Value) + 1, depth: 1}
	for i, child := range node.Content {
		if node.Kind == yaml.MappingNode && i%2 == 0 && child.Kind == yaml.MappingNode && m.mappingAsKey == nil {
			m.mappingAsKey = child
		}
		part := m.measure(child)
		total.bytes = min(total.bytes+part.bytes, math.MaxInt32)
		total.depth = max(total.depth, part.depth+1)
	}
	if node.Anchor != "" {
		m.anchors[node] = total
	}
	return total
}
