package awsauth_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/mapper/mappertest"
)

func TestParseFileRefuses(t *testing.T) {
	for name, test := range map[string]struct{ content, want string }{
		"a syntax error":             {"mapRoles:\n- rolearn: [\n", "line"},
		"a list":                     {"- rolearn: x\n", "map"},
		"another kind":               {"kind: Secret\ndata: {}\n", "Secret"},
		"a binary":                   {"\x00\x01", ""},
		"text, not a map":            {"hello", "map"},
		"a section twice":            {"mapRoles: []\nmapUsers: []\nmapRoles: []\n", "line 3: mapRoles is set on line 1 already"},
		"a list of objects":          {"kind: List\nitems: []\n", "expected the manifest of one ConfigMap"},
		"the server's configuration": {"clusterID: x\nserver:\n  mapRoles: []\n", "--config"},
		"too many bytes":             {strings.Repeat("#", 4<<20+1), "4194305 bytes (at most 4194304)"},
		"too many values":            {"mapRoles: [" + strings.Repeat("a,", 200_000) + "]", "YAML values (at most 300000)"},
		"an unquoted value":          {"mapRoles:\n- username: {{SessionName}}:x\n", "quote the value"},
	} {
		_, err := awsauth.ParseFile([]byte(test.content), nil, options())
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q in it", name, err, test.want)
		}
	}
}

// TestFilesThatAreOdd checks that unusual files are read, and their problems reported.
func TestFilesThatAreOdd(t *testing.T) {
	const admin = "mapRoles:\n- rolearn: " + role + "Admin\n  username: admin:{{SessionName}}\n"
	const indented = "\n  mapRoles: |\n    - rolearn: " + role + "Admin\n      username: admin:{{SessionName}}\n"
	for _, test := range []struct {
		name, content string
		mapped        bool
		problems      string
	}{
		{"bare data", admin, true, ""},
		{"a manifest", "kind: ConfigMap\nmetadata: {name: aws-auth, namespace: kube-system}\ndata:" + indented, true, ""},
		{"a manifest with a list instead of text", "kind: ConfigMap\ndata:\n  mapRoles:\n  - rolearn: " + role + "Admin\n    username: admin:{{SessionName}}\n", true, "SectionNotText 4"},
		{"empty", "", false, "NoSections 1"},
		{"a comment", "# mapRoles\n", false, "NoSections 1"},
		{"null", "null", false, "NoSections 1"},
		{"an empty mapping", "{}", false, "NoSections 1"},
		{"other keys", "a: b\n", false, "NoSections 1"},
		{"a near miss", "maproles: []\n", false, "NoSections 1 UnknownSection 1"},
		{"no data", "kind: ConfigMap\n", false, "NoSections 1"},
		{"a section beside data", "kind: ConfigMap\ndata: {}\nmapRoles: |\n  []\n", false, "NoSections 3"},
		{"empty sections", "mapRoles: []\n", false, ""},
		{"data without a kind", "data:" + indented, true, "NoKind 1"},
		{"another name", "kind: ConfigMap\nmetadata: {name: other}\ndata:" + indented, true, "OtherConfigMap 2"},
		{"another namespace", "kind: ConfigMap\nmetadata: {name: aws-auth, namespace: default}\ndata:" + indented, true, "OtherConfigMap 2"},
		{"a second document", admin + "---\n" + admin, true, "SecondDocument 4"},
		{"a second document that does not parse", admin + "---\n[\n", true, "SecondDocument 4"},
		{"a second document after an empty one", "---\n# first\n---\n" + admin, false, "NoSections 1 SecondDocument 3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			result, err := awsauth.ParseFile([]byte(test.content), nil, options())
			if err != nil {
				t.Fatal(err)
			}
			var problems []string
			for _, p := range result.Problems {
				problems = append(problems, fmt.Sprint(p.Code, " ", p.Line))
			}
			if got := strings.Join(problems, " "); got != test.problems {
				t.Errorf("reported %q, want %q", got, test.problems)
			}
			if got := username(t, result, mappertest.Role(t, "Admin", "x")); (got != "") != test.mapped {
				t.Errorf("the admin is %q", got)
			}
		})
	}
}

// TestAnotherManifest checks what to do with another manifest in the file.
func TestAnotherManifest(t *testing.T) {
	const first = "kind: ConfigMap\ndata: {mapRoles: '[]'}\n---\n"
	for rest, want := range map[string]string{
		"kind: Secret\n":                                  "put the other manifest into a file of its own",
		"apiVersion: v1\nkind: Secret\n":                  "put the other manifest into a file of its own",
		"mapUsers: |\n  []\n":                             "remove the line --- and put everything into one document",
		"kind: ConfigMap\ndata:\n  mapUsers: |\n    []\n": "remove the line --- and put everything into one document",
		"data:\n  mapUsers: |\n    # kind:\n    []":       "remove the line --- and put everything into one document",
	} {
		result, err := awsauth.ParseFile([]byte(first+rest), nil, options())
		if err != nil || len(result.Problems) != 1 || result.Problems[0].Fix != want {
			t.Errorf("%q: %v, %v; want %s", rest, result.Problems, err, want)
		}
	}
}
