package awsauth

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/pkg/mapper"
)

// A reading collects what one reading of a source finds.
type reading struct {
	opts     Options
	last     *Result
	sections map[string]section
	problems []mapper.Problem
}

func newReading(last *Result, opts Options) *reading {
	return &reading{opts: opts, last: last, sections: map[string]section{}}
}

// report adds a problem at a node; a nil node means that there is no place.
func (r *reading) report(code mapper.Code, severity mapper.Severity, section string, at *yaml.Node, message, fix string) {
	p := mapper.Problem{Code: code, Severity: severity, Section: section, Message: message, Fix: fix}
	if at != nil {
		p.Line, p.Column = at.Line, at.Column
	}
	r.problems = append(r.problems, p)
}

func (r *reading) drop(code mapper.Code, section string, at *yaml.Node, message, fix string) {
	r.report(code, mapper.Error, section, at, message+"; the entry is ignored", fix)
}

func (r *reading) warn(code mapper.Code, section string, at *yaml.Node, message, fix string) {
	r.report(code, mapper.Warning, section, at, message, fix)
}

// keepLast gives a section that does not parse its last good content.
func (r *reading) keepLast(code mapper.Code, name string, at *yaml.Node, message, fix string) {
	consequence := "; nothing in it acts until it is mended"
	if r.last != nil {
		if section, ok := r.last.sections[name]; ok {
			r.sections[name] = section
			consequence = "; its last good content stays in force"
		}
	}
	r.report(code, mapper.Error, name, at, message+consequence, fix)
}

// readText reads a section given as YAML or JSON text.
func (r *reading) readText(name, text string) {
	decoder := yaml.NewDecoder(strings.NewReader(text))
	var document yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return // comments alone
	} else if err != nil {
		line, message := syntaxError(err)
		line, fix := diagnose(text, line)
		r.keepLast(mapper.SectionSyntax, name, &yaml.Node{Line: line, Column: 1}, "the YAML does not parse: "+message, fix)
		return
	}
	var second yaml.Node
	if err := decoder.Decode(&second); !errors.Is(err, io.EOF) {
		r.warn(mapper.SecondDocument, name, &second, "there is something behind the end of the first YAML document; it is ignored", "remove the line --- and put all entries into one list")
	}
	if at := unquotedTemplate(&document); at != nil {
		_, fix := diagnose(text, at.Line)
		r.keepLast(mapper.SectionSyntax, name, at, "a value that begins with {{ is not quoted, so that YAML takes it for a map", fix)
		return
	}
	r.readValue(name, document.Content[0])
}

// unquotedTemplate finds a map whose key is a map, which is how YAML reads
// {{SessionName}} without quotes, and which nothing else in aws-auth can be.
func unquotedTemplate(node *yaml.Node) *yaml.Node {
	for i, child := range node.Content {
		if node.Kind == yaml.MappingNode && i%2 == 0 && child.Kind == yaml.MappingNode {
			return child
		}
		if found := unquotedTemplate(child); found != nil {
			return found
		}
	}
	return nil
}

// readValue reads a section given as a YAML value.
func (r *reading) readValue(name string, value *yaml.Node) {
	value = resolve(value)
	if value.Kind == yaml.ScalarNode && (value.Tag == "!!null" || isEmpty(value.Value)) {
		return
	}
	if value.Kind != yaml.SequenceNode {
		r.keepLast(mapper.SectionNotList, name, value, "it is not a list", `begin each entry with "- "`)
		return
	}
	var s section
	for _, item := range value.Content {
		if name == mapAccounts {
			r.readAccount(&s, resolve(item))
		} else {
			r.readEntry(&s, name, resolve(item))
		}
	}
	r.sections[name] = s
}

