package awsauth

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/pkg/mapper"
)

// ParseYAML parses the first YAML document of a text, unless that could take much
// memory or time. Root is nil for a text without a document. Unread describes the text
// after the document, which is not read; it is nil if there is none. The error is a
// [*SyntaxError], unless the text is too large.
func ParseYAML(content string) (root *yaml.Node, unread *SyntaxError, err error) {
	if excess := textExceeds(content); excess != "" {
		return nil, nil, errors.New("the file is too large: " + excess)
	}
	root, rest, err := firstDocument(content)
	if err != nil {
		return nil, nil, diagnose(text{content: content}, err).error()
	}
	if rest == nothing {
		return root, nil, nil
	}
	f := unreadFault(text{content: content}, rest)
	if rest == outdented {
		f.cause += ", and nothing below it is read"
	}
	return root, f.error(), nil
}

// A rest is the kind of text that follows the first document.
type rest int

const (
	nothing rest = iota
	anotherDocument
	// outdented is text that is indented less than the document.
	outdented
)

// firstDocument parses and returns the first document of a text; nil if there is none.
func firstDocument(content string) (*yaml.Node, rest, error) {
	decoder := yaml.NewDecoder(strings.NewReader(content))
	var document yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil, nothing, nil
	} else if err != nil {
		return nil, nothing, err
	}
	switch err := decoder.Decode(new(yaml.Node)); {
	case errors.Is(err, io.EOF):
		return document.Content[0], nothing, nil
	case err != nil && strings.Contains(err.Error(), "did not find expected <document start>"):
		return document.Content[0], outdented, nil
	default:
		return document.Content[0], anotherDocument, nil
	}
}

// unreadFault describes the text that follows the first document.
func unreadFault(t text, what rest) fault {
	if what == outdented {
		return diagnose(t, errOutdented)
	}
	return *faultAt(secondDocumentLine(t.content), 1,
		"a second YAML document starts here, but only the first one is read", "remove the line --- and put everything into one document")
}

var errOutdented = errors.New("a line is indented less than the first")

// secondDocumentLine returns the line that ends the first document.
func secondDocumentLine(content string) int {
	number, begun := 0, false
	for line := range strings.Lines(content) {
		number++
		marker := strings.HasPrefix(line, "---") || strings.HasPrefix(line, "...")
		if marker && begun {
			return number
		}
		line = strings.TrimSpace(line)
		begun = begun || line != "" && !strings.HasPrefix(line, "#") && !strings.HasPrefix(line, "%")
	}
	return max(number, 1)
}

// readText reads a section given as YAML or JSON text.
func (r *reading) readText(name, content string, at origin) {
	r.text = text{content, at}
	if excess := textExceeds(content); excess != "" {
		r.tooLarge(name, &yaml.Node{Line: 1, Column: 1}, excess)
		return
	}
	root, rest, err := r.document(name, content)
	switch {
	case err != nil:
		f := diagnose(r.text, err)
		r.keepLast(mapper.SectionSyntax, name, f.node(), r.unparsed(f), f.fix)
		r.showLines(f.node())
		r.suggestQuotes(f)
	case root == nil: // only comments
	case rest == outdented:
		r.outdentedText(name, root)
	default:
		if rest == anotherDocument {
			r.secondDocument(name)
		}
		r.readValue(name, root)
	}
}

// unparsed returns the message about the fault of a section. It has the place if all lines
// of the section are in one line of the file.
func (r *reading) unparsed(f fault) string {
	if r.text.origin.folded {
		return fmt.Sprintf("the YAML does not parse: line %d, column %d of the text: %s", f.line, f.column, f.cause)
	}
	return "the YAML does not parse: " + f.cause
}

// document parses the first document of a section's text, or only what differs from the
// last reading.
func (r *reading) document(name, content string) (*yaml.Node, rest, error) {
	var last *parsed
	if r.last != nil {
		last = r.last.parsed[name]
	}
	if edited := last.edited(content); edited != nil {
		r.parsed[name] = edited
		return edited.root, nothing, nil
	}
	root, rest, err := firstDocument(content)
	if root != nil {
		AsYAML11(root)
	}
	if err == nil && rest == nothing {
		r.parsed[name] = newParsed(content, root)
	}
	return root, rest, err
}

// outdentedText reads a section that parses only down to a line that is indented
// less than the first. EKS reads the lines above it, so without a last good content
// this does too.
func (r *reading) outdentedText(name string, value *yaml.Node) {
	f := unreadFault(r.text, outdented)
	if _, ok := r.lastGood(name); ok {
		r.keepLast(mapper.SectionSyntax, name, f.node(), r.unparsed(f), f.fix)
	} else {
		r.broken[name] = true
		r.readValue(name, value)
		r.report(mapper.SectionSyntax, mapper.Error, name, f.node(), r.unparsed(f), "as on EKS, only the lines above it apply", f.fix)
	}
	r.showLines(f.node())
}

func (r *reading) secondDocument(section string) {
	f := unreadFault(r.text, anotherDocument)
	lines := strings.SplitAfterN(r.text.content, "\n", f.line+1)
	rest := "\n" + lines[len(lines)-1]
	hasSection := slices.ContainsFunc(sectionNames(), func(name string) bool { return strings.Contains(rest, name+":") })
	if section == "" && !hasSection && strings.Contains(rest, "\nkind:") {
		f.fix = "put the other manifest into a file of its own"
	}
	r.warn(mapper.SecondDocument, section, f.node(), f.cause, f.fix)
}

// unquotedTemplate reports a mapping that is a key of another mapping.
func (r *reading) unquotedTemplate(name string, at *yaml.Node) {
	example := "{{SessionName}}"
	if len(at.Content) > 0 {
		example = "{{" + shortened(at.Content[0].Value) + "}}"
	}
	found := fault{fix: fmt.Sprintf("put the whole value in quotes, like %q", example)}
	if f, ok := findFault(r.text); ok && f.line == at.Line {
		found = f
	}
	r.keepLast(mapper.SectionSyntax, name, at, "a value starts with {{ without quotes, so YAML reads it as a mapping", found.fix)
	r.showLines(at)
	found.line, found.column = at.Line, at.Column-1 // the place is that of the inner {
	r.suggestQuotes(found)
}

// suggestQuotes suggests quotes around the value of a fault, if that fixes it.
func (r *reading) suggestQuotes(f fault) {
	line, column := r.text.origin.place(f.line, f.column)
	if last := &r.problems[len(r.problems)-1]; last.Line == line && !r.text.origin.folded {
		last.Edit = f.edit(line, column)
	}
}
