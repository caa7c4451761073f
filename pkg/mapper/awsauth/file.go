package awsauth

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/pkg/mapper"
)

// ParseFile reads a file of mappings: the manifest of an aws-auth ConfigMap, its
// bare data, or the JSON of aws-iam-authenticator's DynamicFile. The sections
// may be text, as in a ConfigMap, or native lists, which a ConfigMap cannot have: they are
// read all the same, since a server keeps the mappings of its file. Lines are the file's.
//
// An error means that the file as a whole cannot be read: the mappings of the last
// reading should stay in force.
func ParseFile(content []byte, last *Result, opts Options) (*Result, error) {
	r := newReading(last, opts)
	r.isAWSAuth = !opts.SectionsInAnyCase // otherwise it is a DynamicFile
	whole := string(content)
	r.text.content = whole
	if excess := textExceeds(whole); excess != "" {
		return nil, errors.New("parsing mappings: the file is too large: " + excess)
	}
	root, rest, err := firstDocument(whole)
	switch {
	case err != nil:
		return nil, fmt.Errorf("parsing mappings: %w", diagnose(r.text, err).error())
	case rest == outdented:
		return nil, fmt.Errorf("parsing mappings: %w", unreadFault(r.text, rest).error())
	case rest == anotherDocument:
		r.secondDocument("")
	}
	if isNone(root) {
		r.noSections(root, false)
		return r.result(), nil
	}
	AsYAML11(root)
	if root.Kind != yaml.MappingNode {
		return nil, errors.New("parsing mappings: the file is not a mapping with mapRoles, mapUsers or mapAccounts")
	}
	data, err := r.dataOf(root)
	if err != nil {
		return nil, fmt.Errorf("parsing mappings: %w", err)
	}
	some, err := r.readSections(data, whole, data != root)
	if err != nil {
		return nil, fmt.Errorf("parsing mappings: %w", err)
	}
	if !some {
		r.noSections(root, data != root)
	}
	return r.result(), nil
}

// dataOf returns the mapping that holds a file's sections.
func (r *reading) dataOf(root *yaml.Node) (*yaml.Node, error) {
	kind, data := value(root, "kind"), value(root, "data")
	switch {
	case kind == nil && !hasSection(root) && hasSection(data):
		at := keyOf(root, "data")
		r.warn(mapper.NoKind, "", at, "the file has data but no kind; it is read as the manifest of a ConfigMap", "add kind: ConfigMap and apiVersion: v1")
		r.suggest(at, mapper.Edit{Kind: mapper.Insert, Line: root.Line, New: newHeader(root)})
		return data, nil
	case kind == nil && !hasSection(root) && (value(root, "server") != nil || value(root, "clusterID") != nil):
		return nil, errors.New("the file is a configuration file of the server, with clusterID or server (pass it with --config)")
	case kind == nil:
		return root, nil
	case strings.HasSuffix(kind.Value, "List"):
		return nil, fmt.Errorf("line %d: the file is a %s: expected the manifest of one ConfigMap", kind.Line, quoted(kind.Value))
	case kind.Value != "ConfigMap":
		return nil, fmt.Errorf("line %d: the file is the manifest of a %s: expected a ConfigMap", kind.Line, quoted(kind.Value))
	}
	metadata := value(root, "metadata")
	for _, wanted := range [][2]string{{"name", "aws-auth"}, {"namespace", "kube-system"}} {
		field, want := wanted[0], wanted[1]
		if got := value(metadata, field); got != nil && got.Value != want {
			r.warn(mapper.OtherConfigMap, "", got, fmt.Sprintf("the cluster ignores the ConfigMap of this manifest, which has the %s %s, not %s", field, quoted(got.Value), want),
				fmt.Sprintf("write %s: %s", field, want))
		}
	}
	return data, nil
}

// newHeader returns the lines that a manifest without a kind lacks.
func newHeader(root *yaml.Node) string {
	if value(root, "apiVersion") != nil {
		return "kind: ConfigMap\n"
	}
	return "apiVersion: v1\nkind: ConfigMap\n"
}

func hasSection(node *yaml.Node) bool {
	for key := range pairs(node) {
		if isSection(key.Value) {
			return true
		}
	}
	return false
}

// readSections reads the sections of a file, which are in a ConfigMap's manifest or
// alone, and reports whether there are some.
func (r *reading) readSections(data *yaml.Node, whole string, manifest bool) (some bool, err error) {
	lines := map[string]int{}
	for key, section := range pairs(data) {
		name, ok := r.sectionOf(key)
		if !ok {
			r.checkKey(key.Value, key)
			continue
		}
		if first, twice := lines[name]; twice {
			return true, &SyntaxError{Line: key.Line, Column: key.Column, Cause: fmt.Sprintf("%s is set on line %d already", name, first), Fix: "remove one of them"}
		}
		lines[name] = key.Line
		if section = resolve(section); section.Kind != yaml.ScalarNode {
			if manifest {
				r.report(mapper.SectionNotText, mapper.Error, name, section, "a ConfigMap has only text, not "+described(section), "the cluster rejects the manifest",
					fmt.Sprintf("write %s: | and indent the list below it", name))
			}
			r.readValue(name, section)
		} else if !isEmpty(section.Value) {
			r.readText(name, section.Value, originOf(section, whole))
			r.text = text{content: whole}
		}
	}
	return len(lines) > 0, nil
}

// noSections reports a file without sections. Those of a manifest must be below data.
func (r *reading) noSections(root *yaml.Node, manifest bool) {
	at, message, fix := &yaml.Node{Line: 1, Column: 1}, "the file has no mapRoles, mapUsers or mapAccounts", "write mapRoles: [] if that is intended"
	if manifest {
		fix = `write mapRoles: "[]" below data: if that is intended`
		for key := range pairs(root) {
			if isSection(key.Value) {
				at, message, fix = key, key.Value+" is not below data", "indent it, and all of its lines, below data:"
				break
			}
		}
	}
	r.report(mapper.NoSections, mapper.Error, "", at, message, "it maps nobody", fix)
}

// originOf returns the place of a section's text in a file.
func originOf(section *yaml.Node, whole string) origin {
	if section.Style&yaml.LiteralStyle == 0 {
		return origin{line: section.Line, column: section.Column, folded: true}
	}
	// A block of text starts on the line after its |. Its first line that is not
	// blank shows how far it is indented in the file.
	o := origin{line: section.Line}
	lines := strings.SplitN(whole, "\n", section.Line+1)
	rest := lines[len(lines)-1]
	for line := range strings.Lines(section.Value) {
		var inFile string
		inFile, rest, _ = strings.Cut(rest, "\n")
		if strings.TrimSpace(line) != "" {
			o.column = max(indentation(inFile)-indentation(line), 0)
			break
		}
	}
	return o
}

func indentation(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }
