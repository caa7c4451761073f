package awsauth_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/mapper/mappertest"
)

const (
	role = "arn:aws:iam::231144931069:role/"
	user = "arn:aws:iam::231144931069:user/"
)

// tableOf returns a function that returns the result's table, as a source has.
func tableOf(result *awsauth.Result) func() *mapper.Table {
	return func() *mapper.Table { return result.Table }
}

func entriesOf(result *awsauth.Result) mapper.Mapper {
	return mapper.Entries(tableOf(result), mappertest.Instances())
}

func username(t *testing.T, result *awsauth.Result, id identity.Principal) string {
	t.Helper()
	match, _, err := entriesOf(result).Map(t.Context(), id, nil)
	if err != nil {
		t.Fatal(err)
	}
	return match.Username
}

func options() awsauth.Options { return awsauth.Options{Source: "test", Partition: "aws"} }

// nativeYAML returns the suite's data with its sections as lists, not as text.
func nativeYAML() string {
	var b strings.Builder
	for _, name := range []string{"mapRoles", "mapUsers", "mapAccounts"} {
		b.WriteString(name + ":" + strings.ReplaceAll("\n"+mappertest.Data()[name], "\n", "\n  ") + "\n")
	}
	return b.String()
}

func TestConformance(t *testing.T) {
	manifest, err := yaml.Marshal(map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "data": mappertest.Data()})
	if err != nil {
		t.Fatal(err)
	}
	data, err := yaml.Marshal(mappertest.Data())
	if err != nil {
		t.Fatal(err)
	}
	results := map[string]*awsauth.Result{"ConfigMap": awsauth.Parse(mappertest.Data(), nil, options())}
	for name, content := range map[string]string{"manifest": string(manifest), "data": string(data), "native": nativeYAML()} {
		if results[name], err = awsauth.ParseFile([]byte(content), nil, options()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	var node yaml.Node
	if err := yaml.Unmarshal([]byte(nativeYAML()), &node); err != nil {
		t.Fatal(err)
	}
	results["node"] = awsauth.ParseNode(node.Content[0], nil, options())
	for name, result := range results {
		t.Run(name, func(t *testing.T) { mappertest.Run(t, "test", tableOf(result)) })
	}
}

func TestNothing(t *testing.T) {
	for _, text := range []string{"", " \n", `""`, "''", "``", "# a comment\n", "[]", "null", "~", "---\n"} {
		result := awsauth.Parse(map[string]string{"mapRoles": text, "mapUsers": text, "mapAccounts": text, "somethingElse": "x: ["}, nil, options())
		if len(result.Problems) > 0 {
			t.Errorf("%q: %v", text, result.Problems)
		}
		if got := username(t, result, mappertest.Role(t, "Admin", "x")); got != "" {
			t.Errorf("%q maps the admin to %q", text, got)
		}
	}
}

// TestBrokenSectionKeepsItsLastGoodContent checks that a broken section, and no other
// section, keeps its last good content.
func TestBrokenSectionKeepsItsLastGoodContent(t *testing.T) {
	good := map[string]string{
		"mapRoles": "- rolearn: " + role + "Admin\n  username: admin:{{SessionName}}\n",
		"mapUsers": "- userarn: " + user + "leaver\n  username: leaver\n",
	}
	admin, leaver := mappertest.Role(t, "Admin", "x"), mappertest.User(t, mappertest.Account, "leaver")
	last := awsauth.Parse(good, nil, options())
	if username(t, last, admin) != "admin:x" || username(t, last, leaver) != "leaver" {
		t.Fatal("the good content is not read")
	}
	for name, broken := range map[string]string{"syntax": "- rolearn: [", "not a list": "rolearn: x"} {
		result := awsauth.Parse(map[string]string{"mapRoles": broken, "mapUsers": "[]"}, last, options())
		if got := username(t, result, admin); got != "admin:x" {
			t.Errorf("%s: the admin is %q", name, got)
		}
		if got := username(t, result, leaver); got != "" {
			t.Errorf("%s: the leaver is %q", name, got)
		}
		if len(result.Problems) != 1 || !strings.Contains(result.Problems[0].Effect, "keeps its last good content") {
			t.Errorf("%s: %v", name, result.Problems)
		}
		// It is kept until the section is fixed or removed.
		result = awsauth.Parse(map[string]string{"mapRoles": broken + " "}, result, options())
		if got := username(t, result, admin); got != "admin:x" {
			t.Errorf("%s, again: the admin is %q", name, got)
		}
		result = awsauth.Parse(map[string]string{}, result, options())
		if got := username(t, result, admin); got != "" {
			t.Errorf("%s, removed: the admin is %q", name, got)
		}
	}
	if got := username(t, awsauth.Parse(map[string]string{"mapRoles": "["}, nil, options()), admin); got != "" {
		t.Errorf("without a last good content: the admin is %q", got)
	}
}

func TestRolesWinOverUsers(t *testing.T) {
	result := awsauth.Parse(map[string]string{
		"mapUsers": "- userarn: " + user + "bob\n  username: from-users\n",
		"mapRoles": "- rolearn: " + user + "bob\n  username: from-roles\n",
	}, nil, options())
	if got := username(t, result, mappertest.User(t, mappertest.Account, "bob")); got != "from-roles" {
		t.Errorf("bob is %q", got)
	}
}

func TestStrippedRolePathsThatMatchNobody(t *testing.T) {
	opts := options()
	opts.RolePaths = mapper.RolePathsStrip
	result := awsauth.Parse(map[string]string{"mapRoles": "" +
		"- rolearn: " + role + "a/Ambiguous\n  username: a:{{SessionName}}\n" +
		"- rolearn: " + role + "b/Ambiguous\n  username: b:{{SessionName}}\n" +
		"- rolearn: " + role + "a/Alone\n  username: alone:{{SessionName}}\n" +
		"- rolearn: " + role + "a/Both\n  username: with:{{SessionName}}\n" +
		"- rolearn: " + role + "Both\n  username: without:{{SessionName}}\n"}, nil, opts)
	var problems []string
	for _, problem := range result.Problems {
		problems = append(problems, fmt.Sprint(problem.Line, " ", problem.Code))
	}
	if want := []string{"1 RolePath", "3 RolePath", "7 DuplicateEntry"}; !slices.Equal(problems, want) {
		t.Errorf("reported %q, want %q", problems, want)
	}
	if got := username(t, result, mappertest.Role(t, "Alone", "x")); got != "alone:x" {
		t.Errorf("alone is %q", got)
	}
}

// TestParseNodeTakesKeysInAnyCase checks that ParseNode accepts keys in any case, as
// aws-iam-authenticator does in its configuration file.
func TestParseNodeTakesKeysInAnyCase(t *testing.T) {
	var node yaml.Node
	if err := yaml.Unmarshal([]byte("maproles:\n- rolearn: "+role+"B\n  username: b:{{SessionName}}\n"), &node); err != nil {
		t.Fatal(err)
	}
	result := awsauth.ParseNode(node.Content[0], nil, options())
	if got := username(t, result, mappertest.Role(t, "B", "x")); got != "b:x" || len(result.Problems) > 0 {
		t.Errorf("%q, %v", got, result.Problems)
	}
}

func TestDefaultUsernames(t *testing.T) {
	result := awsauth.Parse(map[string]string{
		"mapRoles": "- rolearn: " + role + "B\n- sso: {permissionSetName: Admin, accountID: '231144931069'}\n",
		"mapUsers": "- userarn: " + user + "div/bob\n",
	}, nil, options())
	for want, id := range map[string]identity.Principal{
		"arn:aws:sts::231144931069:assumed-role/B/x":                    mappertest.Role(t, "B", "x"),
		"arn:aws:sts::231144931069:assumed-role/AWSReservedSSO_Admin/x": mappertest.Role(t, "AWSReservedSSO_Admin_0123456789abcdef", "x"),
		user + "div/bob": mappertest.User(t, mappertest.Account, "div/bob"),
	} {
		if got := username(t, result, id); got != want {
			t.Errorf("%s is %q, want %q", id.ARN, got, want)
		}
	}
}

// TestKeptSectionIsReportedOnce checks that duplicates in kept content are not reported
// again, and that the kept content still wins over another section.
func TestKeptSectionIsReportedOnce(t *testing.T) {
	const twice = "- rolearn: " + role + "A\n  username: 1:{{SessionName}}\n- rolearn: " + role + "A\n  username: 2:{{SessionName}}\n"
	last := awsauth.Parse(map[string]string{"mapRoles": twice}, nil, options())
	if got := summary(last); got != "warning DuplicateEntry 1" {
		t.Errorf("reported %q", got)
	}
	result := awsauth.Parse(map[string]string{"mapRoles": "[", "mapUsers": "- userarn: " + role + "A\n  username: 3:{{SessionName}}\n"}, last, options())
	if got := summary(result); got != "error SectionSyntax 1 warning WrongSection 1 warning DuplicateEntry 1" {
		t.Errorf("reported %q", got)
	}
	if message := result.Problems[2].Message; !strings.Contains(message, "mapRoles line 3 of the last good content") {
		t.Errorf("%s", message)
	}
	if got := username(t, result, mappertest.Role(t, "A", "x")); got != "2:x" {
		t.Errorf("A is %q", got)
	}
}

func TestSharedUsernamesAreReportedOnce(t *testing.T) {
	text := ""
	for _, name := range []string{"A", "B", "C"} {
		text += "- rolearn: " + role + name + "\n  username: " + name + "\n"
	}
	result := awsauth.Parse(map[string]string{"mapRoles": text}, nil, options())
	if got := summary(result); got != "warning SharedUsername 2" || !strings.Contains(result.Problems[0].Message, "2 more entries") {
		t.Errorf("reported %v", result.Problems)
	}
}

// TestGroupsOfAnAliasAreReportedOnce checks that a list's problems are reported once,
// however many entries refer to it, and those of an equal list again.
func TestGroupsOfAnAliasAreReportedOnce(t *testing.T) {
	result := awsauth.Parse(map[string]string{"mapRoles": "" +
		"- rolearn: " + role + "A\n  username: a:{{SessionName}}\n  groups: &g [x, '', z]\n" +
		"- rolearn: " + role + "B\n  username: b:{{SessionName}}\n  groups: *g\n" +
		"- rolearn: " + role + "C\n  username: c:{{SessionName}}\n  groups: [x, '', z]\n"}, nil, options())
	if got := summary(result); got != "error GroupEmpty 3 error GroupEmpty 9" {
		t.Errorf("reported %q", got)
	}
	for _, name := range []string{"A", "B", "C"} {
		if got := mapped(t, result, mappertest.Role(t, name, "x")); got != strings.ToLower(name)+":x in x,z" {
			t.Errorf("%s is %q", name, got)
		}
	}
}

// TestFieldInSeveralSpellings checks that the spelling that sorts last applies, as on
// EKS, which converts an entry to JSON with sorted keys.
func TestFieldInSeveralSpellings(t *testing.T) {
	for _, test := range []struct{ entry, want string }{
		{"{rolearn: %sA, ROLEARN: %[1]sB, username: 'x:{{SessionName}}', groups: [a]}", "A x:x [a]"},
		{"{ROLEARN: %sB, rolearn: %[1]sA, username: 'x:{{SessionName}}', groups: [a]}", "A x:x [a]"},
		{"{rolearn: %sB, rolearn: %[1]sA, username: 'x:{{SessionName}}', groups: [a]}", "A x:x [a]"},
		{"{rolearn: %sA, username: 'x:{{SessionName}}', groups: [a], Groups: [system:masters]}", "A x:x [a]"},
		{"{rolearn: %sA, username: 'x:{{SessionName}}', Groups: [system:masters], groups: [a], GROUPS: [b]}", "A x:x [a]"},
		{"{rolearn: %sA, userName: 'y:{{SessionName}}', username: 'x:{{SessionName}}', Username: 'z', groups: [a]}", "A x:x [a]"},
		{"{sso: {permissionSetName: A, PermissionSetName: B, accountID: '231144931069', ACCOUNTID: '1'}, username: 'x:{{SessionName}}', groups: [a]}", "AWSReservedSSO_A_0123456789abcdef x:x [a]"},
	} {
		text := "- " + test.entry
		if strings.Contains(text, "%s") {
			text = fmt.Sprintf(text, role)
		}
		result := awsauth.Parse(map[string]string{"mapRoles": text}, nil, options())
		var got []string
		for _, name := range []string{"A", "B", "AWSReservedSSO_A_0123456789abcdef", "AWSReservedSSO_B_0123456789abcdef"} {
			if match, ok, err := entriesOf(result).Map(t.Context(), mappertest.Role(t, name, "x"), nil); ok || err != nil {
				got = append(got, fmt.Sprint(name, " ", match.Username, " ", match.Groups))
			}
		}
		if strings.Join(got, "; ") != test.want {
			t.Errorf("%s: %q, want %q", test.entry, got, test.want)
		}
		if n := mapper.Count(result.Problems, mapper.Warning); n == 0 || result.Problems[0].Code != mapper.RepeatedField {
			t.Errorf("%s: reported %v", test.entry, result.Problems)
		}
	}
}

// TestGoodAndBroken checks which content can be saved and used again: only that of
// sections that were read as a whole.
func TestGoodAndBroken(t *testing.T) {
	const good, broken, outdented = "- rolearn: arn:aws:iam::231144931069:role/a\n", "- rolearn: [\n", "  - userarn: arn:aws:iam::231144931069:user/b\n- userarn: arn:aws:iam::231144931069:user/c\n"
	many := strings.Repeat("- x\n", 300) // more problems than are listed
	var last *awsauth.Result
	for _, test := range []struct {
		data         map[string]string
		good, broken string
		kept         bool // of mapRoles
	}{
		{map[string]string{"mapRoles": broken}, "", "mapRoles", false},
		{map[string]string{"mapRoles": good, "mapUsers": outdented, "mapAccounts": "# none"}, "mapRoles", "mapUsers", false},
		{map[string]string{"mapRoles": broken, "mapUsers": many}, "mapUsers", "mapRoles", true},
		{map[string]string{"mapRoles": broken, "mapUsers": "", "mapAccounts": "a: b"}, "", "mapAccounts mapRoles", true},
		{map[string]string{"mapRoles": "[]"}, "mapRoles", "", false},
		{nil, "", "", false},
	} {
		last = awsauth.Parse(test.data, last, awsauth.Options{})
		if got := strings.Join(last.Good(), " "); got != test.good {
			t.Errorf("%v: good are %q, want %q", test.data, got, test.good)
		}
		if got := strings.Join(last.Broken(), " "); got != test.broken {
			t.Errorf("%v: broken are %q, want %q", test.data, got, test.broken)
		}
		if got := last.Kept("mapRoles"); got != test.kept {
			t.Errorf("%v: mapRoles is kept: %v, want %v", test.data, got, test.kept)
		}
	}
}
