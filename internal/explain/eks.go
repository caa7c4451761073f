package explain

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// onEKS returns what EKS would do differently with the same mappings.
func onEKS(facts Facts, explained authn.Explained) (differences []string) {
	add := func(format string, args ...any) { differences = append(differences, fmt.Sprintf(format, args...)) }
	arn, tried := explained.Principal.CanonicalARN, decidedBy(explained)
	switch {
	case arn == "":
		return nil
	case isDenied(explained):
		add("EKS does not have a deny file.")
		return differences
	case tried != nil && tried.Rule.Section == "":
		add("EKS has no cluster owner: there, the creator of the cluster is an administrator.")
		return differences
	}
	if text := nobodyOnEKS(tried); text != "" {
		add("%s", text)
	}
	if p, ok := keptOnEKS(facts, tried, arn); ok {
		add("%s", textOnEKS(p))
		return differences
	}
	if tried != nil && tried.Entry != nil {
		if tried.Miss == mapper.MissDenied && explained.Principal.SessionName == "" && usesSession(tried.Entry) {
			add("EKS replaces {{SessionName}} with nothing for an identity without a session, and signs it in as %q.",
				strings.NewReplacer("{{SessionName}}", "", "{{SessionNameRaw}}", "").Replace(tried.Entry.Username.String()))
		}
		if tried.Miss == mapper.MissReserved {
			add("EKS does not have reservedPrefixConfig: this entry maps the caller there.")
		}
	}
	isClear := hasOwnPlace(tried, explained.Trace)
	for _, s := range facts.Sources {
		for _, p := range s.Snapshot.Problems {
			isRules := tried != nil && tried.Entry != nil && s.Name == tried.Rule.Source && p.Section == tried.Rule.Section
			switch {
			case isRules && isClear && (concernsEntry(p, tried, arn) || isRival(p, explained.Trace, tried.Rule.Source)),
				p.Code == mapper.SectionTooLarge && p.OnEKS != "" && (tried == nil || isRules):
				add("%s", textOnEKS(p))
			case isRules && (p.Code == mapper.SectionSyntax || p.Code == mapper.SectionNotList):
				add("On EKS, %s does not apply at all while it is malformed: this server keeps its last good content.", p.Section)
			}
		}
	}
	return differences
}

// nobodyOnEKS returns why the entry that decided matches nobody on EKS; empty if it does.
func nobodyOnEKS(tried *mapper.Tried) string {
	switch {
	case tried == nil || tried.Entry == nil:
	case tried.Entry.SSO != nil:
		return "EKS does not support entries with sso: this entry maps nobody there."
	case tried.Entry.AssumedRole:
		return "On EKS, the ARN of an assumed role in rolearn matches nobody."
	case subjectOf(tried.Entry.ARN).kind == "role" && subjectOf(tried.Entry.ARN).path != "":
		return "On EKS, an entry with a role path matches nobody: this server runs with --role-paths=strip."
	}
	return ""
}

// isDenied reports whether the deny file has the caller.
func isDenied(explained authn.Explained) bool {
	tried := explained.Trace.Tried
	return len(tried) > 0 && tried[len(tried)-1].Miss == mapper.MissDenyFile
}

// textOnEKS returns what EKS does with a mistake.
func textOnEKS(p mapper.Problem) string {
	return fmt.Sprintf("On EKS, %s (%s).", p.OnEKS, Rule{Section: p.Section, Line: p.Line}.Position())
}

// keptOnEKS returns the mistake for which this server ignores an entry for the caller that
// EKS uses instead of the rule that decided, if there is one. There, the later entry of a
// section applies, and those of mapRoles come before those of mapUsers.
func keptOnEKS(facts Facts, tried *mapper.Tried, arn string) (kept mapper.Problem, ok bool) {
	for _, s := range facts.Sources {
		for _, p := range s.Snapshot.Problems {
			if p.OnEKS != "" && dropsEntry(p.Code) && strings.EqualFold(p.Principal, arn) && (!ok || precedes(p, kept.Section, kept.Line, kept.Column)) {
				kept, ok = p, true
			}
		}
		if tried != nil && tried.Rule.Source == s.Name {
			if !ok || tried.Entry == nil || nobodyOnEKS(tried) != "" {
				return kept, ok
			}
			// Of users in another case, either may apply.
			isSure := tried.Rule.Section != "mapUsers" || kept.Section != "mapUsers" || kept.Principal == tried.Entry.ARN
			return kept, isSure && precedes(kept, tried.Rule.Section, tried.Rule.Line, tried.Entry.Column)
		}
		if ok {
			return kept, true
		}
	}
	return kept, false
}

// precedes reports whether the entry of a problem applies on EKS, and not the one at a place.
func precedes(p mapper.Problem, section string, line, column int) bool {
	if p.Section != section {
		return p.Section == "mapRoles"
	}
	return cmp.Or(cmp.Compare(p.Line, line), cmp.Compare(p.Column, column)) > 0
}

// concernsEntry reports whether EKS treats a mistake in the entry that decided differently.
func concernsEntry(p mapper.Problem, tried *mapper.Tried, arn string) bool {
	return p.OnEKS != "" && !dropsEntry(p.Code) && p.Section == tried.Rule.Section && strings.EqualFold(p.Principal, arn) &&
		cmp.Or(cmp.Compare(p.Line, tried.Rule.Line), cmp.Compare(p.Column, tried.Entry.Column)) >= 0
}

// hasOwnPlace reports whether no other entry for the caller has the place of the entry that
// decided, as all entries of a section in quotes have. Otherwise it is unknown which of them
// a mistake is in.
func hasOwnPlace(decided *mapper.Tried, trace mapper.Trace) bool {
	return decided == nil || decided.Entry == nil || !slices.ContainsFunc(trace.Tried, func(tried mapper.Tried) bool {
		return tried.Miss == mapper.MissOverridden && tried.Entry != nil && tried.Rule == decided.Rule && tried.Entry.Column == decided.Entry.Column
	})
}

// isRival reports whether a problem is that of an entry for the caller that another one
// overrides, and that may apply instead of it on EKS.
func isRival(p mapper.Problem, trace mapper.Trace, source string) bool {
	return p.OnEKS != "" && p.Code == mapper.DuplicateEntry && slices.ContainsFunc(trace.Tried, func(tried mapper.Tried) bool {
		return tried.Miss == mapper.MissOverridden && tried.Entry != nil && tried.Entry.Column == p.Column &&
			tried.Rule.Source == source && tried.Rule.Section == p.Section && tried.Rule.Line == p.Line
	})
}

func usesSession(entry *mapper.Entry) bool {
	uses := func(t mapper.Template) bool { return t.Uses("SessionName") || t.Uses("SessionNameRaw") }
	return uses(entry.Username) || slices.ContainsFunc(entry.Groups, uses)
}
