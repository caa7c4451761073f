package explain

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// maxNearMisses bounds the near misses of an explanation: the first is nearly always
// the one.
const maxNearMisses = 20

// mapAccounts is the section whose entries are account IDs.
const mapAccounts = "mapAccounts"

// A candidate is a near miss before it is ranked.
type candidate struct {
	NearMiss
	cost int
}

// relevant returns the near misses that matter for a decision: if an entry matched, only
// those for the same principal do.
func relevant(misses []NearMiss, decided *mapper.Tried) []NearMiss {
	if decided == nil {
		return misses
	}
	return slices.DeleteFunc(misses, func(miss NearMiss) bool {
		return miss.Section == mapAccounts || decided.Entry != nil && miss.Kind != NoEffect
	})
}

// nearMisses returns the rules and ignored entries that are probably meant for the
// caller, the most likely first.
func nearMisses(trace mapper.Trace, sources []SourceFacts, arn string) []NearMiss {
	who := subjectOf(arn)
	var found []candidate
	overridden := overriddenIn(sources)
	for _, tried := range trace.Tried {
		if c, ok := triedCandidate(tried, who); ok && (c.Kind == NoEffect || !overridden.has(tried)) {
			found = append(found, c)
		}
	}
	for _, s := range sources {
		for _, problem := range s.Snapshot.Problems {
			if c, ok := droppedCandidate(s, problem, who); ok && !isTried(trace, c.Rule) {
				found = append(found, c)
			}
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return cmp.Compare(a.cost, b.cost) })
	var ranked []NearMiss
	for _, c := range found[:min(len(found), maxNearMisses)] {
		ranked = append(ranked, c.NearMiss)
	}
	return ranked
}

// triedCandidate returns a rule that did not match as a near miss.
func triedCandidate(tried mapper.Tried, who subject) (candidate, bool) {
	c := candidate{NearMiss: NearMiss{Rule: newRule(tried)}}
	switch {
	case tried.Matched:
		return candidate{}, false
	case tried.Entry != nil:
		c.Username, c.Groups = templates(tried.Entry)
	case tried.Miss != mapper.MissAccount: // not an account of mapAccounts
		return candidate{}, false
	}
	switch tried.Miss {
	case mapper.MissDenied, mapper.MissReserved, mapper.MissUndecided:
		return candidate{}, false // it matches: it is the rule that decided
	case mapper.MissUserID:
		if tried.Entry.ARN == "" {
			return candidate{}, false // an ID alone says nothing about the caller's ARN
		}
		c.Kind, c.Why, c.Same = UserID, tried.Reason, true
		return c, true
	case mapper.MissOtherARN:
		c.Kind, c.Why, c.Same = NoEffect, tried.Reason, true
		return c, true
	case mapper.MissRolePath, mapper.MissAssumedRole, mapper.MissWhiteSpace, mapper.MissSSOOff, mapper.MissOverridden, mapper.MissOutranked:
		c.Kind, c.Why, c.Same = NoEffect, tried.Reason, true
		return c, true
	}
	found, near := differences(subjectOf(tried.For), who)
	if !near || len(found) == 0 {
		return candidate{}, false
	}
	if tried.Entry != nil && tried.Entry.Inert == mapper.MissAssumedRole {
		found = append(found, difference{NoEffect, 1, "its ARN is that of a session", false})
	}
	c.describe(found)
	return c, true
}

// droppedCandidate returns an entry that was ignored for a mistake as a near miss.
func droppedCandidate(s SourceFacts, problem mapper.Problem, who subject) (candidate, bool) {
	if problem.Principal == "" || !dropsEntry(problem.Code) {
		return candidate{}, false
	}
	found, near := differences(subjectOf(problem.Principal), who)
	if !near {
		return candidate{}, false
	}
	c := candidate{NearMiss: NearMiss{Rule: Rule{
		Source: s.Name, Section: problem.Section, Line: problem.Line, For: problem.Principal, Reason: problem.Message,
	}}}
	dropped := difference{Dropped, 0, "it is ignored: " + problem.Message + " (" + problem.Fix + ")", false}
	for i, d := range found {
		switch d.kind { // the message of the problem says the same
		case Group, Wildcard:
			dropped.kind = d.kind
			found[i].text = ""
		case Partition:
			found[i].text = ""
		case Account:
			if strings.Contains(problem.Fix, who.account) {
				found[i].text = ""
			}
		}
	}
	c.Code = problem.Code
	c.describe(append([]difference{dropped}, found...))
	return c, true
}

// overridden are the rules that have no effect because of others for the same principals,
// which are as near a miss. Several rules can be on one line.
type overridden struct {
	entries  map[*mapper.Entry]bool
	accounts map[mapper.Rule]string // the ID
}

