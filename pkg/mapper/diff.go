package mapper

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/kube-iam/authenticator/pkg/identity"
)

// Groups of Kubernetes that a cluster cannot do without.
const (
	MastersGroup = OwnerGroup     // unlimited access
	NodesGroup   = "system:nodes" // the nodes' kubelets
)

// A Delta is the difference in access between two tables.
type Delta struct {
	// Changes are sorted: who loses access, who keeps other access, who gains access,
	// each by account, kind and name.
	Changes []Change
	// LosesLastMaster is set if the old table maps somebody to system:masters and the
	// new table maps nobody to it.
	LosesLastMaster bool
}

// Leaving returns the changes that take somebody out of a group.
func (d Delta) Leaving(group string) (changes []Change) {
	for _, change := range d.Changes {
		if change.Leaves(group) {
			changes = append(changes, change)
		}
	}
	return changes
}

// A Change is the change of access of those that an entry or an account is for.
type Change struct {
	For Target
	// Old and New are nil without access.
	Old, New *Grant
}

// Kind is the kind of a change.
func (c Change) Kind() ChangeKind {
	switch {
	case c.New == nil:
		return Loses
	case c.Old == nil:
		return Gains
	default:
		return Changes
	}
}

// ChangeKind is the kind of a change of access.
type ChangeKind string

// The kinds of change, the gravest first.
const (
	Loses   ChangeKind = "loses"
	Changes ChangeKind = "changes"
	Gains   ChangeKind = "gains"
)

// Leaves reports whether the change takes somebody out of a group.
func (c Change) Leaves(group string) bool { return c.Old.in(group) && !c.New.in(group) }

// String returns the change as a sentence.
func (c Change) String() string {
	text := fmt.Sprintf("%s access: %s", c.Kind(), c.For)
	if c.Old != nil {
		text += ", was " + c.Old.String()
	}
	if c.New != nil {
		text += ", now " + c.New.String()
	}
	return text
}

// A Target is whom an entry or an account is for. One of its fields is set, or both ARN
// and UserID.
type Target struct {
	// ARN is canonical, without the path of a role, in the case of the entry.
	ARN string
	// UserID is the unique ID of an entry that has one.
	UserID string
	SSO    *SSO
	// Account has all principals of the account for which no entry applies.
	Account string
}

// String returns the target in words, such as role Admin of account 111122223333.
func (t Target) String() string {
	if t.UserID != "" && t.ARN != "" {
		return Target{ARN: t.ARN}.String() + " with unique ID " + t.UserID
	}
	if t.UserID != "" {
		return "unique ID " + t.UserID
	}
	if t.ARN == "" && t.SSO == nil {
		return fmt.Sprintf("everybody else of account %s", t.Account)
	}
	s, what := t.subject(), ""
	if t.SSO != nil {
		what = "permission set " + t.SSO.PermissionSet
	} else {
		what = s.String()
	}
	if s.account == "" {
		return what
	}
	what += " of account " + s.account
	if s.partition != "aws" {
		what += " in partition " + s.partition
	}
	return what
}

func (t Target) subject() subject {
	switch {
	case t.SSO != nil:
		k := t.SSO.key()
		return subject{k.partition, k.account, "permission set", t.SSO.PermissionSet}
	case t.ARN != "":
		return parseSubject(t.ARN)
	case t.UserID != "":
		return subject{kind: "unique ID", name: t.UserID}
	default:
		return subject{account: t.Account, kind: "~"} // after all others of the account
	}
}

// A Grant is the access of a target: its user in Kubernetes.
type Grant struct {
	// Username is a template. It is empty if it is the principal's own ARN, and the
	// target has more than one.
	Username string
	// Groups are templates.
	Groups []string
	// Rule is the place of the entry or account that applies.
	Rule Rule
	// ByAccount is set if no entry applies, but the account is mapped.
	ByAccount bool
}

// String returns the user in words, such as admin in system:masters.
func (g *Grant) String() string {
	groups := "no groups"
	if len(g.Groups) > 0 {
		groups = strings.Join(g.Groups, ", ")
	}
	return cmp.Or(g.Username, "their own ARN") + " in " + groups
}

func (g *Grant) in(group string) bool { return g != nil && slices.Contains(g.Groups, group) }

