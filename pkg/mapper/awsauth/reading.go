package awsauth

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/pkg/mapper"
)

// A reading collects the mappings and problems of one reading of a source.
type reading struct {
	opts Options
	// isAWSAuth is set for the text of an aws-auth, which EKS reads too.
	isAWSAuth bool
	last      *Result
	sections  map[string]section
	broken    map[string]bool
	// parsed has the texts of sections for the next reading.
	parsed   map[string]*parsed
	problems []mapper.Problem
	// silent reads what has no effect; its problems are not reported.
	silent *reading
	// unlisted counts the problems beyond maxProblems; worst is the severity of
	// the worst of them.
	unlisted int
	worst    mapper.Severity
	found    map[mapper.Code]int

	// text is the text that is being read, and principal the ARN of the entry in it.
	text      text
	principal string
	// groups and groupLists have the groups and lists of groups that were read
	// already, by their text. anchored has lists with problems, which are reported
	// once, however many aliases refer to them.
	groups     map[string]mapper.Template
	groupLists map[string][]mapper.Template
	anchored   map[*yaml.Node][]mapper.Template
	buffer     []byte
	// weaklyTyped is set for the configuration file; convertedGroups has its converted
	// lists by the original.
	weaklyTyped     bool
	convertedGroups map[*yaml.Node]*yaml.Node
	steps           int
	ignoresUserIDs  bool
}

func newReading(last *Result, opts Options) *reading {
	return &reading{
		opts: opts.effective(), last: last, sections: map[string]section{}, broken: map[string]bool{}, parsed: map[string]*parsed{}, found: map[mapper.Code]int{},
		groups: map[string]mapper.Template{}, groupLists: map[string][]mapper.Template{}, anchored: map[*yaml.Node][]mapper.Template{},
		convertedGroups: map[*yaml.Node]*yaml.Node{},
	}
}

// report adds a problem at a node; a nil node means that there is no place.
func (r *reading) report(code mapper.Code, severity mapper.Severity, section string, at *yaml.Node, message, effect, fix string) {
	p := mapper.Problem{Code: code, Severity: severity, Section: section, Principal: r.principal, Message: message, Effect: effect, Fix: fix}
	if at != nil {
		p.Line, p.Column = r.text.origin.place(at.Line, at.Column)
	}
	r.add(p)
}

// reported returns the number of problems so far.
func (r *reading) reported() int { return len(r.problems) + r.unlisted }

func (r *reading) add(p mapper.Problem) {
	r.found[p.Code]++
	if len(r.problems) < maxProblems {
		r.problems = append(r.problems, p)
		return
	}
	// An error replaces a warning in the list.
	if p.Severity == mapper.Error {
		isWarning := func(p mapper.Problem) bool { return p.Severity == mapper.Warning }
		if i := slices.IndexFunc(r.problems, isWarning); i >= 0 {
			listed := p
			p = r.problems[i]
			r.problems = append(slices.Delete(r.problems, i, i+1), listed)
		}
	}
	r.unlisted++
	if r.worst != mapper.Error {
		r.worst = p.Severity
	}
}

// showLines adds an excerpt of the text to the last reported error, if it is listed.
func (r *reading) showLines(at *yaml.Node) {
	line, column := r.text.origin.place(at.Line, at.Column)
	if last := &r.problems[len(r.problems)-1]; last.Line == line && last.Column == column {
		last.Excerpt = r.text.excerpt(at.Line)
	}
}

// suggest adds an edit to the problem reported last, if it is listed. An edit without a
// line is at the place of the problem.
func (r *reading) suggest(at *yaml.Node, edit mapper.Edit) {
	line, column := r.text.origin.place(at.Line, at.Column)
	last := &r.problems[len(r.problems)-1]
	if last.Line != line || last.Column != column || r.text.origin.folded || edit.Kind == "" {
		return
	}
	if edit.Line == 0 {
		edit.Line, edit.Column = line, column
	}
	last.Edit = edit
}

