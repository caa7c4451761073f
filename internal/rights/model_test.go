package rights_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/kube-iam/authenticator/internal/rights"
	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// This file checks the package against a model that decides about one user and one
// action at a time, as the kube-apiserver does.

// may reports whether RBAC lets a user do an action in a namespace.
func may(roles []rights.Role, bindings []rights.Binding, user rights.User, a rights.Action) bool {
	if slices.Contains(user.Groups, "system:masters") {
		return true
	}
	for _, b := range bindings {
		if b.Namespace != "" && (a.Path != "" || b.Namespace != a.Namespace) {
			continue
		}
		for _, s := range b.Subjects {
			if s.Kind == "User" && s.Name != user.Name || s.Kind == "Group" && !slices.Contains(user.Groups, s.Name) {
				continue
			}
			if namespace := cmp.Or(s.Namespace, b.Namespace); s.Kind == "ServiceAccount" && user.Name != "system:serviceaccount:"+namespace+":"+s.Name {
				continue
			}
			for _, r := range roles {
				if r.Name == b.Role.Name && (b.Role.Kind == "ClusterRole" && r.Namespace == "" || b.Role.Kind == "Role" && r.Namespace == b.Namespace && r.Namespace != "") {
					for _, rule := range r.Rules {
						if ruleAllows(rule, a) {
							return true
						}
					}
				}
			}
		}
	}
	return false
}

func ruleAllows(rule rbacv1.PolicyRule, a rights.Action) bool {
	has := func(list []string, values ...string) bool {
		return slices.ContainsFunc(values, func(v string) bool { return slices.Contains(list, v) })
	}
	if !has(rule.Verbs, "*", a.Verb) {
		return false
	}
	if a.Path != "" {
		return slices.ContainsFunc(rule.NonResourceURLs, func(url string) bool {
			prefix, any := strings.CutSuffix(url, "*")
			return url == a.Path || any && strings.HasPrefix(a.Path, prefix)
		})
	}
	resources := []string{"*", a.Resource}
	if a.Subresource != "" {
		resources = []string{"*", a.Resource + "/" + a.Subresource, "*/" + a.Subresource}
	}
	return has(rule.APIGroups, "*", a.Group) && has(rule.Resources, resources...) &&
		(len(rule.ResourceNames) == 0 || a.Name != "" && has(rule.ResourceNames, a.Name))
}

// A dice picks at random.
type dice struct{ *rand.Rand }

func (d dice) one(of ...string) string { return of[d.IntN(len(of))] }

// some returns up to two of the values.
func (d dice) some(of ...string) (picked []string) {
	for range d.IntN(3) {
		picked = append(picked, d.one(of...))
	}
	return picked
}

func (d dice) policy() (roles []rights.Role, bindings []rights.Binding) {
	for _, namespace := range []string{"", "", "", "n1", "n2"} {
		role := rights.Role{Namespace: namespace, Name: d.one("r1", "r2", "r3")}
		if slices.ContainsFunc(roles, func(r rights.Role) bool { return r.Namespace == namespace && r.Name == role.Name }) {
			continue
		}
		for range 1 + d.IntN(3) {
			role.Rules = append(role.Rules, rbacv1.PolicyRule{
				Verbs: d.some("get", "list", "*"), APIGroups: d.some("", "apps", "*"),
				Resources: d.some("pods", "deployments", "pods/log", "*/log", "*"),
			}, rbacv1.PolicyRule{
				Verbs: d.some("get", "*"), APIGroups: []string{""}, Resources: d.some("pods", "*"), ResourceNames: []string{d.one("web", "db")},
			}, rbacv1.PolicyRule{Verbs: d.some("get", "post", "*"), NonResourceURLs: d.some("/healthz", "/api/*", "*")})
		}
		roles = append(roles, role)
	}
	for i := range 6 {
		b := rights.Binding{Namespace: d.one("", "n1", "n2"), Name: fmt.Sprint("b", i), Role: rbacv1.RoleRef{Kind: "ClusterRole", Name: d.one("r1", "r2", "r3")}}
		if b.Namespace != "" && d.IntN(2) == 0 {
			b.Role.Kind = "Role"
		}
		for range 1 + d.IntN(3) {
			b.Subjects = append(b.Subjects, rbacv1.Subject{Kind: d.one("User", "Group"), Name: d.one(
				"u1", "a-b", "x:alice", "x:a-b", "arn:aws:iam::111122223333:user/ann", "arn:aws:iam::111122223333:role/R1", "system:serviceaccount:n1:sa",
				"g1", "g1:alice", "acct:111122223333", "system:masters", "system:authenticated")})
		}
		if d.IntN(5) == 0 {
			b.Subjects = append(b.Subjects, rbacv1.Subject{Kind: "ServiceAccount", Namespace: d.one("n1", "n2", ""), Name: "sa"})
		}
		bindings = append(bindings, b)
	}
	return roles, bindings
}

