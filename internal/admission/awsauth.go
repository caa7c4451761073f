package admission

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/lockout"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

func (g *Guard) judgeAWSAuth(edit Edit) (v Verdict, err error) {
	if g.config.Reading == nil {
		return v, nil
	}
	was, err := dataOf(edit.Old)
	if err != nil {
		return v, err
	}
	is, err := dataOf(edit.New)
	if err != nil {
		return v, err
	}
	// As in the server, a section that does not parse keeps its last good content.
	before := awsauth.Parse(was, g.config.Reading(), g.config.Options)
	if edit.New == nil {
		none := mapper.NewTable(nil, nil, g.config.Options.RolePaths)
		v.Losses = g.dangers(edit, before.Table, none, mapper.Diff(before.Table, none), g.config.AWSAuth)
		v.Warnings = []string{"without aws-auth, nobody whom it mapped can sign in"}
		return v, nil
	}
	after := awsauth.Parse(is, before, g.config.Options)
	v.Warnings = warnings(after.Problems, `"authenticator lint --cluster"`)
	if edit.Old == nil {
		return v, nil // what was not there cannot get worse
	}
	delta := mapper.Diff(before.Table, after.Table)
	v.Losses = slices.Concat(brokenSections(before, after), wrongEntries(before.Problems, after.Problems, delta), g.dangers(edit, before.Table, after.Table, delta, g.config.AWSAuth))
	return v, nil
}

func (g *Guard) dangers(edit Edit, from, to *mapper.Table, delta mapper.Delta, besides Besides) []string {
	return lockout.Dangers(from, to, delta, lockout.Facts{
		Caller: lockout.Caller(edit.Extra), Mapper: besides.Mapper, OtherMasters: besides.Masters, Reserved: besides.Reserved, Nodes: g.config.Nodes,
	})
}

func dataOf(configMap *unstructured.Unstructured) (map[string]string, error) {
	if configMap == nil {
		return nil, nil
	}
	return kube.Data(configMap)
}

// brokenSections returns the sections that parsed before an edit, and no longer do.
func brokenSections(before, after *awsauth.Result) (losses []string) {
	for _, section := range after.Broken() {
		if slices.Contains(before.Broken(), section) {
			continue
		}
		loss := section + " would no longer parse"
		if i := slices.IndexFunc(after.Problems, func(p mapper.Problem) bool { return p.Section == section && breaksSection(p) }); i >= 0 {
			problem := after.Problems[i]
			loss += ": " + problem.String()
			if problem.Excerpt != "" {
				loss += "\n" + problem.Excerpt
			}
		}
		losses = append(losses, loss)
	}
	return losses
}

func breaksSection(p mapper.Problem) bool {
	return p.Code == mapper.SectionSyntax || p.Code == mapper.SectionNotList || p.Code == mapper.SectionTooLarge
}

// isWrong reports whether a problem is an error within a section. A role path is one too:
// it is a warning elsewhere only because EKS accepts the text.
func isWrong(p mapper.Problem) bool {
	return (p.Severity == mapper.Error || p.Code == mapper.RolePath) && !breaksSection(p)
}

// wrongEntries returns the errors that were not there before an edit.
//
// An error that is there in other words is not new: an entry with two mistakes can be
// mended one by one. It counts as the same as long as nobody in its section loses or
// changes access by the edit.
func wrongEntries(before, after []mapper.Problem, delta mapper.Delta) (losses []string) {
	if slices.ContainsFunc(before, func(p mapper.Problem) bool { return p.Code == mapper.MoreProblems }) {
		return nil // the list is not complete, so what is new in it may be old
	}
	gone := map[string]int{} // errors that the edit removes, by section
	old := map[mistake]int{}
	for _, p := range before {
		if isWrong(p) {
			old[mistakeIn(p)]++
			gone[p.Section]++
		}
	}
	var found []mapper.Problem
	for _, p := range after {
		if !isWrong(p) {
			continue
		}
		if m := mistakeIn(p); old[m] > 0 {
			old[m]--
			gone[p.Section]--
			continue
		}
		found = append(found, p)
	}
	for _, change := range delta.Changes {
		if change.Kind() != mapper.Gains {
			gone[change.Old.Rule.Section] = 0
		}
	}
	for _, p := range found {
		if gone[p.Section] > 0 {
			gone[p.Section]--
			continue
		}
		losses = append(losses, p.String())
	}
	return losses
}

// A mistake is an error wherever it is in its section.
type mistake struct {
	code                        mapper.Code
	section, principal, message string
}

var lineNumber = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\bline \d+`) })

func mistakeIn(p mapper.Problem) mistake {
	return mistake{p.Code, p.Section, p.Principal, lineNumber().ReplaceAllString(p.Message, "line")}
}

const (
	// maxWarnings and maxWarning are the limits of an API server for a webhook.
	maxWarnings = 10
	maxWarning  = 256
)

// warnings returns problems, the errors first. The command lists all of them.
func warnings(problems []mapper.Problem, command string) (list []string) {
	for _, severity := range []mapper.Severity{mapper.Error, mapper.Warning} {
		for _, p := range problems {
			if p.Severity == severity {
				list = append(list, p.String())
			}
		}
	}
	if more := len(list) - maxWarnings; more > 0 {
		list = append(list[:maxWarnings-1], fmt.Sprintf("%d more: %s lists them all", more+1, command))
	}
	return list
}

// limited returns a text of at most so many bytes, on one line.
func limited(text string, most int) string {
	text = strings.Join(strings.Fields(printable(text)), " ")
	if len(text) <= most {
		return text
	}
	const cut = "..."
	return strings.ToValidUTF8(text[:most-len(cut)], "") + cut
}
