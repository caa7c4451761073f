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

// tableOf is what a source offers that holds the result.
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

// nativeYAML is the suite's data with its sections as lists, not as text.
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

// TestProblems says for each mistake what it is called, where it is, and who is
// let in nevertheless: alice, whose entry is good, always is.
func TestProblems(t *testing.T) {
	const alice = "- rolearn: " + role + "Alice\n  username: alice:{{SessionName}}\n"
	for _, test := range []struct {
		name, section, text string
		code                mapper.Code
		severity            mapper.Severity
		line                int
		fix                 string // part of it
	}{
		{"an entry that is text", "mapRoles", alice + "- " + role + "Bob\n", mapper.EntryNotMap, mapper.Error, 3, "rolearn"},
		{"no ARN", "mapRoles", alice + "- username: bob\n", mapper.EntryNoARN, mapper.Error, 3, "rolearn"},
		{"userarn under mapRoles", "mapRoles", alice + "- userarn: " + user + "bob\n  username: bob\n", mapper.EntryWrongField, mapper.Error, 3, "rolearn"},
		{"rolearn and sso", "mapRoles", alice + "- rolearn: " + role + "B\n  sso: {permissionSetName: A, accountID: '231144931069'}\n", mapper.EntryWrongField, mapper.Error, 3, "keep one"},
		{"no ARN at all", "mapRoles", alice + "- rolearn: bob\n  username: bob\n", mapper.EntryInvalidARN, mapper.Error, 3, "arn:aws:iam"},
		{"a group's ARN", "mapUsers", "- userarn: arn:aws:iam::231144931069:group/people\n  username: bob\n", mapper.EntryInvalidARN, mapper.Error, 1, "arn:aws:iam"},
		{"an ARN that is a number", "mapRoles", alice + "- rolearn: 5\n", mapper.EntryWrongType, mapper.Error, 3, "text"},
		{"another partition", "mapRoles", alice + "- rolearn: arn:aws-cn:iam::231144931069:role/B\n  username: b:{{SessionName}}\n", mapper.EntryPartition, mapper.Error, 3, "arn:aws:"},
		{"a username that is a number", "mapRoles", alice + "- rolearn: " + role + "B\n  username: 123\n", mapper.EntryWrongType, mapper.Error, 4, "quotes"},
		{"groups that are text", "mapRoles", alice + "- rolearn: " + role + "B\n  username: b:{{SessionName}}\n  groups: system:masters\n", mapper.EntryWrongType, mapper.Error, 5, "- "},
		{"a group that is a map", "mapRoles", alice + "- rolearn: " + role + "B\n  username: b:{{SessionName}}\n  groups:\n  - a: b\n", mapper.EntryWrongType, mapper.Error, 6, "quotes"},
		{"an unknown placeholder", "mapRoles", alice + "- rolearn: " + role + "B\n  username: b:{{Session}}\n", mapper.EntryTemplate, mapper.Error, 4, "{{SessionName}}"},
		{"an unknown placeholder in a group", "mapRoles", alice + "- rolearn: " + role + "B\n  username: b:{{SessionName}}\n  groups: ['{{Group}}']\n", mapper.EntryTemplate, mapper.Error, 5, "{{SessionName}}"},
		{"a permission set without an account", "mapRoles", alice + "- sso: {permissionSetName: Admin}\n  username: b:{{SessionName}}\n", mapper.InvalidAccountID, mapper.Error, 3, "accountID"},
		{"a permission set's name that is none", "mapRoles", alice + "- sso: {permissionSetName: 'a b', accountID: '231144931069'}\n  username: b:{{SessionName}}\n", mapper.EntryInvalidSSO, mapper.Error, 3, "permissionSetName"},
		{"an account that is none", "mapAccounts", "- 12345\n", mapper.InvalidAccountID, mapper.Error, 1, "quotes"},
		{"a syntax error", "mapRoles", alice + "- rolearn: [\n", mapper.SectionSyntax, mapper.Error, 3, ""},
		{"a template that is not quoted", "mapRoles", alice + "- rolearn: " + role + "B\n  username: {{SessionName}}\n", mapper.SectionSyntax, mapper.Error, 4, `quote the value: username: "{{SessionName}}"`},
		{"a template with text behind it", "mapRoles", alice + "- rolearn: " + role + "B\n  username: {{SessionName}}:x\n", mapper.SectionSyntax, mapper.Error, 4, `quote the value: username: "{{SessionName}}:x"`},
		{"a tab", "mapRoles", alice + "- rolearn: " + role + "B\n\tusername: b\n", mapper.SectionSyntax, mapper.Error, 4, "tabs"},
		{"a map for a list", "mapRoles", "rolearn: " + role + "B\nusername: b\n", mapper.SectionNotList, mapper.Error, 1, "- "},
		{"text for a list", "mapUsers", "nobody", mapper.SectionNotList, mapper.Error, 1, "- "},

		{"a field twice", "mapRoles", alice + "- rolearn: " + role + "B\n  username: b:{{SessionName}}\n  groups: [a]\n  Groups: [b]\n", mapper.RepeatedField, mapper.Warning, 6, "remove"},
		{"a merge key", "mapRoles", alice + "- <<: {groups: [a]}\n  rolearn: " + role + "B\n  username: b:{{SessionName}}\n", mapper.MergeKey, mapper.Error, 3, "write the fields"},
		{"the same role twice", "mapRoles", alice + "- rolearn: " + role + "alice\n  username: alice:{{SessionName}}\n", mapper.DuplicateEntry, mapper.Warning, 3, "remove"},
		{"the same account twice", "mapAccounts", "- '231144931069'\n- '231144931069'\n", mapper.DuplicateEntry, mapper.Warning, 2, "remove"},
		{"a role's path", "mapRoles", alice + "- rolearn: " + role + "team/B\n  username: b:{{SessionName}}\n", mapper.RolePath, mapper.Warning, 3, "write " + role + "B"},
		{"no username", "mapRoles", alice + "- rolearn: " + role + "B\n  groups: [people]\n", mapper.NoUsername, mapper.Warning, 3, "username"},
		{"a user under mapRoles", "mapRoles", alice + "- rolearn: " + user + "bob\n  username: bob\n", mapper.WrongSection, mapper.Warning, 3, "other section"},
		{"a field that means nothing", "mapRoles", alice + "- rolearn: " + role + "B\n  username: b:{{SessionName}}\n  group: [people]\n", mapper.UnknownField, mapper.Warning, 5, "groups"},
		{"one username for all", "mapRoles", alice + "- rolearn: " + role + "B\n  username: b\n", mapper.SharedUsername, mapper.Warning, 4, "{{SessionName}}"},
		{"a node's name for a user", "mapUsers", "- userarn: " + user + "bob\n  username: system:node:{{EC2PrivateDNSName}}\n", mapper.NodeNameOnUserRole, mapper.Warning, 2, "role"},
		{"a group of Kubernetes that is not", "mapRoles", alice + "- rolearn: " + role + "B\n  username: b:{{SessionName}}\n  groups: [system:master]\n", mapper.SystemGroup, mapper.Warning, 5, "system:masters"},
		{"a second document", "mapRoles", alice + "---\n" + alice, mapper.SecondDocument, mapper.Warning, 0, "---"},
		{"a section misspelt", "maproles", alice, mapper.UnknownSection, mapper.Warning, 0, "mapRoles"},
	} {
		t.Run(test.name, func(t *testing.T) {
			// What stood there before, so that a section that does not parse has something to keep.
			last := awsauth.Parse(map[string]string{"mapRoles": alice}, nil, options())
			data := map[string]string{"mapRoles": alice}
			data[test.section] = test.text
			result := awsauth.Parse(data, last, options())
			if len(result.Problems) != 1 {
				t.Fatalf("%d problems, want one: %v", len(result.Problems), result.Problems)
			}
			problem := result.Problems[0]
			if problem.Code != test.code || problem.Severity != test.severity || problem.Section != test.section {
				t.Errorf("it is %s %s in %s, want %s %s in %s", problem.Severity, problem.Code, problem.Section, test.severity, test.code, test.section)
			}
			if test.line > 0 && problem.Line != test.line {
				t.Errorf("it is in line %d, want %d", problem.Line, test.line)
			}
			if !strings.Contains(problem.Fix, test.fix) || problem.Fix == "" {
				t.Errorf("the fix is %q, want %q in it", problem.Fix, test.fix)
			}
			if got := username(t, result, mappertest.Role(t, "Alice", "x")); got != "alice:x" {
				t.Errorf("alice is %q", got)
			}
			if got := username(t, result, mappertest.Role(t, "B", "x")); got != "" && problem.Severity == mapper.Error {
				t.Errorf("the bad entry acts: %q", got)
			}
		})
	}
}

