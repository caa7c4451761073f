// Package document reads the commands in README and docs, and runs them as typed.
package document

import (
	"cmp"
	"context"
	"os/exec"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// OnNode are the sections of docs/operations.md whose commands are for a control-plane
// node.
func OnNode() []string {
	return []string{"Paged? Three commands", "No line in the log", "AuthenticatorAbsent", "AuthenticatorMappingProblems"}
}

var (
	headingLine = regexp.MustCompile(`^#+ +(.+)\n$`)
	fence       = regexp.MustCompile("^( *)```(\\w*)\n$")
)

// Headings returns the headings of a document.
func Headings(document string) (found []string) {
	for line := range strings.Lines(document) {
		if match := headingLine.FindStringSubmatch(line); match != nil {
			found = append(found, match[1])
		}
	}
	return found
}

// Commands returns the commands of a section, up to the next heading: its blocks of sh.
// A block in a list is indented. Without a heading, it returns those of all sections.
func Commands(document, heading string) string {
	var script strings.Builder
	current, language, indentation := "", "", ""
	for line := range strings.Lines(document) {
		switch match := fence.FindStringSubmatch(line); {
		case match != nil && language != "":
			language = ""
		case match != nil:
			indentation, language = match[1], cmp.Or(match[2], "none")
		case language == "sh" && (current == heading || heading == ""):
			script.WriteString(strings.TrimPrefix(line, indentation))
		case language == "":
			if match := headingLine.FindStringSubmatch(line); match != nil {
				current = match[1]
			}
		}
	}
	return script.String()
}

// runTimeout bounds the time of a script.
const runTimeout = 8 * time.Minute

// Run runs commands in one shell, and returns what they print. They must succeed. What
// they started in the background ends with a shell that fails or takes too long.
func Run(t *testing.T, commands, dir string, environment []string) string {
	t.Helper()
	// A cleanup may run commands, when the context of the test is done.
	ctx, cancel := context.WithTimeout(context.Background(), runTimeout)
	defer cancel()
	shell := exec.CommandContext(ctx, "sh", "-e", "-c", commands)
	shell.Dir, shell.Env = dir, environment
	shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	shell.Cancel = func() error { return syscall.Kill(-shell.Process.Pid, syscall.SIGKILL) }
	shell.WaitDelay = 10 * time.Second
	output, err := shell.CombinedOutput()
	if err != nil {
		if shell.Process != nil {
			_ = shell.Cancel()
		}
		t.Fatalf("%v\n%s\nprinted\n%s", err, commands, output)
	}
	return string(output)
}