// equal reports whether two grants make the same user. The order of groups has no
// effect.
func (g *Grant) equal(other *Grant) bool {
	if g == nil || other == nil {
		return g == other
	}
	set := func(groups []string) []string { return slices.Compact(slices.Sorted(slices.Values(groups))) }
	return g.Username == other.Username && slices.Equal(set(g.Groups), set(other.Groups))
}

// Diff returns who loses, keeps other, or gains access if a new table replaces an old
// one. Only what applies counts. A nil table maps nobody.
//
// The mapping of an account also covers the principals without an entry, so removing
// the entry of such a principal changes its access.
func Diff(from, to *Table) Delta {
	if from == nil {
		from = &Table{}
	}
	if to == nil {
		to = &Table{}
	}
	// A target is named as in the new table, if that has it.
	targets := map[key]Target{}
	from.addTargets(targets)
	to.addTargets(targets)
	var delta Delta
	for k, target := range targets {
		was, is := from.grant(k, target), to.grant(k, target)
		if !was.equal(is) {
			delta.Changes = append(delta.Changes, Change{For: target, Old: was, New: is})
		}
	}
	sortChanges(delta.Changes)
	delta.LosesLastMaster = from.MapsTo(MastersGroup) && !to.MapsTo(MastersGroup)
	return delta
}

// sortChanges sorts changes. It takes each target apart once, since there can be many.
func sortChanges(changes []Change) {
	type ranked struct {
		change Change
		rank   [7]string
	}
	gravity := map[ChangeKind]string{Loses: "0", Changes: "1", Gains: "2"}
	list := make([]ranked, len(changes))
	for i, c := range changes {
		s := c.For.subject()
		list[i] = ranked{c, [...]string{gravity[c.Kind()], s.account, s.kind, lower(s.name), s.partition, c.For.ARN, c.For.UserID}}
	}
	slices.SortFunc(list, func(a, b ranked) int { return slices.Compare(a.rank[:], b.rank[:]) })
	for i := range list {
		changes[i] = list[i].change
	}
}

// addTargets adds the targets of the entries and accounts that apply, by their keys.
func (t *Table) addTargets(targets map[key]Target) {
	for _, i := range t.byUserID {
		arn, _ := withoutPath(t.entries[i].ARN)
		targets[t.entries[i].key()] = Target{ARN: arn, UserID: t.entries[i].UserID}
	}
	for _, i := range t.exact {
		arn, _ := withoutPath(t.entries[i].ARN)
		targets[t.entries[i].key()] = Target{ARN: arn}
	}
	for _, i := range t.sso {
		targets[t.entries[i].key()] = Target{SSO: t.entries[i].SSO}
	}
	for _, i := range t.byAccount {
		targets[key{account: t.accounts[i].ID}] = Target{Account: t.accounts[i].ID}
	}
}

// grant returns the access that the table gives to a target with a key; nil if it gives
// none.
func (t *Table) grant(k key, target Target) *Grant {
	s := target.subject()
	principal := identity.Principal{CanonicalARN: target.ARN, PrincipalID: target.UserID, Partition: s.partition, AccountID: s.account}
	var entry *Entry
	switch {
	case target.UserID != "" || target.ARN != "":
		entry = t.lookup(principal)
	case target.SSO != nil:
		if i, ok := t.sso[k.sso]; ok {
			entry = &t.entries[i]
		}
	}
	if entry != nil {
		grant := &Grant{Username: entry.Username.String(), Rule: entry.Rule}
		for _, group := range entry.Groups {
			grant.Groups = append(grant.Groups, group.String())
		}
		return grant
	}
	if account := t.account(principal); account != nil {
		return &Grant{Username: target.ARN, Rule: account.Rule, ByAccount: true}
	}
	return nil
}

// MapsTo reports whether an entry that applies has a group.
func (t *Table) MapsTo(group string) bool {
	has := func(i int32) bool {
		return slices.ContainsFunc(t.entries[i].Groups, func(g Template) bool { return g.String() == group })
	}
	for _, i := range t.byUserID {
		if has(i) {
			return true
		}
	}
	for _, i := range t.exact {
		if has(i) {
			return true
		}
	}
	for _, i := range t.sso {
		if has(i) {
			return true
		}
	}
	return false
}
