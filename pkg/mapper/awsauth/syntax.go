package awsauth

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/pkg/mapper"
)

// A SyntaxError is why a text does not parse as YAML, and how to fix it.
type SyntaxError struct {
	Line, Column int
	Cause, Fix   string
	// Edit makes the fix, or is zero.
	Edit mapper.Edit
}

func (e *SyntaxError) Error() string {
	if e.Column > 1 { // 1 also means that the column is unknown
		return fmt.Sprintf("line %d, column %d: %s; %s", e.Line, e.Column, e.Cause, e.Fix)
	}
	return fmt.Sprintf("line %d: %s; %s", e.Line, e.Cause, e.Fix)
}

// A fault is why a text does not parse, and how to fix it.
type fault struct {
	line, column int
	cause, fix   string
	// unquoted is the value at the place if the fix is to put it in quotes.
	unquoted string
}

func faultAt(line, column int, cause, fix string) *fault {
	return &fault{line: line, column: column, cause: cause, fix: fix}
}

func (f fault) error() *SyntaxError {
	return &SyntaxError{f.line, f.column, f.cause, f.fix, f.edit(f.line, f.column)}
}

// edit returns the edit at the place of the fault in the file.
func (f fault) edit(line, column int) mapper.Edit {
	if f.unquoted == "" {
		return mapper.Edit{}
	}
	return mapper.Edit{Kind: mapper.Replace, Line: line, Column: column, Old: f.unquoted, New: f.unquoted}
}

func (f fault) node() *yaml.Node { return &yaml.Node{Line: f.line, Column: f.column} }

// diagnose returns the fault of a text that does not parse. The parser names the line
// where it gave up, or where the entry started; diagnose first looks for the line that
// must be changed.
func diagnose(t text, err error) fault {
	if f, ok := findFault(t); ok {
		return f
	}
	line, cause := yamlError(err)
	return *faultAt(significantLine(t.content, line), 1, cause, "check the indentation, the colons and the quotes near this line")
}

var yamlLine = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^line (\d+): (.*)`) })

// yamlError splits an error of the parser into its line and cause.
func yamlError(err error) (line int, cause string) {
	cause = strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\n", " "), "yaml: ")
	if found := yamlLine().FindStringSubmatch(cause); found != nil {
		line, _ = strconv.Atoi(found[1])
		cause = found[2]
		// Errors of the parser count from 0, those of the scanner from 1.
		if strings.HasPrefix(cause, "did not find expected") {
			line++
		}
	}
	return max(line, 1), shortened(cause)
}

// significantLine returns the line, or the next one that is neither blank nor a
// comment; at the end of the text, the last such line.
func significantLine(content string, line int) int {
	number, found := 0, 1
	for text := range strings.Lines(content) {
		number++
		if text = strings.TrimSpace(text); text == "" || text[0] == '#' {
			continue
		}
		if found = number; number >= line {
			break
		}
	}
	return found
}
