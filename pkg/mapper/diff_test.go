package mapper_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/mappertest"
)

const (
	one = "111122223333"
	two = "444455556666"
)

// mapped returns an entry with its line in the source.
func mapped(t testing.TB, line int, arn, username string, groups ...string) mapper.Entry {
	e := mapper.Entry{ARN: arn, Username: template(t, username), Rule: mapper.Rule{Section: "mapRoles", Line: line}}
	for _, group := range groups {
		e.Groups = append(e.Groups, template(t, group))
	}
	return e
}

func mappedSet(t testing.TB, line int, sso mapper.SSO, username string, groups ...string) mapper.Entry {
	e := mapped(t, line, "", username, groups...)
	e.SSO = &sso
	return e
}

func accounts(ids ...string) (list []mapper.Account) {
	for i, id := range ids {
		list = append(list, mapper.Account{ID: id, Rule: mapper.Rule{Section: "mapAccounts", Line: i + 1}})
	}
	return list
}

func TestDiff(t *testing.T) {
	role := func(name string) string { return "arn:aws:iam::" + one + ":role/" + name }
	admin := mapped(t, 1, role("Admin"), "admin:{{SessionName}}", "system:masters")
	table := func(entries ...mapper.Entry) *mapper.Table { return mapper.NewTable(entries, nil, 0) }
	withAccount := func(entries ...mapper.Entry) *mapper.Table { return mapper.NewTable(entries, accounts(one), 0) }
	stripped := func(entries ...mapper.Entry) *mapper.Table {
		return mapper.NewTable(entries, nil, mapper.RolePathsStrip)
	}
	set := mapper.SSO{PermissionSet: "Admin", AccountID: one}
	const setRole = "AWSReservedSSO_Admin_0123456789abcdef"
	for _, test := range []struct {
		name     string
		from, to *mapper.Table
		want     []string
	}{
		{"nothing", nil, nil, nil},
		{"the same", table(admin), table(admin), nil},
		{"another line", table(admin), table(mapped(t, 9, role("Admin"), "admin:{{SessionName}}", "system:masters")), nil},
		{"another case of the ARN", table(admin), table(mapped(t, 1, role("ADMIN"), "admin:{{SessionName}}", "system:masters")), nil},
		{"another order of groups", table(mapped(t, 1, role("A"), "a", "x", "y")), table(mapped(t, 1, role("A"), "a", "y", "x", "y")), nil},
		{"no table before", nil, table(admin), []string{"gains access: role Admin of account 111122223333, now admin:{{SessionName}} in system:masters"}},
		{"no table after", table(admin), nil, []string{"loses access: role Admin of account 111122223333, was admin:{{SessionName}} in system:masters"}},
		{"another username", table(admin), table(mapped(t, 1, role("Admin"), "x", "system:masters")), []string{
			"changes access: role Admin of account 111122223333, was admin:{{SessionName}} in system:masters, now x in system:masters",
		}},
		{"another group", table(admin), table(mapped(t, 1, role("Admin"), "admin:{{SessionName}}")), []string{
			"changes access: role Admin of account 111122223333, was admin:{{SessionName}} in system:masters, now admin:{{SessionName}} in no groups",
		}},
		{"an entry that becomes inert", table(admin), table(inert(admin, mapper.MissWhiteSpace)), []string{
			"loses access: role Admin of account 111122223333, was admin:{{SessionName}} in system:masters",
		}},
		{"an inert entry that goes", table(inert(admin, mapper.MissWhiteSpace)), nil, nil},
		{"an entry that is overridden", table(admin), table(admin, mapped(t, 2, role("admin"), "other", "view")), []string{
			"changes access: role admin of account 111122223333, was admin:{{SessionName}} in system:masters, now other in view",
		}},
		{"an overridden entry that goes", table(mapped(t, 1, role("admin"), "x"), admin), table(admin), nil},
		{"an overriding entry that goes", table(mapped(t, 1, role("Admin"), "x"), admin), table(mapped(t, 1, role("Admin"), "x")), []string{
			"changes access: role Admin of account 111122223333, was admin:{{SessionName}} in system:masters, now x in no groups",
		}},
		{"a role path that is ignored", table(mapped(t, 1, role("team/Admin"), "x")), nil, nil},
		{"a role path that is stripped", stripped(mapped(t, 1, role("team/Admin"), "x")), stripped(mapped(t, 1, role("Admin"), "x")), nil},
		{"role paths that become ambiguous", stripped(mapped(t, 1, role("a/Admin"), "x")), stripped(mapped(t, 1, role("a/Admin"), "x"), mapped(t, 2, role("b/Admin"), "x")), []string{
			"loses access: role Admin of account 111122223333, was x in no groups",
		}},
		{"an assumed role that becomes the role", table(assumedRole(admin)), table(admin), nil},
		{"a user, a federated user and a root", table(mapped(t, 1, "arn:aws:iam::"+one+":user/div/bob", "bob"), mapped(t, 2, "arn:aws:iam::"+one+":root", "root"), mapped(t, 3, "arn:aws:sts::"+two+":federated-user/fed", "fed")), nil, []string{
			"loses access: root of account 111122223333, was root in no groups",
			"loses access: user div/bob of account 111122223333, was bob in no groups",
			"loses access: federated-user fed of account 444455556666, was fed in no groups",
		}},
		{"another partition", table(mapped(t, 1, role("A"), "a")), table(mapped(t, 1, "arn:aws-cn:iam::"+one+":role/A", "a")), []string{
			"loses access: role A of account 111122223333, was a in no groups",
			"gains access: role A of account 111122223333 in partition aws-cn, now a in no groups",
		}},
		{"an account", withAccount(), nil, []string{"loses access: everybody else of account 111122223333, was their own ARN in no groups"}},
		{"an entry of an account that stays", withAccount(admin), withAccount(), []string{
			"changes access: role Admin of account 111122223333, was admin:{{SessionName}} in system:masters, now arn:aws:iam::111122223333:role/Admin in no groups",
		}},
		{"an entry for somebody of an account", withAccount(), withAccount(admin), []string{
			"changes access: role Admin of account 111122223333, was arn:aws:iam::111122223333:role/Admin in no groups, now admin:{{SessionName}} in system:masters",
		}},
		{"an entry in place of its account", withAccount(), table(admin), []string{
			"loses access: everybody else of account 111122223333, was their own ARN in no groups",
			"changes access: role Admin of account 111122223333, was arn:aws:iam::111122223333:role/Admin in no groups, now admin:{{SessionName}} in system:masters",
		}},
		{"an account that has an entry", withAccount(admin), table(admin), []string{
			"loses access: everybody else of account 111122223333, was their own ARN in no groups",
		}},
		{"a permission set", table(mappedSet(t, 1, set, "a", "view")), nil, []string{"loses access: permission set Admin of account 111122223333, was a in view"}},
		{"a permission set in another case", table(mappedSet(t, 1, set, "a")), table(mappedSet(t, 1, mapper.SSO{PermissionSet: "ADMIN", AccountID: one, Partition: "aws"}, "a")), nil},
		{"a permission set of an account that stays", withAccount(mappedSet(t, 1, set, "a", "view")), withAccount(), []string{
			"changes access: permission set Admin of account 111122223333, was a in view, now their own ARN in no groups",
		}},
		{"a role beside its permission set", table(mappedSet(t, 1, set, "a", "view"), mapped(t, 2, role(setRole), "exact")), table(mappedSet(t, 1, set, "a", "view")), []string{
			"changes access: role " + setRole + " of account 111122223333, was exact in no groups, now a in view",
		}},
		{"a permission set beside its role", table(mappedSet(t, 1, set, "a", "view"), mapped(t, 2, role(setRole), "exact")), table(mapped(t, 2, role(setRole), "exact")), []string{
			"loses access: permission set Admin of account 111122223333, was a in view",
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var got []string
			for _, change := range mapper.Diff(test.from, test.to).Changes {
				got = append(got, change.String())
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestDiffHasTheRules(t *testing.T) {
	admin := mapped(t, 3, "arn:aws:iam::"+one+":role/Admin", "admin", "system:masters")
	delta := mapper.Diff(mapper.NewTable([]mapper.Entry{admin}, nil, 0), mapper.NewTable(nil, accounts(two, one), 0))
	want := []mapper.Change{
		{
			For: mapper.Target{ARN: admin.ARN},
			Old: &mapper.Grant{Username: "admin", Groups: []string{"system:masters"}, Rule: admin.Rule},
			New: &mapper.Grant{Username: admin.ARN, Rule: mapper.Rule{Section: "mapAccounts", Line: 2}, ByAccount: true},
		},
		{For: mapper.Target{Account: one}, New: &mapper.Grant{Rule: mapper.Rule{Section: "mapAccounts", Line: 2}, ByAccount: true}},
		{For: mapper.Target{Account: two}, New: &mapper.Grant{Rule: mapper.Rule{Section: "mapAccounts", Line: 1}, ByAccount: true}},
	}
	if diff := cmp.Diff(want, delta.Changes); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestDiffOfMastersAndNodes(t *testing.T) {
	role := func(name string) string { return "arn:aws:iam::" + one + ":role/" + name }
	admin, other := mapped(t, 1, role("Admin"), "admin", "system:masters"), mapped(t, 2, role("Other"), "other", "system:masters")
	set := mappedSet(t, 3, mapper.SSO{PermissionSet: "Admin", AccountID: one}, "admin", "system:masters")
	node := mapped(t, 4, role("Node"), "system:node:{{EC2PrivateDNSName}}", "system:bootstrappers", "system:nodes")
	view := mapped(t, 1, role("Admin"), "admin", "view")
	for _, test := range []struct {
		name           string
		from, to       []mapper.Entry
		masters, nodes string // who leaves the group
		last           bool
	}{
		{"nobody", []mapper.Entry{admin, node}, []mapper.Entry{admin, node}, "", "", false},
		{"one of two masters", []mapper.Entry{admin, other}, []mapper.Entry{other}, "Admin", "", false},
		{"the last master", []mapper.Entry{admin}, nil, "Admin", "", true},
		{"the last master, who keeps access", []mapper.Entry{admin}, []mapper.Entry{view}, "Admin", "", true},
		{"the last master, whose entry becomes inert", []mapper.Entry{admin}, []mapper.Entry{inert(admin, mapper.MissWhiteSpace)}, "Admin", "", true},
		{"a permission set remains", []mapper.Entry{admin, set}, []mapper.Entry{set}, "Admin", "", false},
		{"the last permission set", []mapper.Entry{set, view}, []mapper.Entry{view}, "permission set", "", true},
		{"another master", []mapper.Entry{admin}, []mapper.Entry{other}, "Admin", "", false},
		{"there were none", []mapper.Entry{view}, nil, "", "", false},
		{"a new master", nil, []mapper.Entry{admin, node}, "", "", false},
		{"the nodes", []mapper.Entry{admin, node}, []mapper.Entry{admin}, "", "Node", false},
		{"the nodes lose a group", []mapper.Entry{node}, []mapper.Entry{mapped(t, 4, role("Node"), "system:node:{{EC2PrivateDNSName}}", "system:bootstrappers")}, "", "Node", false},
		{"the nodes keep their group", []mapper.Entry{node}, []mapper.Entry{mapped(t, 4, role("Node"), "other", "system:nodes")}, "", "", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			delta := mapper.Diff(mapper.NewTable(test.from, nil, 0), mapper.NewTable(test.to, nil, 0))
			for group, want := range map[string]string{mapper.MastersGroup: test.masters, mapper.NodesGroup: test.nodes} {
				var got []string
				for _, change := range delta.Leaving(group) {
					got = append(got, change.For.String())
				}
				if all := strings.Join(got, ", "); !strings.Contains(all, want) || (all == "") != (want == "") {
					t.Errorf("%q leave %s, want %q", all, group, want)
				}
			}
			if delta.LosesLastMaster != test.last {
				t.Errorf("the last master goes: %v, want %v", delta.LosesLastMaster, test.last)
			}
		})
	}
}

// TestDiffIsWhatTheLookupDoes checks that Diff agrees with the mappers about whether a
// principal keeps, loses or gains access.
func TestDiffIsWhatTheLookupDoes(t *testing.T) {
	role := func(name string) string { return "arn:aws:iam::" + mappertest.Account + ":role/" + name }
	set := mapper.SSO{PermissionSet: "Admin", AccountID: mappertest.Account}
	const setRole = "AWSReservedSSO_Admin_0123456789abcdef"
	entries := []mapper.Entry{
		mapped(t, 1, role("A"), "one"), mapped(t, 2, role("a"), "two"), inert(mapped(t, 3, role("A"), "three"), mapper.MissWhiteSpace),
		mapped(t, 4, role("x/A"), "four"), mapped(t, 5, role("y/A"), "five"), assumedRole(mapped(t, 6, role("A"), "six")),
		mappedSet(t, 7, set, "seven"), mapped(t, 8, role(setRole), "eight"),
	}
	subset := func(bits int) *mapper.Table {
		var chosen []mapper.Entry
		for i, e := range entries {
			if bits&(1<<i) != 0 {
				chosen = append(chosen, e)
			}
		}
		var mappedAccounts []mapper.Account
		if bits&(1<<len(entries)) != 0 {
			mappedAccounts = accounts(mappertest.Account)
		}
		return mapper.NewTable(chosen, mappedAccounts, mapper.RolePaths(bits>>(len(entries)+1)))
	}
	var tables []*mapper.Table
	for bits := range 1 << (len(entries) + 2) {
		tables = append(tables, subset(bits))
	}
	username := func(table *mapper.Table, name string) string {
		current := func() *mapper.Table { return table }
		match, _, err := mapper.First(mapper.Entries(current, nil), mapper.Accounts(current)).Map(t.Context(), mappertest.Role(t, name, "x"), nil)
		if err != nil {
			t.Fatal(err)
		}
		return match.Username
	}
	kinds := map[mapper.ChangeKind]int{}
	for i, from := range tables {
		to := tables[(i*37+11)%len(tables)]
		changes := mapper.Diff(from, to).Changes
		for _, name := range []string{"A", setRole} {
			var found *mapper.Change
			for _, target := range []mapper.Target{{ARN: role(name)}, {Account: mappertest.Account}} {
				at := slices.IndexFunc(changes, func(c mapper.Change) bool {
					return strings.EqualFold(c.For.ARN, target.ARN) && c.For.SSO == nil && c.For.Account == target.Account
				})
				if at >= 0 {
					found = &changes[at]
					break
				}
			}
			was, is := username(from, name), username(to, name)
			if found != nil && found.For.ARN != "" {
				kinds[found.Kind()]++
				if was == is || (found.Old == nil) != (was == "") || (found.New == nil) != (is == "") {
					t.Fatalf("tables %d: role %s was %q and is %q, but the change is: %s", i, name, was, is, found)
				}
			}
			if name == "A" && found == nil && was != is {
				t.Fatalf("tables %d: role A was %q and is %q, but there is no change", i, was, is)
			}
		}
	}
	for _, kind := range []mapper.ChangeKind{mapper.Gains, mapper.Loses, mapper.Changes} {
		if kinds[kind] < len(tables)/20 {
			t.Errorf("%d changes of kind %q among %d tables: too few to prove anything", kinds[kind], kind, len(tables))
		}
	}
}
