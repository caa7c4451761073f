package rights

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// Mappings are the mappings of a cluster.
type Mappings struct {
	// Owners are the ARNs of the cluster's owners.
	Owners []string
	// Tables are the tables of the sources.
	Tables []*mapper.Table
	// Mapper decides as the server does, and so says whether a mapping applies where
	// several are for the same principal. It must not look up EC2 instances.
	Mapper mapper.Mapper
}

// A Holder is a mapping whose users may do an action, and why.
type Holder struct {
	// Who is the ARN that the mapping matches, as a pattern for a permission set. It is
	// an account ID for all principals of the account.
	Who string
	// Rule is the mapping.
	Rule mapper.Rule
	// Username still has the placeholders that may have any value.
	Username string
	// If has the placeholders that must have a value, by name; empty if the mapping
	// always results in such a user.
	If map[string]string
	// Grant is what allows the action. Its Binding is nil for members of system:masters,
	// for whom the kube-apiserver does not ask RBAC.
	Grant Grant
}

// Who returns the mappings whose users may do an action, in the order of the mappings.
// If the action has no namespace, the users of some may do it in one namespace only,
// which is that of the grant's binding.
func (p *Policy) Who(ctx context.Context, a Action, mappings Mappings) iter.Seq[Holder] {
	subjects := index(p.Granting(a))
	return func(yield func(Holder) bool) {
		for candidate := range mappings.candidates(subjects) {
			for _, holder := range subjects.holders(candidate) {
				if mappings.confirm(ctx, candidate, holder.If) && !yield(holder) {
					return
				}
			}
		}
	}
}

// subjects are the grants by the names of their subjects.
type subjects struct{ users, groups named }

// named are grants by a name. Names has the names in order.
type named struct {
	grants map[string][]Grant
	names  []string
}

func (n *named) add(name string, grant Grant) { n.grants[name] = append(n.grants[name], grant) }

func index(grants []Grant) subjects {
	s := subjects{users: named{grants: map[string][]Grant{}}, groups: named{grants: map[string][]Grant{}}}
	s.groups.add(GroupMasters, Grant{Subject: rbacv1.Subject{Kind: rbacv1.GroupKind, Name: GroupMasters}})
	for _, grant := range grants {
		if grant.Subject.Kind == rbacv1.GroupKind {
			s.groups.add(grant.Subject.Name, grant)
		} else if name, ok := username(grant.Subject, grant.Binding.Namespace); ok {
			s.users.add(name, grant)
		}
	}
	s.users.names = slices.Sorted(maps.Keys(s.users.grants))
	s.groups.names = slices.Sorted(maps.Keys(s.groups.grants))
	return s
}

// A candidate is a mapping that could result in a user who may do an action.
type candidate struct {
	who       string
	principal identity.Principal
	username  mapper.Template
	groups    []mapper.Template
	rule      mapper.Rule
	// certain is set if it needs no confirmation.
	certain bool
}

// candidates returns all owners, entries and accounts. An account has a candidate for
// each of its principals that the subjects name.
func (m Mappings) candidates(s subjects) iter.Seq[candidate] {
	return func(yield func(candidate) bool) {
		for _, arn := range m.Owners {
			owner, err := ownerCandidate(arn)
			if err == nil && !yield(owner) {
				return
			}
		}
		for _, table := range m.Tables {
			for entry := range table.Applying() {
				if !yield(entryCandidate(entry)) {
					return
				}
			}
		}
		for _, table := range m.Tables {
			for account := range table.ApplyingAccounts() {
				for c := range accountCandidates(account, s.users.names) {
					if !yield(c) {
						return
					}
				}
			}
		}
	}
}

func ownerCandidate(arn string) (candidate, error) {
	canonical, _, err := identity.Canonicalize(arn)
	if err != nil {
		return candidate{}, err
	}
	username, err := mapper.ParseTemplate(mapper.OwnerUsername)
	if err != nil {
		return candidate{}, err
	}
	group, err := mapper.ParseTemplate(mapper.OwnerGroup)
	return candidate{
		who: canonical, principal: principalOf(canonical), username: username, groups: []mapper.Template{group},
		rule: mapper.Rule{Source: "cluster owner"}, certain: true,
	}, err
}

func entryCandidate(entry *mapper.Entry) candidate {
	arn := entry.MatchedARN()
	if arn == "" {
		return candidate{who: entry.UserID, principal: identity.Principal{PrincipalID: entry.UserID}, username: entry.Username, groups: entry.Groups, rule: entry.Rule}
	}
	example := arn
	if entry.SSO != nil {
		prefix, _, _ := strings.Cut(arn, "<")
		example = prefix + "0123456789abcdef"
	}
	return candidate{who: arn, principal: principalOf(example), username: entry.Username, groups: entry.Groups, rule: entry.Rule}
}

