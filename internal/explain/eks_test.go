package explain_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-iam/authenticator/internal/explain"
	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/mapper/mappertest"
)

// TestOnEKS checks what an explanation says about EKS where this server ignores an entry
// or a group. e2e/compare/testdata/mistakes.txtar has what aws-iam-authenticator does.
func TestOnEKS(t *testing.T) {
	const bob = "- userarn: " + users + "bob\n  "
	admin := "- rolearn: " + roles + "Admin\n  "
	roleOf := func(text string) map[string]string { return map[string]string{"mapRoles": text} }
	userOf := func(text string) map[string]string { return map[string]string{"mapUsers": text} }
	aRole, aUser := mappertest.Role(t, "Admin", "ann"), mappertest.User(t, account, "bob")
	const literal = "and what is not a known placeholder stays in "
	strip := setting{options: awsauth.Options{RolePaths: mapper.RolePathsStrip}}
	groups := strings.Repeat("x, ", 500) + "x"
	for _, test := range []struct {
		name    string
		setting setting
		data    map[string]string
		who     identity.Principal
		result  explain.Result
		eks     string // empty for nothing
	}{
		{"no mistake", setting{}, roleOf(admin + "username: x\n  groups: [g]\n"), aRole, explain.Mapped, ""},
		{"nobody", setting{}, userOf(bob + "username: '{{User}}'\n"), aRole, explain.NotMapped, ""},
		{"an unknown placeholder", setting{}, roleOf(admin + "username: 'x:{{User}}'\n"), aRole, explain.NotMapped, "On EKS, the entry is not ignored, " + literal + "its username as text (mapRoles line 2)."},
		{"a placeholder that is not closed", setting{}, roleOf(admin + "username: 'x:{{SessionName'\n"), aRole, explain.NotMapped, "On EKS, the entry is not ignored, " + literal + "its username as text (mapRoles line 2)."},
		{"a number", setting{}, roleOf(admin + "username: 123\n"), aRole, explain.NotMapped, "On EKS, the entry is not ignored, and has an empty username (mapRoles line 2)."},
		{"yes", setting{}, userOf(bob + "username: yes\n"), aUser, explain.NotMapped, "On EKS, the entry is not ignored, and has an empty username (mapUsers line 2)."},
		{"a list", setting{}, userOf(bob + "username: [x]\n"), aUser, explain.NotMapped, "On EKS, the entry is not ignored, and has an empty username (mapUsers line 2)."},
		{"a tag", setting{}, userOf(bob + "username: !x bob\n"), aUser, explain.NotMapped, ""},
		{"a long username", setting{}, userOf(bob + "username: " + strings.Repeat("x", 1025) + "\n"), aUser, explain.NotMapped, "On EKS, the entry is not ignored: there is no such limit (mapUsers line 2)."},
		{"a merge key", setting{}, userOf(bob + "<<: {username: x}\n"), aUser, explain.NotMapped, "On EKS, the entry is not ignored: its fields are merged (mapUsers line 2)."},
		{"a field of the other section", setting{}, userOf(bob + "rolearn: x\n  username: x\n"), aUser, explain.Mapped, ""},
		{"only a field of the other section", setting{}, userOf("- rolearn: " + users + "bob\n  username: x\n"), aUser, explain.NotMapped, ""},
		{"sso of a user", setting{}, userOf(bob + "sso: {}\n  username: x\n"), aUser, explain.Mapped, ""},
		{"no username", setting{}, userOf(bob + "groups: [g]\n"), aUser, explain.Mapped, "On EKS, the entry has an empty username: only access entries have a default (mapUsers line 1)."},
		{"a group that is a number", setting{}, userOf(bob + "username: x\n  groups: [g, 5]\n"), aUser, explain.Mapped, "On EKS, the entry has an empty group instead (mapUsers line 3)."},
		{"a group that is null", setting{}, userOf(bob + "username: x\n  groups:\n  -\n  - g\n"), aUser, explain.Mapped, "On EKS, the entry has an empty group instead (mapUsers line 4)."},
		{"a group that is a mapping", setting{}, userOf(bob + "username: x\n  groups:\n  - a: b\n"), aUser, explain.Mapped, "On EKS, the entry has an empty group instead (mapUsers line 4)."},
		{"a group with an unknown placeholder", setting{}, userOf(bob + "username: x\n  groups: ['{{Team}}']\n"), aUser, explain.Mapped, "On EKS, the group is not ignored, " + literal + "it as text (mapUsers line 3)."},
		{"a long group", setting{}, userOf(bob + "username: x\n  groups: [" + strings.Repeat("x", 1025) + "]\n"), aUser, explain.Mapped, "On EKS, the group is not ignored: there is no such limit (mapUsers line 3)."},
		{"groups that are text", setting{}, userOf(bob + "username: x\n  groups: g\n"), aUser, explain.Mapped, ""},
		{"a group that needs a session", setting{}, userOf(bob + "username: x\n  groups: ['s:{{SessionName}}']\n"), aUser, explain.NotMapped, `EKS replaces {{SessionName}} with nothing for an identity without a session, and signs it in as "x".`},
		{"too many groups", setting{}, userOf(bob + "username: x\n  groups: [" + groups + "]\n"), aUser, explain.NotMapped, "On EKS, the section applies: there is no such limit (mapUsers line 1)."},
		{"a mistake before the entry", setting{}, userOf(bob + "username: 5\n" + bob + "username: x\n"), aUser, explain.Mapped, ""},
		{"a mistake after the entry", setting{}, userOf(bob + "username: x\n" + bob + "username: 5\n"), aUser, explain.Mapped, "On EKS, the entry is not ignored, and has an empty username (mapUsers line 4)."},
		{"in one line", setting{}, userOf("[{userarn: '" + users + "bob', username: x}, {userarn: '" + users + "bob', username: 5}]"), aUser, explain.Mapped, "On EKS, the entry is not ignored, and has an empty username (mapUsers line 1)."},
		{"after an entry in another case", setting{}, userOf(bob + "username: x\n- userarn: " + users + "BOB\n  username: 5\n"), aUser, explain.Mapped, ""},
		{"in the section that comes first", setting{}, map[string]string{"mapRoles": "- rolearn: " + users + "bob\n  username: 5\n", "mapUsers": bob + "username: x\n"}, aUser, explain.Mapped,
			"On EKS, the entry is not ignored, and has an empty username (mapRoles line 2)."},
		{"in the section that comes last", setting{}, map[string]string{"mapUsers": "- userarn: " + roles + "Admin\n  username: 5\n", "mapRoles": admin + "username: x\n"}, aRole, explain.Mapped, ""},
		{"with an account", setting{}, map[string]string{"mapUsers": bob + "username: 5\n", "mapAccounts": "['" + account + "']"}, aUser, explain.Mapped, "On EKS, the entry is not ignored, and has an empty username (mapUsers line 2)."},
		{"with an entry that matches nobody there", strip, roleOf(admin + "username: 5\n- rolearn: " + roles + "a/Admin\n  username: x\n"), aRole, explain.Mapped,
			"On EKS, an entry with a role path matches nobody: this server runs with --role-paths=strip. On EKS, the entry is not ignored, and has an empty username (mapRoles line 2)."},
		{"two entries for a user in another case", setting{}, userOf(bob + "username: x\n- userarn: " + users + "BOB\n  username: z\n"), aUser, explain.Mapped,
			"On EKS, either this entry or that in line 3 may apply (mapUsers line 1)."},
		{"two entries for a role in another case", setting{}, roleOf(admin + "username: x\n- rolearn: " + roles + "ADMIN\n  username: z\n"), aRole, explain.Mapped, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			e := test.setting.explain(t, test.data, test.who)
			if e.Result != test.result {
				t.Errorf("%s: %s", e.Result, e.Sentence)
			}
			if diff := cmp.Diff(test.eks, strings.Join(e.EKS, " ")); diff != "" {
				t.Errorf("on EKS (-want +got)\n%s", diff)
			}
		})
	}
}

