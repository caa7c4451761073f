package lint

import (
	"cmp"
	"slices"

	"github.com/kube-iam/authenticator/pkg/mapper"
)

// Fixed is a problem that was fixed.
type Fixed struct {
	Problem mapper.Problem
	// Gains are the changes of access that the fix makes; nil for a safe one.
	Gains []mapper.Change
}

// The limits of a fix: each try reads the whole file again.
const (
	maxTries     = 500
	maxBytesRead = 64 << 20
)

// Fix returns a file with problems fixed and everything else unchanged, byte for byte. A
// fix is safe if nobody gains, loses or changes access. With grants, it also makes those
// fixes with which entries act as they are written, so that principals gain access. It
// never makes a fix with which somebody loses access or a group.
func Fix(content []byte, opts Options, grants bool) ([]byte, []Fixed, error) {
	report, err := File(content, opts)
	if err != nil {
		return nil, nil, err
	}
	f := fixer{content: content, report: report, opts: opts, grants: grants, tries: min(maxTries, maxBytesRead/max(len(content), 1))}
	// A fix can reveal further problems: a section that did not parse now does, and an
	// entry that was dropped as a whole shows what else is wrong in it.
	for before := -1; before < len(f.fixed); {
		before = len(f.fixed)
		fixable := slices.DeleteFunc(slices.Clone(f.report.Problems), func(p mapper.Problem) bool { return p.Edit.Kind == "" })
		// From the last to the first, so that the other places stay where they are.
		slices.SortStableFunc(fixable, func(a, b mapper.Problem) int {
			return -cmp.Or(cmp.Compare(a.Edit.Line, b.Edit.Line), cmp.Compare(a.Edit.Column, b.Edit.Column))
		})
		f.fix(fixable)
		slices.Reverse(f.fixed[before:])
	}
	return f.content, f.fixed, nil
}

// A fixer fixes a file step by step.
type fixer struct {
	content []byte
	report  *Report // of the content
	opts    Options
	grants  bool
	tries   int // that remain
	fixed   []Fixed
}

// fix makes as many of some fixes as it may, the last one in the file first. It tries all
// at once, and else each half of them.
func (f *fixer) fix(problems []mapper.Problem) {
	if len(problems) == 0 || f.tries == 0 || f.try(problems) || len(problems) == 1 {
		return
	}
	half := len(problems) / 2
	f.fix(problems[:half])
	f.fix(problems[half:])
}

// try makes some fixes, and reports whether they hold what [Fix] promises.
func (f *fixer) try(problems []mapper.Problem) bool {
	f.tries--
	fixes := map[mapper.Code]int{}
	var edits []mapper.Edit
	for _, p := range problems {
		edits = append(edits, p.Edit)
		fixes[p.Code]++
	}
	content, ok := applyAll(f.content, edits)
	if !ok {
		return false
	}
	report, err := File(content, f.opts)
	if err != nil || report.isInvalid() && !f.report.isInvalid() {
		return false
	}
	for code, n := range fixes {
		if report.count(code) > f.report.count(code)-n {
			return false
		}
	}
	changes := f.report.Changes(report)
	switch {
	case len(changes) == 0:
	case !f.grants || len(problems) > 1 || slices.ContainsFunc(changes, takes):
		return false // with several fixes, it is not known which of them makes a change
	}
	for _, p := range problems {
		f.fixed = append(f.fixed, Fixed{p, changes})
	}
	f.content, f.report = content, report
	return true
}

// takes reports whether a change takes something from somebody: access, a group, or the
// username of an entry.
func takes(change mapper.Change) bool {
	if change.Old == nil || change.Old.ByAccount && change.New != nil {
		return false
	}
	return change.New == nil || change.New.Username != change.Old.Username ||
		slices.ContainsFunc(change.Old.Groups, func(group string) bool { return !slices.Contains(change.New.Groups, group) })
}