func TestNothing(t *testing.T) {
	for _, text := range []string{"", " \n", `""`, "''", "``", "# a comment\n", "[]", "null", "~", "---\n"} {
		result := awsauth.Parse(map[string]string{"mapRoles": text, "mapUsers": text, "mapAccounts": text, "somethingElse": "x: ["}, nil, options())
		if len(result.Problems) > 0 {
			t.Errorf("%q: %v", text, result.Problems)
		}
		if got := username(t, result, mappertest.Role(t, "Admin", "x")); got != "" {
			t.Errorf("%q maps somebody to %q", text, got)
		}
	}
}

// TestBrokenSectionKeepsItsLastGoodContent, and no other section does.
func TestBrokenSectionKeepsItsLastGoodContent(t *testing.T) {
	good := map[string]string{
		"mapRoles": "- rolearn: " + role + "Admin\n  username: admin:{{SessionName}}\n",
		"mapUsers": "- userarn: " + user + "leaver\n  username: leaver\n",
	}
	admin, leaver := mappertest.Role(t, "Admin", "x"), mappertest.User(t, mappertest.Account, "leaver")
	last := awsauth.Parse(good, nil, options())
	if username(t, last, admin) != "admin:x" || username(t, last, leaver) != "leaver" {
		t.Fatal("the good one is not read")
	}
	for name, broken := range map[string]string{"syntax": "- rolearn: [", "not a list": "rolearn: x"} {
		result := awsauth.Parse(map[string]string{"mapRoles": broken, "mapUsers": "[]"}, last, options())
		if got := username(t, result, admin); got != "admin:x" {
			t.Errorf("%s: the admin is %q", name, got)
		}
		if got := username(t, result, leaver); got != "" {
			t.Errorf("%s: the leaver is %q", name, got)
		}
		if kept := result.KeptSections(); !slices.Equal(kept, []string{"mapRoles"}) {
			t.Errorf("%s: kept %q", name, kept)
		}
		// It is kept for as long as it takes, and gone when the section is.
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
		t.Errorf("with nothing before: the admin is %q", got)
	}
}