func (d dice) action() rights.Action {
	if d.IntN(4) == 0 {
		return rights.Action{Verb: d.one("get", "post"), Path: d.one("/healthz", "/api/v1", "/metrics")}
	}
	return rights.Action{
		Verb: d.one("get", "list", "delete"), Group: d.one("", "apps"), Resource: d.one("pods", "deployments"),
		Subresource: d.one("", "", "log"), Name: d.one("", "web", "db"), Namespace: d.one("", "n1", "n2"),
	}
}

// TestOfAgreesWithTheModel compares the grants of a user with what the user may do.
func TestOfAgreesWithTheModel(t *testing.T) {
	d := dice{rand.New(rand.NewPCG(11, 1))}
	yes := 0
	for range 30_000 {
		roles, bindings := d.policy()
		a := d.action()
		user := rights.User{Name: d.one("u1", "x:alice", "system:serviceaccount:n1:sa"), Groups: append(d.some("g1", "g1:alice"), "system:authenticated")}
		grants := rights.NewPolicy(roles, bindings).Of(user)
		got := slices.ContainsFunc(grants, func(g rights.Grant) bool { return g.Allows(a) })
		want := may(roles, bindings, user, a)
		if got != want {
			t.Fatalf("%s of %v: %v, want %v\n%v\n%v", a, user, got, want, roles, bindings)
		}
		if want {
			yes++
		}
	}
	if yes < 3000 {
		t.Errorf("only %d of the answers are yes", yes)
	}
}

// TestWhoAgreesWithTheModel maps many principals by random mappings, and compares the
// holders with what the user of each principal may do.
func TestWhoAgreesWithTheModel(t *testing.T) {
	d := dice{rand.New(rand.NewPCG(11, 2))}
	yes, conditions := 0, 0
	for range 4_000 {
		roles, bindings := d.policy()
		tables := []*mapper.Table{d.table(t, 0), d.table(t, 1)}
		var owners []string
		if d.IntN(3) == 0 {
			owners = []string{"arn:aws:iam::111122223333:role/R1"}
		}
		chain := newChain(t, owners, tables, d.some("x:", "system:"))
		a := d.action()
		holders := slices.Collect(rights.NewPolicy(roles, bindings).Who(t.Context(), a, rights.Mappings{Owners: owners, Tables: tables, Mapper: chain}))
		for _, who := range principals() {
			match, ok, err := chain.Map(t.Context(), who, nil)
			user := rights.User{Name: match.Username, Groups: append(slices.Clone(match.Groups), "system:authenticated")}
			want := ok && err == nil && may(roles, bindings, user, a)
			got := ok && err == nil && slices.ContainsFunc(holders, func(h rights.Holder) bool { return h.Rule == match.Rule && holds(h, who, a) })
			if got != want {
				t.Fatalf("%s of %+v: %v, want %v\nmapped to %+v\nholders %+v\n%+v\n%+v", a, who, got, want, match, holders, roles, bindings)
			}
			if want {
				yes++
			}
		}
		for _, h := range holders {
			if len(h.If) > 0 {
				conditions++
			}
		}
	}
	t.Logf("%d yes, %d holders with a condition", yes, conditions)
	if yes < 1000 || conditions < 100 {
		t.Errorf("only %d of the answers are yes, and %d holders have a condition", yes, conditions)
	}
}

