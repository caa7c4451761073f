package explain

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/token"
)

// maxRules bounds the rules of an explanation. A table can have hundreds of thousands.
const maxRules = 10_000

// Facts are what an explanation needs beside the decision.
type Facts struct {
	// ClusterID is the ID of the cluster, and Partition its partition.
	ClusterID, Partition string
	// IDUnchecked is set if nothing but the asker says that the cluster has the ID, for
	// which the token is made.
	IDUnchecked bool
	// Regions are the regions whose STS endpoints tokens may name; empty for all.
	Regions []string
	// From and Because describe where the mappings come from, and why from there.
	From, Because string
	// Sources are the sources in the order of their precedence.
	Sources []SourceFacts
	// DenyFile is the file of denied principals; zero if there is none.
	DenyFile SourceFacts
	// Note says in which way the principal is not the one that was asked about; empty
	// if it is.
	Note string
	// SessionUnknown is set if the question did not name the session of a role.
	SessionUnknown bool
	// Unreadable is the error with which the mappings could not be read; nil if they
	// were. Forbidden is set if the asker may not read them.
	Unreadable error
	Forbidden  bool
	// MapFlags are the flags with which `authenticator map` edits the mappings, such as
	// -f aws-auth.yaml.
	MapFlags []string
	// Add returns the command that maps a principal where `authenticator map` cannot; nil
	// if it can.
	Add func(arn, username string, groups []string) string
	// Reach is the command that shows why the mappings are Unreadable, and Ready the one
	// that shows what the server waits for; empty if there is none.
	Reach, Ready string
	// Asked are the flags of the question.
	Asked Asked
	// Now is the time of the decision.
	Now time.Time
}

// Asked are the flags with which a question was asked, for the commands that ask again.
type Asked struct {
	// Place are the flags that say which server is asked, or where the mappings are, and
	// Server those of the server that were given.
	Place  []string `json:"place,omitempty"`
	Server []string `json:"server,omitempty"`
	// Profile, Region and Role select the AWS credentials.
	Profile string `json:"profile,omitempty"`
	Region  string `json:"region,omitempty"`
	Role    string `json:"role,omitempty"`
}

// Flags returns all flags, with another region.
func (a Asked) Flags(region string) (flags []string) {
	for _, flag := range []struct{ name, value string }{{"--profile", a.Profile}, {"--region", region}, {"--role", a.Role}} {
		if flag.value != "" {
			flags = append(flags, flag.name, flag.value)
		}
	}
	return slices.Concat(flags, a.Place, a.Server)
}

// SourceFacts are the facts about a source of mappings.
type SourceFacts struct {
	// Name is the name of the source in rules, and Place describes where it is.
	Name, Place string
	// Edit returns the command that edits a line of it; nil if there is none.
	Edit     func(line int) string
	Snapshot source.Snapshot
}

// New returns the explanation of a decision.
func New(facts Facts, explained authn.Explained) Explanation {
	decision, principal := explained.Decision, explained.Principal
	e := Explanation{
		Result: resultOf(decision.Outcome), Outcome: decision.Outcome, ClusterID: facts.ClusterID,
		Mappings:   newMappings(facts),
		Token:      newToken(facts.Now, explained),
		RulesTried: len(explained.Trace.Tried),
	}
	if principal.CanonicalARN != "" {
		e.Principal = &Principal{
			ARN: principal.ARN, CanonicalARN: principal.CanonicalARN, Partition: principal.Partition, AccountID: principal.AccountID,
			UserID: principal.UserID, SessionName: principal.SessionName,
			Verified: decision.Identity.Principal() == principal, Note: facts.Note,
		}
		e.NearMisses = relevant(nearMisses(explained.Trace, facts.Sources, principal.CanonicalARN), decidedBy(explained))
	}
	e.Problems = problemsFor(facts.Sources, principal.CanonicalARN)
	for _, tried := range explained.Trace.Tried[:min(len(explained.Trace.Tried), maxRules)] {
		e.Rules = append(e.Rules, newRule(tried))
	}
	if tried := decidedBy(explained); tried != nil {
		rule := newRule(*tried)
		e.Rule = &rule
	}
	if decision.Outcome == authn.Mapped {
		e.User = newUser(decision.User)
	}
	if facts.SessionUnknown && e.Rule != nil && e.Rule.Miss == mapper.MissDenied {
		e.Result = Undecided // another session may be mapped
	}
	if decision.Outcome == authn.Unmapped && principal.PrincipalID == "" && nearestByUserID(explained) != nil {
		e.Result = Undecided // with the ID of the entry, the principal is mapped
	}
	e.EKS = onEKS(facts, explained)
	e.Sentence, e.Command = conclude(facts, explained, e)
	return e
}