// TestOnEKSInOtherFiles checks that nothing is said about mappings that are not those of
// an aws-auth.
func TestOnEKSInOtherFiles(t *testing.T) {
	const sections = `{"mapUsers": [{"userarn": %q, "username": ["x"]}]}`
	text := fmt.Sprintf(sections, users+"bob")
	for name, test := range map[string]struct {
		options awsauth.Options
		want    int
	}{
		"aws-auth":      {awsauth.Options{}, 1},
		"a DynamicFile": {awsauth.Options{SectionsInAnyCase: true}, 0},
	} {
		read, err := awsauth.ParseFile([]byte(text), nil, test.options)
		if err != nil {
			t.Fatal(err)
		}
		said := 0
		for _, p := range read.Problems {
			if p.OnEKS != "" {
				said++
			}
		}
		if len(read.Problems) != 1 || said != test.want {
			t.Errorf("%s: %+v", name, read.Problems)
		}
	}
}

// TestOnEKSInQuotes checks that nothing is said of an entry if it is unknown which entry has
// the mistake: all entries of a section in quotes have one place.
func TestOnEKSInQuotes(t *testing.T) {
	const arn = users + "bob"
	for section, want := range map[string]int{
		"- userarn: " + arn + "\n  username: x\n  groups: [5]\n":                                        1,
		"- userarn: " + arn + "\n  username: x\n  groups: [5]\n- userarn: " + arn + "\n  username: z\n": 0,
		"- userarn: " + arn + "\n  username: 5\n- userarn: " + arn + "\n  username: z\n":                0,
	} {
		if e := explainFile(t, []byte("mapUsers: "+strconv.Quote(section)+"\n"), arn); e.Result != explain.Mapped || len(e.EKS) != want {
			t.Errorf("%q: %s, %q", section, e.Sentence, e.EKS)
		}
	}
}