// accountCandidates returns a candidate for all principals of an account, and one for
// each that is named: the username of a principal is its ARN.
func accountCandidates(account *mapper.Account, names []string) iter.Seq[candidate] {
	return func(yield func(candidate) bool) {
		if !yield(candidate{who: account.ID, rule: account.Rule, certain: true}) {
			return
		}
		for _, name := range names {
			principal := principalOf(name)
			username, err := mapper.ParseTemplate(name)
			if canonical, _, _ := identity.Canonicalize(name); canonical != name || principal.AccountID != account.ID || err != nil {
				continue
			}
			if !yield(candidate{who: name, principal: principal, username: username, rule: account.Rule}) {
				return
			}
		}
	}
}

// principalOf returns a principal with a canonical ARN.
func principalOf(arn string) identity.Principal {
	principal := identity.Principal{ARN: arn, CanonicalARN: arn}
	if parts := strings.SplitN(arn, ":", 6); len(parts) == 6 {
		principal.Partition, principal.AccountID = parts[1], parts[4]
	}
	return principal
}

// holders returns the holders of a candidate, at most one for each binding unless it
// needs values of placeholders.
func (s subjects) holders(c candidate) []Holder {
	known := map[string]string{"AccountID": c.principal.AccountID}
	var found []Holder
	add := func(template mapper.Template, subjects named) {
		for name, values := range subjects.match(template, known) {
			delete(values, "AccountID")
			for _, grant := range subjects.grants[name] {
				found = append(found, Holder{c.who, c.rule, fill(c, values), values, grant})
			}
		}
	}
	for _, group := range c.groups {
		add(group, s.groups)
	}
	if i := slices.IndexFunc(found, func(h Holder) bool { return h.Grant.Binding == nil && len(h.If) == 0 }); i >= 0 {
		return found[i : i+1] // who may do everything needs no binding
	}
	for _, grant := range s.groups.grants[GroupAuthenticated] {
		found = append(found, Holder{c.who, c.rule, fill(c, nil), nil, grant})
	}
	add(c.username, s.users)
	return distinct(found)
}

// match returns the names that a template can expand to, with the values for each.
func (n named) match(template mapper.Template, known map[string]string) iter.Seq2[string, map[string]string] {
	return func(yield func(string, map[string]string) bool) {
		if text := template.String(); !strings.Contains(text, "{{") {
			if _, ok := n.grants[text]; ok {
				yield(text, map[string]string{})
			}
			return
		}
		for _, name := range n.names {
			if values, ok := template.Solve(name, known); ok && !yield(name, values) {
				return
			}
		}
	}
}

// fill returns the username of a candidate with the values that are certain.
func fill(c candidate, values map[string]string) string {
	pairs := []string{"{{AccountID}}", c.principal.AccountID}
	for name, value := range values {
		pairs = append(pairs, "{{"+name+"}}", value)
	}
	return strings.NewReplacer(pairs...).Replace(c.username.String())
}

// distinct drops the holders that add nothing to another one of the same binding.
func distinct(holders []Holder) []Holder {
	always := map[*Binding]bool{}
	for _, h := range holders {
		if len(h.If) == 0 {
			always[h.Grant.Binding] = true
		}
	}
	type condition struct {
		binding *Binding
		values  string
	}
	seen := map[condition]bool{}
	return slices.DeleteFunc(holders, func(h Holder) bool {
		its := condition{h.Grant.Binding, fmt.Sprint(h.If)}
		drop := seen[its] || len(h.If) > 0 && always[its.binding]
		seen[its] = true
		return drop
	})
}

// confirm reports whether the mapper maps the candidate's principal by the candidate's
// rule: another rule may come first, or deny what this one grants.
func (m Mappings) confirm(ctx context.Context, c candidate, values map[string]string) bool {
	if c.certain {
		return true
	}
	match, ok, err := m.Mapper.Map(ctx, c.session(values), nil)
	if _, denied := errors.AsType[*mapper.DeniedError](err); denied {
		return false
	}
	return err != nil || ok && match.Rule == c.rule
}

// session returns the candidate's principal with the values. For a role, it has a
// session, whose name is that of an EC2 instance if the mapping needs one.
func (c candidate) session(values map[string]string) identity.Principal {
	principal := c.principal
	principal.AccessKeyID = values["AccessKeyID"]
	_, kind, _ := identity.Canonicalize(principal.CanonicalARN)
	if kind != identity.KindRole {
		return principal
	}
	switch {
	case values["SessionNameRaw"] != "":
		principal.SessionName = values["SessionNameRaw"]
	case values["SessionName"] != "":
		principal.SessionName = values["SessionName"]
	case slices.ContainsFunc(append(slices.Clone(c.groups), c.username), func(t mapper.Template) bool { return t.Uses("EC2PrivateDNSName") }):
		principal.SessionName = "i-0123456789abcdef0"
	default:
		principal.SessionName = "session"
	}
	return principal
}
