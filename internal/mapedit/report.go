package mapedit

import (
	"fmt"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/delta"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// A Report is what became of an edit, as programs read it.
type Report struct {
	Target string `json:"target"`
	Result Result `json:"result"`
	// Old and New are the entries that the edit removes and adds. An entry that it changes
	// is in both.
	Old []Mapping `json:"old"`
	New []Mapping `json:"new"`
	// Access is who gains, loses or changes access.
	Access []delta.Change `json:"access"`
	// Dangers are the reasons why the edit needs --force.
	Dangers []string `json:"dangers"`
	// ResourceVersion is that of aws-auth after the edit.
	ResourceVersion string `json:"resourceVersion,omitempty"`
}

// Result is what became of an edit.
type Result string

// What becomes of an edit.
const (
	Created   Result = "created"
	Edited    Result = "edited"
	Planned   Result = "planned" // by --dry-run
	Unchanged Result = "unchanged"
)

func newReport(target Target, from, to *awsauth.Result, changes mapper.Delta, dangers []string) Report {
	before, after := MappingsOf(from), MappingsOf(to)
	return Report{Target: target.Name(), Old: without(before, after), New: without(after, before), Access: delta.New(changes).Changes, Dangers: dangers}
}

// without returns the mappings that others do not have, whatever their lines.
func without(mappings, others []Mapping) (rest []Mapping) {
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
func (m Mapping) key() string {
	return fmt.Sprintf("%q", append([]string{m.Section, m.Principal(), m.Username, fmt.Sprint(m.Applies)}, m.Groups...))
}

// planText returns what an edit would do, for people.
func planText(parts []Part, changes mapper.Delta, dangers []string) string {
	var b strings.Builder
	for _, part := range parts {
		if part.before != part.after {
			b.WriteString(cli.PrintableLines(string(diff.Diff("a/"+part.name, []byte(part.before), "b/"+part.name, []byte(part.after)))))
		}
	}
	b.WriteString(delta.Text(changes))
	for _, danger := range dangers {
		fmt.Fprintf(&b, "needs --force: %s\n", cli.Printable(danger))
	}
	return b.String()
}
