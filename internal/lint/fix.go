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

// The limits of a fix. Each try reads the whole file again.
const (
	maxPasses = 5
	maxTries  = 400
)

// Fix returns a file with problems fixed and everything else unchanged, byte for byte. A
// fix is safe if nobody gains, loses or changes access. With grants, it also makes those
// fixes with which entries act as they are written, so that principals gain access. It
// never makes a fix with which somebody loses access.
func Fix(content []byte, opts Options, grants bool) ([]byte, []Fixed, error) {
	var all []Fixed
	tries := 0
	// A fix can reveal further problems: a section that did not parse now does.
	for range maxPasses {
		before, err := File(content, opts)
		if err != nil {
			return nil, nil, err
		}
		fixable := slices.DeleteFunc(slices.Clone(before.Problems), func(p mapper.Problem) bool { return p.Edit.Kind == "" })
		// From the last to the first, so that the other places stay where they are.
		slices.SortStableFunc(fixable, func(a, b mapper.Problem) int {
			return -cmp.Or(cmp.Compare(a.Edit.Line, b.Edit.Line), cmp.Compare(a.Edit.Column, b.Edit.Column))
		})
		var fixed []Fixed
		for _, p := range fixable {
			if tries++; tries > maxTries {
				break
			}
			edited, ok := apply(content, p.Edit)
			if !ok {
				continue
			}
			after, err := File(edited, opts)
			if err != nil || !improves(before, after, p.Code) {
				continue
			}
			delta := mapper.Diff(before.Table, after.Table)
			if len(delta.Changes) > 0 && (!grants || slices.ContainsFunc(delta.Changes, takes)) {
				continue
			}
			fixed = append(fixed, Fixed{p, delta.Changes})
			content, before = edited, after
		}
		if len(fixed) == 0 {
			break
		}
		slices.Reverse(fixed)
		all = append(all, fixed...)
	}
	return content, all, nil
}

// improves reports whether fewer problems have a code. Others may appear: an entry that
// was dropped as a whole now shows what else is wrong in it.
func improves(before, after *Report, code mapper.Code) bool {
	count := func(r *Report) (n int) {
		for _, p := range r.Problems {
			if p.Code == code {
				n++
			}
		}
		return n
	}
	return count(after) < count(before)
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