func TestUsersStandBehindRoles(t *testing.T) {
	result := awsauth.Parse(map[string]string{
		"mapUsers": "- userarn: " + user + "bob\n  username: from-users\n",
		"mapRoles": "- rolearn: " + user + "bob\n  username: from-roles\n",
	}, nil, options())
	if got := username(t, result, mappertest.User(t, mappertest.Account, "bob")); got != "from-roles" {
		t.Errorf("bob is %q", got)
	}
}

// TestRolePathsThatActForNobody though they are stripped.
func TestRolePathsThatActForNobody(t *testing.T) {
	opts := options()
	opts.RolePaths = mapper.RolePathsStrip
	result := awsauth.Parse(map[string]string{"mapRoles": "" +
		"- rolearn: " + role + "a/Ambiguous\n  username: a:{{SessionName}}\n" +
		"- rolearn: " + role + "b/Ambiguous\n  username: b:{{SessionName}}\n" +
		"- rolearn: " + role + "a/Alone\n  username: alone:{{SessionName}}\n" +
		"- rolearn: " + role + "a/Both\n  username: with:{{SessionName}}\n" +
		"- rolearn: " + role + "Both\n  username: without:{{SessionName}}\n"}, nil, opts)
	var lines []int
	for _, problem := range result.Problems {
		if problem.Code != mapper.RolePath || problem.Severity != mapper.Error {
			t.Errorf("%+v", problem)
		}
		lines = append(lines, problem.Line)
	}
	if !slices.Equal(lines, []int{1, 3, 7}) {
		t.Errorf("told of lines %v", lines)
	}
	if got := username(t, result, mappertest.Role(t, "Alone", "x")); got != "alone:x" {
		t.Errorf("alone is %q", got)
	}
}

