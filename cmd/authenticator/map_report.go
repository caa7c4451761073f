package main

import (
	"fmt"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// edited is what the commands that edit mappings print for programs.
type edited struct {
	Target string     `json:"target"`
	Result editResult `json:"result"`
	// Old and New are the entries that the edit removes and adds. An entry that it changes
	// is in both.
	Old []mapping `json:"old"`
	New []mapping `json:"new"`
	// Access is who gains, loses or changes access.
	Access []diffChange `json:"access"`
	// Dangers are the reasons why the edit needs --force.
	Dangers []string `json:"dangers"`
	// ResourceVersion is that of aws-auth after the edit.
	ResourceVersion string `json:"resourceVersion,omitempty"`
}

// editResult is what became of an edit.
type editResult string

const (
	resultCreated   editResult = "created"
	resultEdited    editResult = "edited"
	resultPlanned   editResult = "planned" // by --dry-run
	resultUnchanged editResult = "unchanged"
)

func newEdited(target mapTarget, from, to *awsauth.Result, delta mapper.Delta, dangers []string) edited {
	before, after := mappingsOf(from), mappingsOf(to)
	return edited{Target: target.name(), Old: without(before, after), New: without(after, before), Access: diffObject(delta).Changes, Dangers: dangers}
}

// without returns the mappings that others do not have, whatever their lines.
func without(mappings, others []mapping) (rest []mapping) {
	count := map[string]int{}
	for _, m := range others {
		count[m.key()]++
	}
	for _, m := range mappings {
		if count[m.key()]--; count[m.key()] < 0 {
			rest = append(rest, m)
		}
	}
	return rest
}

// key is the same for mappings that differ in their lines alone.
func (m mapping) key() string {
	return fmt.Sprintf("%q", append([]string{m.Section, m.principal(), m.Username, fmt.Sprint(m.Applies)}, m.Groups...))
}

// report prints an edit for programs, or its text for people.
func (o *editOptions) report(p *program, e edited, text string) error {
	if o.output.String() == formatText {
		return p.printf(p.out, "%s", text)
	}
	// Lists are never null.
	e.Old, e.New = append([]mapping{}, e.Old...), append([]mapping{}, e.New...)
	e.Access, e.Dangers = append([]diffChange{}, e.Access...), append([]string{}, e.Dangers...)
	return o.output.Print(p.out, e, nil)
}

// planText returns what an edit would do, for people.
func planText(parts []part, delta mapper.Delta, dangers []string) string {
	var b strings.Builder
	for _, part := range parts {
		if part.before != part.after {
			b.WriteString(cli.PrintableLines(string(diff.Diff("a/"+part.name, []byte(part.before), "b/"+part.name, []byte(part.after)))))
		}
	}
	b.WriteString(diffText(delta))
	for _, danger := range dangers {
		fmt.Fprintf(&b, "needs --force: %s\n", cli.Printable(danger))
	}
	return b.String()
}