func overriddenIn(sources []SourceFacts) overridden {
	o := overridden{map[*mapper.Entry]bool{}, map[mapper.Rule]string{}}
	for _, s := range sources {
		if s.Snapshot.Table == nil {
			continue
		}
		for entry, winner := range s.Snapshot.Table.Overridden() {
			o.entries[entry] = winner != nil
		}
		for account, winner := range s.Snapshot.Table.OverriddenAccounts() {
			if account.Rule != winner.Rule {
				o.accounts[account.Rule] = account.ID
			}
		}
	}
	return o
}

func (o overridden) has(tried mapper.Tried) bool {
	return o.entries[tried.Entry] || tried.Entry == nil && o.accounts[tried.Rule] == tried.For
}

// isTried reports whether an entry with a problem is in the table all the same, and so
// in the trace: its ARN names the caller, and matches nobody.
func isTried(trace mapper.Trace, rule Rule) bool {
	its := subjectOf(rule.For)
	return slices.ContainsFunc(trace.Tried, func(tried mapper.Tried) bool {
		return tried.Entry != nil && tried.Entry.Inert != "" && tried.Rule.Source == rule.Source && tried.Rule.Section == rule.Section &&
			tried.Rule.Line <= rule.Line && subjectOf(tried.For).sameAs(its)
	})
}

// describe sets the kind and the description of a near miss, its cost, and whether it is
// for the caller.
func (c *candidate) describe(found []difference) {
	var texts []string
	c.Same = true
	for _, d := range found {
		c.Same = c.Same && !d.another
		c.cost += d.cost
		if d.text != "" {
			texts = append(texts, d.text)
		}
	}
	c.Kind, c.Why = found[0].kind, strings.Join(texts, "; ")
}

// dropsEntry reports whether an entry with a problem is ignored as a whole.
func dropsEntry(code mapper.Code) bool {
	switch code {
	case mapper.EntryNotMap, mapper.EntryInGroups, mapper.EntryNoARN, mapper.EntryWrongField, mapper.EntryInvalidARN,
		mapper.ARNMatchesNobody, mapper.AssumedRole, mapper.EntryPartition, mapper.EntryWrongType, mapper.EntryTooLong,
		mapper.EntryTemplate, mapper.EntryInvalidSSO, mapper.EntryNoUserID, mapper.EntryWrongUserID, mapper.InvalidAccountID, mapper.MergeKey:
		return true
	}
	return false
}

// changesUser reports whether an entry with a problem applies, but probably results in
// another username or other groups than it should.
func changesUser(p Problem) bool {
	switch p.Code {
	case mapper.SystemGroup, mapper.OddCharacter, mapper.Unfilled, mapper.Wildcard, mapper.UnknownField, mapper.RepeatedField:
		return true
	}
	return p.Severity == mapper.Error && !dropsEntry(p.Code)
}

// concernsAll reports whether a problem is one of a whole section or file.
func concernsAll(code mapper.Code) bool {
	return hidesMappings(code) || foilsManifest(code) || code == mapper.MoreProblems
}

// foilsManifest reports whether a problem makes the cluster ignore or reject a manifest.
func foilsManifest(code mapper.Code) bool {
	return code == mapper.OtherConfigMap || code == mapper.SectionNotText
}

// hidesMappings reports whether mappings are not in force because of a problem.
func hidesMappings(code mapper.Code) bool {
	switch code {
	case mapper.SectionSyntax, mapper.SectionNotList, mapper.SectionTooLarge, mapper.UnknownSection, mapper.NoSections,
		mapper.SecondDocument, source.Unreadable:
		return true
	}
	return false
}

// problemsFor returns the problems that concern the caller.
func problemsFor(sources []SourceFacts, arn string) []Problem {
	who := subjectOf(arn)
	var found []Problem
	for _, s := range sources {
		for _, p := range s.Snapshot.Problems {
			isCallers := p.Principal != "" && arn != "" && subjectOf(p.Principal).sameAs(who)
			if isCallers || concernsAll(p.Code) {
				found = append(found, Problem{s.Name, p.Code, p.Severity, p.Section, p.Line, p.Column, p.Principal, p.Message, p.Effect, p.Fix, p.Excerpt})
			}
		}
	}
	return found
}

func newRule(tried mapper.Tried) Rule {
	return Rule{
		Source: tried.Rule.Source, Section: tried.Rule.Section, Line: tried.Rule.Line,
		For: tried.For, Matched: tried.Matched, Miss: tried.Miss, Reason: tried.Reason,
	}
}

func templates(entry *mapper.Entry) (username string, groups []string) {
	for _, group := range entry.Groups {
		groups = append(groups, group.String())
	}
	return entry.Username.String(), groups
}