// TestParseNodeTakesKeysInAnyCase, as configuration files always were read.
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

func TestParseFileRefuses(t *testing.T) {
	for name, test := range map[string]struct{ content, want string }{
		"a syntax error":    {"mapRoles:\n- rolearn: [\n", "line"},
		"a list":            {"- rolearn: x\n", "map"},
		"another kind":      {"kind: Secret\ndata: {}\n", "Secret"},
		"a binary":          {"\x00\x01", ""},
		"text, not a map":   {"hello", "map"},
		"a section twice":   {"mapRoles: []\nmapUsers: []\nmapRoles: []\n", "line 3: mapRoles stands in line 1 already"},
		"an unquoted value": {"mapRoles:\n- username: {{SessionName}}:x\n", "quote the value"},
	} {
		_, err := awsauth.ParseFile([]byte(test.content), nil, options())
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q in it", name, err, test.want)
		}
	}
}

// FuzzParse holds that nothing crashes, that every problem has a remedy, and that
// who is mapped has a username.
func FuzzParse(f *testing.F) {
	for _, text := range mappertest.Data() {
		f.Add(text, text)
	}
	f.Add("- rolearn: "+role+"B\n  username: {{SessionName}}\n", "- 012345678901")
	f.Add("&a [*a]", "- &b {rolearn: *b}")
	f.Add("? {a: b}\n: c", "---\n---")
	last := awsauth.Parse(mappertest.Data(), nil, options())
	f.Fuzz(func(t *testing.T, roles, users string) {
		result := awsauth.Parse(map[string]string{"mapRoles": roles, "mapUsers": users, "mapAccounts": roles, roles: users}, last, options())
		for _, problem := range result.Problems {
			if problem.Message == "" || problem.Fix == "" || problem.Code == "" || problem.String() == "" {
				t.Errorf("%+v lacks something", problem)
			}
		}
		for _, id := range []identity.Principal{mappertest.Role(t, "Admin", "x"), mappertest.User(t, mappertest.Account, "div/Bob")} {
			if match, ok, err := entriesOf(result).Map(t.Context(), id, nil); ok && (match.Username == "" || err != nil) {
				t.Errorf("%s is %+v, %v", id.ARN, match, err)
			}
		}
		if file, err := awsauth.ParseFile([]byte(roles), nil, options()); err == nil && file.Table == nil {
			t.Error("a file is read, and there is no table")
		}
	})
}

func BenchmarkParse(b *testing.B) {
	var text strings.Builder
	for i := range 1000 {
		fmt.Fprintf(&text, "- rolearn: %srole-%d\n  username: user-%d:{{SessionName}}\n  groups: [system:masters]\n", role, i, i)
	}
	data := map[string]string{"mapRoles": text.String()}
	b.ReportAllocs()
	for b.Loop() {
		if result := awsauth.Parse(data, nil, options()); len(result.Problems) > 0 {
			b.Fatal(result.Problems[0])
		}
	}
}
