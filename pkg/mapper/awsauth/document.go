package awsauth

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/pkg/mapper"
)

// readText reads a section given as YAML or JSON text.
func (r *reading) readText(name, content string, at origin) {
	r.text = text{content, at}
	if excess := textExceeds(content); excess != "" {
		r.tooLarge(name, &yaml.Node{Line: 1, Column: 1}, excess)
		return
	}
	decoder := yaml.NewDecoder(strings.NewReader(content))
	var document yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return // comments alone
	} else if err != nil {
		f := diagnose(r.text, err)
		r.keepLast(mapper.SectionSyntax, name, f.node(), "the YAML does not parse: "+f.cause, f.fix)
		r.showLines(f.node())
		return
	}
	if more := decoder.Decode(new(yaml.Node)); more != nil && isTrailing(more) {
		r.trailingText(name, document.Content[0])
		return
	} else if !errors.Is(more, io.EOF) {
		r.secondDocument(name, content)
	}
	r.readValue(name, document.Content[0])
}

// isTrailing reports whether a document is followed by text that is not another.
func isTrailing(err error) bool {
	return strings.Contains(err.Error(), "did not find expected <document start>")
}

// trailingText reads a section that parses only down to a line that is indented
// less than the first. EKS reads that much, so without a last good content this
// does too.
func (r *reading) trailingText(name string, value *yaml.Node) {
	f := diagnose(r.text, errTrailing)
	if _, ok := r.lastGood(name); ok {
		r.keepLast(mapper.SectionSyntax, name, f.node(), "the YAML does not parse: "+f.cause, f.fix)
	} else {
		r.readValue(name, value)
		r.report(mapper.SectionSyntax, mapper.Error, name, f.node(), "the YAML does not parse: "+f.cause, "as on EKS, only what stands above it acts", f.fix)
	}
	r.showLines(f.node())
}

var errTrailing = errors.New("a line is indented less than the first")

func (r *reading) secondDocument(section, content string) {
	r.warn(mapper.SecondDocument, section, &yaml.Node{Line: secondDocumentLine(content), Column: 1},
		"a second YAML document begins here, and only the first one is read", "remove the line --- and put everything into one document")
}

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

// unquotedTemplate reports a mapping that is a mapping's key.
func (r *reading) unquotedTemplate(name string, at *yaml.Node) {
	example := "{{SessionName}}"
	if len(at.Content) > 0 {
		example = "{{" + shortened(at.Content[0].Value) + "}}"
	}
	fix := fmt.Sprintf("put the whole value in quotes, like %q", example)
	if f, ok := findFault(r.text); ok && f.line == at.Line {
		fix = f.fix
	}
	r.keepLast(mapper.SectionSyntax, name, at, "a value begins with {{ and has no quotes, so YAML reads it as a mapping", fix)
	r.showLines(at)
}