// onEKS adds what EKS does instead to the problem reported last, if it is listed.
func (r *reading) onEKS(at *yaml.Node, what string) {
	var line, column int
	if at != nil {
		line, column = r.text.origin.place(at.Line, at.Column)
	}
	last := &r.problems[len(r.problems)-1]
	if !r.isAWSAuth || last.Line != line || last.Column != column {
		return
	}
	last.OnEKS = what
	if r.opts.EKS {
		last.Effect = "on EKS, " + what
	}
}

// suggestText suggests another text for a value, if there is one.
func (r *reading) suggestText(at *yaml.Node, text string) {
	if text != "" && at.Kind == yaml.ScalarNode {
		r.suggest(at, mapper.Edit{Kind: mapper.Replace, Old: at.Value, New: text})
	}
}

func (r *reading) drop(code mapper.Code, section string, at *yaml.Node, message, fix string) {
	r.report(code, mapper.Error, section, at, message, "the entry is ignored", fix)
}

func (r *reading) warn(code mapper.Code, section string, at *yaml.Node, message, fix string) {
	r.report(code, mapper.Warning, section, at, message, "", fix)
}

// EffectKept is the effect of a problem with a section that keeps its content.
const EffectKept = "it keeps its last good content until it is fixed"

// keepLast reports a section that does not parse, and keeps its last good content.
func (r *reading) keepLast(code mapper.Code, name string, at *yaml.Node, message, fix string) {
	r.broken[name] = true
	effect := "nothing in it applies until it is fixed"
	if r.opts.EKS {
		effect = "on EKS, everybody in it loses access until it is fixed, and so do the nodes"
	}
	if section, ok := r.lastGood(name); ok && !r.opts.EKS {
		section.kept = true
		r.sections[name] = section
		effect = EffectKept
	}
	r.report(code, mapper.Error, name, at, message, effect, fix)
}

// lastGood returns the content of a section in the last reading, and reports whether
// there was any.
func (r *reading) lastGood(name string) (section, bool) {
	if r.last == nil {
		return section{}, false
	}
	s, ok := r.last.sections[name]
	return s, ok
}

func (r *reading) tooLarge(name string, at *yaml.Node, excess string) {
	r.keepLast(mapper.SectionTooLarge, name, at, excess, "split it, or map many people by one role or account")
	r.onEKS(at, "the section applies: there is no such limit")
}

// rule returns the rule at a node, and its column.
func (r *reading) rule(section string, at *yaml.Node) (rule mapper.Rule, column int) {
	line, column := r.text.origin.place(at.Line, at.Column)
	return mapper.Rule{Source: r.opts.Source, Section: section, Line: line}, column
}

// result returns the table of the mappings that were read, and the problems.
func (r *reading) result() *Result {
	// One slice for both, users first: of two entries for a principal, the table uses
	// the later one, and mapRoles must win.
	users, roles := r.sections[mapUsers], r.sections[mapRoles]
	entries := slices.Concat(users.entries, roles.entries)
	for name, part := range map[string][]mapper.Entry{mapUsers: entries[:len(users.entries):len(users.entries)], mapRoles: entries[len(users.entries):]} {
		if s, ok := r.sections[name]; ok {
			s.entries = part
			r.sections[name] = s
		}
	}
	result := &Result{Table: mapper.NewTable(entries, r.sections[mapAccounts].accounts, r.opts.RolePaths), sections: r.sections, broken: r.broken, parsed: r.parsed, found: r.found, ignoresUserIDs: r.ignoresUserIDs, steps: r.steps}
	r.reportOverridden(result.Table)
	order := map[string]int{"": -4, mapRoles: -3, mapUsers: -2, mapAccounts: -1}
	slices.SortStableFunc(r.problems, func(a, b mapper.Problem) int {
		return cmp.Or(cmp.Compare(order[a.Section], order[b.Section]), cmp.Compare(a.Line, b.Line))
	})
	if r.unlisted > 0 {
		p := r.problems[len(r.problems)-1]
		p.Code, p.Severity, p.Excerpt, p.Edit = mapper.MoreProblems, r.worst, "", mapper.Edit{}
		p.Message, p.Effect, p.Fix = fmt.Sprintf("%d more problems are not listed", r.unlisted), "", "fix those that are listed first"
		r.problems = append(r.problems, p)
	}
	result.Problems = r.problems
	return result
}