// holds reports whether a holder's mapping gives a principal the action.
func holds(h rights.Holder, who identity.Principal, a rights.Action) bool {
	if strings.HasPrefix(h.Who, "arn:aws:iam::111122223333:") && h.Rule.Section == "mapAccounts" && h.Who != who.CanonicalARN {
		return false
	}
	for name, value := range h.If {
		switch name {
		case "SessionName":
			if strings.ReplaceAll(who.SessionName, "@", "-") != value {
				return false
			}
		case "SessionNameRaw":
			if who.SessionName != value {
				return false
			}
		default:
			return false
		}
	}
	return h.Grant.Binding == nil || h.Grant.Allows(a)
}

func newChain(t *testing.T, owners []string, tables []*mapper.Table, reserved []string) mapper.Mapper {
	t.Helper()
	owner, err := mapper.Owner("aws", owners...)
	if err != nil {
		t.Fatal(err)
	}
	chain := []mapper.Mapper{owner}
	for _, table := range tables {
		chain = append(chain, mapper.Reserve(mapper.Entries(func() *mapper.Table { return table }, nil), reserved))
	}
	for _, table := range tables {
		chain = append(chain, mapper.Reserve(mapper.Accounts(func() *mapper.Table { return table }), reserved))
	}
	return mapper.First(chain...)
}

// principals returns all principals that the random mappings may name.
func principals() (all []identity.Principal) {
	for _, name := range []string{"R1", "R2", "AWSReservedSSO_Set_0123456789abcdef"} {
		for _, session := range []string{"alice", "a@b", "a-b", "i-0123456789abcdef0"} {
			all = append(all, identity.Principal{
				CanonicalARN: "arn:aws:iam::111122223333:role/" + name, Partition: "aws", AccountID: "111122223333", SessionName: session,
			})
		}
	}
	for _, name := range []string{"ann", "bob"} {
		all = append(all, identity.Principal{CanonicalARN: "arn:aws:iam::111122223333:user/" + name, Partition: "aws", AccountID: "111122223333"})
	}
	return all
}

func (d dice) table(t *testing.T, source int) *mapper.Table {
	t.Helper()
	var entries []mapper.Entry
	for line := range 1 + d.IntN(4) {
		entry := mapper.Entry{
			Username: template(t, d.one("u1", "x:alice", "x:{{SessionName}}", "{{SessionName}}", "{{SessionNameRaw}}", "system:serviceaccount:n1:sa", "y:{{AccountID}}")),
			Rule:     mapper.Rule{Source: fmt.Sprint(source), Section: "mapRoles", Line: line + 1},
		}
		for _, group := range d.some("g1", "g1:{{SessionName}}", "acct:{{AccountID}}", "system:masters", "g2") {
			entry.Groups = append(entry.Groups, template(t, group))
		}
		if d.IntN(5) == 0 {
			entry.SSO = &mapper.SSO{PermissionSet: "Set", AccountID: "111122223333"}
		} else {
			entry.ARN = "arn:aws:iam::111122223333:" + d.one("role/R1", "role/R2", "role/p/R2", "user/ann", "user/bob", "role/AWSReservedSSO_Set_0123456789abcdef")
		}
		entries = append(entries, entry)
	}
	var accounts []mapper.Account
	if d.IntN(2) == 0 {
		accounts = append(accounts, mapper.Account{ID: "111122223333", Rule: mapper.Rule{Source: fmt.Sprint(source), Section: "mapAccounts", Line: 1}})
	}
	return mapper.NewTable(entries, accounts, mapper.RolePaths(d.IntN(2)))
}

func template(t *testing.T, text string) mapper.Template {
	t.Helper()
	made, err := mapper.ParseTemplate(text)
	if err != nil {
		t.Fatal(err)
	}
	return made
}
