package mapper_test

import (
	"fmt"
	"testing"

	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/mappertest"
)

const roles = "arn:aws:iam::" + mappertest.Account + ":role/"

func template(t testing.TB, text string) mapper.Template {
	t.Helper()
	template, err := mapper.ParseTemplate(text)
	if err != nil {
		t.Fatal(err)
	}
	return template
}

// entry returns an entry with its line as the username.
func entry(t testing.TB, line int, arn string) mapper.Entry {
	return mapper.Entry{ARN: arn, Username: template(t, fmt.Sprint("line ", line)), Rule: mapper.Rule{Source: "test", Section: "mapRoles", Line: line}}
}

func sso(t testing.TB, line int, set string) mapper.Entry {
	e := entry(t, line, "")
	e.SSO = &mapper.SSO{PermissionSet: set, AccountID: mappertest.Account}
	return e
}

func assumedRole(e mapper.Entry) mapper.Entry {
	e.AssumedRole = true
	return e
}

func inert(e mapper.Entry, why mapper.Miss) mapper.Entry {
	e.Inert = why
	return e
}

func lookup(table *mapper.Table) mapper.Mapper {
	return mapper.Entries(func() *mapper.Table { return table }, nil)
}

// TestTableDecidesWhoIsTheSamePrincipal checks which of several entries, with the
// lines 1, 2, …, applies, and which entry overrides which.
func TestTableDecidesWhoIsTheSamePrincipal(t *testing.T) {
	admin := mappertest.Role(t, "Admin", "x")
	ssoAdmin := mappertest.Role(t, "AWSReservedSSO_Admin_0123456789abcdef", "x")
	for _, test := range []struct {
		name       string
		paths      mapper.RolePaths
		entries    []mapper.Entry
		who        identity.Principal
		applies    int // 0: none
		overridden map[int]int
	}{
		{"the later of two", 0, []mapper.Entry{entry(t, 1, roles+"Admin"), entry(t, 2, roles+"Admin")}, admin, 2, map[int]int{1: 2}},
		{"in another case", 0, []mapper.Entry{entry(t, 1, roles+"ADMIN"), entry(t, 2, roles+"admin")}, admin, 2, map[int]int{1: 2}},
		{"the last of three", 0, []mapper.Entry{entry(t, 1, roles+"Admin"), entry(t, 2, roles+"Admin"), entry(t, 3, roles+"Admin")}, admin, 3, map[int]int{1: 3, 2: 3}},
		{"a permission set in another case", 0, []mapper.Entry{sso(t, 1, "Admin"), sso(t, 2, "admin")}, ssoAdmin, 2, map[int]int{1: 2}},
		{"an exact ARN and a permission set are different principals", 0, []mapper.Entry{entry(t, 1, ssoAdmin.CanonicalARN), sso(t, 2, "Admin")}, ssoAdmin, 1, nil},
		{"an assumed role", 0, []mapper.Entry{assumedRole(entry(t, 1, roles+"Admin"))}, admin, 1, nil},
		{"an assumed role after its role", 0, []mapper.Entry{entry(t, 1, roles+"Admin"), assumedRole(entry(t, 2, roles+"Admin"))}, admin, 1, map[int]int{2: 1}},
		{"an assumed role before its role", 0, []mapper.Entry{assumedRole(entry(t, 1, roles+"Admin")), entry(t, 2, roles+"Admin")}, admin, 2, map[int]int{1: 2}},
		{"two sessions of a role", 0, []mapper.Entry{assumedRole(entry(t, 1, roles+"Admin")), assumedRole(entry(t, 2, roles+"Admin"))}, admin, 2, map[int]int{1: 2}},
		{"an inert entry overrides no other", 0, []mapper.Entry{entry(t, 1, roles+"Admin"), inert(entry(t, 2, roles+"Admin"), mapper.MissWhiteSpace)}, admin, 1, nil},
		{"a role's path", 0, []mapper.Entry{entry(t, 1, roles+"Admin"), entry(t, 2, roles+"team/Admin")}, admin, 1, nil},
		{"a stripped path before the role", mapper.RolePathsStrip, []mapper.Entry{entry(t, 1, roles+"team/Admin"), entry(t, 2, roles+"Admin")}, admin, 2, map[int]int{1: 2}},
		{"a stripped path after the role", mapper.RolePathsStrip, []mapper.Entry{entry(t, 1, roles+"Admin"), entry(t, 2, roles+"team/Admin")}, admin, 1, map[int]int{2: 1}},
		{"a stripped path twice", mapper.RolePathsStrip, []mapper.Entry{entry(t, 1, roles+"team/Admin"), entry(t, 2, roles+"TEAM/Admin")}, admin, 2, map[int]int{1: 2}},
		{"stripped paths that differ", mapper.RolePathsStrip, []mapper.Entry{entry(t, 1, roles+"a/Admin"), entry(t, 2, roles+"b/Admin")}, admin, 0, map[int]int{1: 0, 2: 0}},
		{"stripped paths that differ, and the role", mapper.RolePathsStrip, []mapper.Entry{entry(t, 1, roles+"a/Admin"), entry(t, 2, roles+"b/Admin"), entry(t, 3, roles+"Admin")}, admin, 3, map[int]int{1: 3, 2: 3}},
		{"a stripped path and an assumed role", mapper.RolePathsStrip, []mapper.Entry{entry(t, 1, roles+"a/Admin"), assumedRole(entry(t, 2, roles+"Admin"))}, admin, 1, map[int]int{2: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			table := mapper.NewTable(test.entries, nil, test.paths)
			want := ""
			if test.applies > 0 {
				want = fmt.Sprint("line ", test.applies)
			}
			if match, _, err := lookup(table).Map(t.Context(), test.who, nil); err != nil || match.Username != want {
				t.Errorf("%q applies, want %q (%v)", match.Username, want, err)
			}
			overridden := map[int]int{}
			for entry, winner := range table.Overridden() {
				overridden[entry.Rule.Line] = 0
				if winner != nil {
					overridden[entry.Rule.Line] = winner.Rule.Line
				}
			}
			if fmt.Sprint(overridden) != fmt.Sprint(test.overridden) {
				t.Errorf("overridden: %v, want %v", overridden, test.overridden)
			}
		})
	}
}

func TestAccountListedTwice(t *testing.T) {
	account := func(id string, line int) mapper.Account {
		return mapper.Account{ID: id, Rule: mapper.Rule{Source: "test", Section: "mapAccounts", Line: line}}
	}
	table := mapper.NewTable(nil, []mapper.Account{account("111122223333", 1), account("012345678901", 2), account("111122223333", 3)}, 0)
	if table.Len() != 2 {
		t.Errorf("%d accounts apply, want 2", table.Len())
	}
	overridden := map[int]int{}
	for account, winner := range table.OverriddenAccounts() {
		overridden[account.Rule.Line] = winner.Rule.Line
	}
	if fmt.Sprint(overridden) != "map[1:3]" {
		t.Errorf("overridden: %v", overridden)
	}
}