func (r *reading) readAccount(s *section, item *yaml.Node) {
	// The text and not the number: as a number 012345678901 loses its zero, and
	// 012345670123 is read as octal.
	if item.Kind != yaml.ScalarNode || !isAccountID(item.Value) {
		r.drop(mapper.InvalidAccountID, mapAccounts, item, fmt.Sprintf("%s is not an account ID", described(item)), `write the account's 12 digits in quotes, like "012345678901"`)
		return
	}
	for _, account := range s.accounts {
		if account.ID == item.Value {
			r.warn(mapper.DuplicateEntry, mapAccounts, item, "account "+item.Value+" stands here twice", "remove one")
			return
		}
	}
	s.accounts = append(s.accounts, mapper.Account{ID: item.Value, Rule: r.rule(mapAccounts, item)})
}

func (r *reading) rule(section string, at *yaml.Node) mapper.Rule {
	return mapper.Rule{Source: r.opts.Source, Section: section, Line: at.Line}
}

// checkKey reports a key that somebody meant to be a section.
func (r *reading) checkKey(key string, line, column int) {
	if isSection(key) {
		return
	}
	for _, name := range sectionNames() {
		if nearMiss(key, name) {
			r.warn(mapper.UnknownSection, key, &yaml.Node{Line: line, Column: column}, fmt.Sprintf("the key %q means nothing, and what stands under it does not act", key), fmt.Sprintf("write %s", name))
		}
	}
}

// nearMiss reports whether a key is meant to be a section's name: alike but
// for case, dashes, or a letter more or less at its end.
func nearMiss(key, name string) bool {
	fold := func(s string) string {
		return strings.TrimSuffix(strings.ToLower(strings.NewReplacer("-", "", "_", "", " ", "", ".", "").Replace(s)), "s")
	}
	return fold(key) == fold(name)
}

// result makes the table of what was read.
func (r *reading) result() *Result {
	// mapRoles first: of a principal in both, the later one must not win.
	entries := slices.Concat(r.sections[mapUsers].entries, r.sections[mapRoles].entries)
	result := &Result{Table: mapper.NewTable(entries, r.sections[mapAccounts].accounts, r.opts.RolePaths), sections: r.sections}
	r.reportInert(result.Table)
	order := map[string]int{mapRoles: 0, mapUsers: 1, mapAccounts: 2}
	slices.SortStableFunc(r.problems, func(a, b mapper.Problem) int {
		return cmp.Or(cmp.Compare(order[a.Section], order[b.Section]), cmp.Compare(a.Line, b.Line))
	})
	result.Problems = r.problems
	return result
}

// reportInert reports the role paths that strip cannot make anything of; those
// that are ignored have been reported where they stand.
func (r *reading) reportInert(table *mapper.Table) {
	if r.opts.RolePaths != mapper.RolePathsStrip {
		return
	}
	for _, entry := range table.Inert() {
		r.drop(mapper.RolePath, entry.Rule.Section, &yaml.Node{Line: entry.Rule.Line, Column: 1},
			"another entry is for a role of the same name, and AWS does not answer the paths that tell them apart", "keep the entry of the role that there is")
	}
}

var yamlLine = regexp.MustCompile(`line (\d+): (.*)`)

// syntaxError takes the line out of a YAML error.
func syntaxError(err error) (line int, message string) {
	message = strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\n", " "), "yaml: ")
	if found := yamlLine.FindStringSubmatch(message); found != nil {
		line, _ = strconv.Atoi(found[1])
		message = found[2]
	}
	return max(line, 1), message
}

// diagnose guesses what a text means that does not parse, and where the mistake
// is: the parser complains of the line where it gave up, or of the one where the
// entry began.
func diagnose(text string, line int) (at int, fix string) {
	lines := strings.Split(text, "\n")
	for i, text := range lines {
		key, value, ok := strings.Cut(strings.TrimLeft(text, " -"), ":")
		if value = strings.TrimSpace(value); ok && strings.HasPrefix(value, "{{") {
			return i + 1, fmt.Sprintf("quote the value: %s: %q", key, value)
		}
	}
	for i, text := range lines {
		if strings.HasPrefix(strings.TrimLeft(text, " "), "\t") {
			return i + 1, "indent with spaces, not with tabs"
		}
	}
	return line, "check the indentation, the colons and the quotes near this line"
}