// reportOverridden reports the entries and accounts that have no effect because of
// others. Those of a section that keeps its last good content were reported when it
// was read.
func (r *reading) reportOverridden(table *mapper.Table) {
	for entry, winner := range table.Overridden() {
		switch {
		case r.sections[entry.Rule.Section].kept:
		case winner == nil:
			r.add(problemAt(mapper.RolePath, mapper.Error, entry.Rule, entry.Column,
				"another entry is for a role of the same name, and AWS does not return the paths that distinguish them", "none of them applies", "keep the entry of the role that exists"))
		case r.opts.EKS && isAmbiguous(entry, winner):
			r.add(problemAt(mapper.NotOnEKS, mapper.Error, entry.Rule, entry.Column,
				fmt.Sprintf("%s line %d is for the same principal in another case", winner.Rule.Section, winner.Rule.Line), "on EKS, either of them may apply", "remove one of them"))
		default:
			p := problemAt(mapper.DuplicateEntry, mapper.Warning, entry.Rule, entry.Column, "the entry has no effect: "+r.whyOverridden(entry, winner), "", "remove one of them")
			if r.isAWSAuth && isAmbiguous(entry, winner) {
				p.OnEKS = fmt.Sprintf("either this entry or that in line %d may apply", winner.Rule.Line)
			}
			r.add(p)
		}
	}
	for account, winner := range table.OverriddenAccounts() {
		if !r.sections[mapAccounts].kept {
			r.add(problemAt(mapper.DuplicateEntry, mapper.Warning, account.Rule, account.Column, fmt.Sprintf("account %s is listed again in line %d", account.ID, winner.Rule.Line), "", "remove one of them"))
		}
	}
}

// isAmbiguous reports whether either of two entries for one user may apply on EKS: it
// finds users by their ARN as it is written, but compares in any case.
func isAmbiguous(entry, winner *mapper.Entry) bool {
	return entry.Rule.Section == mapUsers && winner.Rule.Section == mapUsers &&
		entry.ARN != winner.ARN && strings.EqualFold(entry.ARN, winner.ARN) // not two ARNs with one userid
}

func (r *reading) whyOverridden(entry, winner *mapper.Entry) string {
	place := fmt.Sprintf("%s line %d", winner.Rule.Section, winner.Rule.Line)
	if r.sections[winner.Rule.Section].kept {
		place += " of the last good content"
	}
	switch {
	case entry.AssumedRole && !winner.AssumedRole:
		return place + " is for the role itself and overrides it"
	case hasPath(entry.ARN) && !hasPath(winner.ARN):
		return place + " is for the role without a path and overrides it"
	case entry.Rule.Section != winner.Rule.Section:
		return fmt.Sprintf("%s is for the same principal, and %s wins over %s, as on EKS", place, winner.Rule.Section, entry.Rule.Section)
	case entry.AssumedRole: // on EKS, neither matches anybody
		return place + " is for the same role, and the later entry wins"
	case isAmbiguous(entry, winner):
		return place + " is for the same principal in another case, and the later entry wins"
	default:
		return place + " is for the same principal, and the later entry wins, as on EKS"
	}
}

func hasPath(arn string) bool {
	_, path, _ := splitRole(arn)
	return path != ""
}

func problemAt(code mapper.Code, severity mapper.Severity, rule mapper.Rule, column int, message, effect, fix string) mapper.Problem {
	p := mapper.Problem{Code: code, Severity: severity, Section: rule.Section, Line: rule.Line, Column: column, Message: message, Effect: effect, Fix: fix}
	if code == mapper.DuplicateEntry {
		p.Edit = mapper.Edit{Kind: mapper.Remove, Line: rule.Line}
	}
	return p
}
