package awsauth_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/mapper/mappertest"
)

// checkResult checks that a result is bounded, that every problem is complete, and that
// every match has a username and no empty group.
func checkResult(t *testing.T, result *awsauth.Result, inFile bool) {
	t.Helper()
	if len(result.Problems) > 201 {
		t.Errorf("%d problems", len(result.Problems))
	}
	for _, p := range result.Problems {
		if p.Code == "" || p.Severity == "" || p.Message == "" || p.Fix == "" {
			t.Errorf("%+v is incomplete", p)
		}
		hasPlace := p.Line > 0 || p.Code == mapper.UnknownSection && p.Section != "" && !inFile
		if !hasPlace || p.Line < 0 || p.Column < 0 || p.Section == "" && !inFile {
			t.Errorf("%+v has no place", p)
		}
		if len(p.String())+len(p.Excerpt) > 8_192 {
			t.Errorf("a problem has %d bytes: %.200s", len(p.String())+len(p.Excerpt), p)
		}
	}
	for _, who := range []identity.Principal{mappertest.Role(t, "Admin", "x"), mappertest.Role(t, "B", "x"), mappertest.User(t, mappertest.Account, "div/Bob")} {
		var trace mapper.Trace
		match, ok, err := entriesOf(result).Map(t.Context(), who, &trace)
		if ok && (match.Username == "" || err != nil) {
			t.Errorf("%s is %+v, %v", who.ARN, match, err)
		}
		for _, group := range match.Groups {
			if group == "" {
				t.Errorf("%s is in an empty group", who.ARN)
			}
		}
		for _, tried := range trace.Tried {
			if tried.Matched != (tried.Miss == "") || tried.For == "" {
				t.Errorf("%+v is incomplete", tried)
			}
		}
	}
}

// FuzzParse checks that no text makes a reading panic, and that each result passes
// checkResult.
func FuzzParse(f *testing.F) {
	for _, text := range mappertest.Data() {
		f.Add(text, text)
	}
	f.Add("- rolearn: "+role+"B\n  username: {{SessionName}}\n", "- 012345678901")
	f.Add("&a [*a]", "- &b {rolearn: *b}")
	f.Add("? {a: b}\n: c", "---\n---")
	f.Add("- rolearn: \""+role+"B \"\n  groups: [\"\", ~, 5]\n", "- rolearn: arn:aws:sts::231144931069:assumed-role/B/x\n")
	last := awsauth.Parse(mappertest.Data(), nil, options())
	f.Fuzz(func(t *testing.T, roles, users string) {
		for _, opts := range []awsauth.Options{options(), {Source: "test", RolePaths: mapper.RolePathsStrip, AssumedRoles: awsauth.AssumedRolesAsRole, NoSSO: true}} {
			checkResult(t, awsauth.Parse(map[string]string{"mapRoles": roles, "mapUsers": users, "mapAccounts": roles, roles: users}, last, opts), false)
		}
		if awsauth.Nodes(roles) > awsauth.CountValues(roles) {
			t.Errorf("%d nodes, want at most %d", awsauth.Nodes(roles), awsauth.CountValues(roles))
		}
	})
}

// FuzzParseFile checks the same for files and for the server's configuration file.
func FuzzParseFile(f *testing.F) {
	cases, err := filepath.Glob("testdata/cases/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range cases {
		content, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Add([]byte(nativeYAML()))
	f.Add([]byte("mapRoles: >\n\n  - rolearn: x\n\nmapUsers: \"- userarn: x\\n- y\"\n"))
	f.Add([]byte("mapRoles: {rolearn: " + role + "B, username: 0x1F, groups: 'a,b'}\nmapAccounts: 231144931069\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		if root, _, err := awsauth.ParseYAML(string(content)); err == nil {
			checkResult(t, awsauth.ParseNode(root, nil, options()), true)
		}
		result, err := awsauth.ParseFile(content, nil, options())
		if err != nil {
			if result != nil || err.Error() == "" || len(err.Error()) > 8_192 {
				t.Errorf("%v, %v", result, err)
			}
			return
		}
		checkResult(t, result, true)
	})
}