func resultOf(outcome authn.Outcome) Result {
	switch outcome.Verdict() {
	case authn.Yes:
		return Mapped
	case authn.No:
		return NotMapped
	default:
		return Undecided
	}
}

// decidedBy returns the rule that decided; nil if none did.
func decidedBy(explained authn.Explained) *mapper.Tried {
	tried := explained.Trace.Tried
	for i := range tried {
		if tried[i].Matched || isNoUser(tried[i].Miss) {
			return &tried[i]
		}
	}
	return nil
}

// nearestByUserID returns a rule that a principal without a known unique ID matches if it
// has the rule's, preferably one with the principal's ARN; nil if there is none.
func nearestByUserID(explained authn.Explained) (nearest *mapper.Tried) {
	for i := range explained.Trace.Tried {
		tried := &explained.Trace.Tried[i]
		if tried.Miss == mapper.MissUserID && (nearest == nil || nearest.Entry.ARN == "") {
			nearest = tried
		}
	}
	return nearest
}

// isNoUser reports whether a rule matched but results in no user.
func isNoUser(miss mapper.Miss) bool {
	return miss == mapper.MissDenied || miss == mapper.MissReserved || miss == mapper.MissUndecided
}

func newMappings(facts Facts) Mappings {
	m := Mappings{From: facts.From, Because: facts.Because}
	if facts.Unreadable != nil {
		m.Error = facts.Unreadable.Error()
	}
	for _, s := range facts.Sources {
		described := Source{
			Name: s.Name, Place: s.Place, Read: s.Snapshot.Table != nil,
			Errors:   mapper.Count(s.Snapshot.Problems, mapper.Error),
			Warnings: mapper.Count(s.Snapshot.Problems, mapper.Warning),
		}
		if described.Read {
			described.Mappings = s.Snapshot.Table.Len()
		}
		m.Sources = append(m.Sources, described)
	}
	return m
}

func newToken(now time.Time, explained authn.Explained) *Token {
	parts, outcome := explained.Token, explained.Decision.Outcome
	if !explained.IsToken {
		return nil
	}
	t := &Token{
		AccessKeyID: parts.AccessKeyID, Region: parts.Region, Host: parts.Host,
		Clocks: explained.Clocks, Verified: explained.Principal.CanonicalARN != "",
	}
	if !parts.Signed.IsZero() {
		signed, expires, age := parts.Signed, parts.Signed.Add(token.Lifetime), int64(now.Sub(parts.Signed)/time.Second)
		t.Signed, t.Expires, t.AgeSeconds = &signed, &expires, &age
	}
	if outcome == authn.Malformed || outcome == authn.Expired || outcome == authn.Refused {
		t.Problem = explained.Decision.Err.Error()
	}
	return t
}

func newUser(user authn.User) *User {
	u := &User{Username: user.Username, UID: user.UID, Groups: append([]string{}, user.Groups...)}
	for _, extra := range user.Extra {
		if u.Extra == nil {
			u.Extra = map[string][]string{}
		}
		u.Extra[extra.Key] = []string{extra.Value}
	}
	return u
}

// place returns the place of a rule, for people.
func place(facts Facts, rule Rule) string {
	if rule.Section == "" {
		return "the cluster owner (--cluster-owner-arn)"
	}
	where := rule.Section
	if rule.Line > 0 {
		where = rule.Section + " line " + strconv.Itoa(rule.Line)
	}
	for _, s := range facts.Sources {
		if s.Name == rule.Source && s.Place != "" {
			return where + " of " + s.Place
		}
	}
	return where
}

// list returns names as a list for people.
func list(names []string) string {
	if len(names) == 0 {
		return "no groups"
	}
	if len(names) == 1 {
		return "group " + names[0]
	}
	return "groups " + strings.Join(names, ", ")
}
