package awsauth_test

import (
	"fmt"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/mapper/mappertest"
)

// TestWordsThatEKSReadsAsBooleans checks that such words as usernames or groups grant
// nothing: on EKS such a username or group is empty.
func TestWordsThatEKSReadsAsBooleans(t *testing.T) {
	for _, word := range []string{"y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "n", "N", "no", "No", "NO", "off", "Off", "OFF", "true", "False"} {
		text := fmt.Sprintf("- rolearn: %sA\n  username: %s\n  groups: [people]\n- rolearn: %[1]sB\n  username: b:{{SessionName}}\n  groups: [people, %[2]s]\n- rolearn: %[1]sC\n  username: c:{{SessionName}}\n  groups: %[2]s\n", role, word)
		file := "mapRoles: |\n  " + strings.ReplaceAll(text, "\n", "\n  ")
		inFile, err := awsauth.ParseFile([]byte(file), nil, options())
		if err != nil {
			t.Fatal(err)
		}
		native, err := awsauth.ParseFile([]byte("mapRoles:\n"+text), nil, options())
		if err != nil {
			t.Fatal(err)
		}
		for what, result := range map[string]*awsauth.Result{"ConfigMap": awsauth.Parse(map[string]string{"mapRoles": text}, nil, options()), "file": inFile, "native": native} {
			if got := everyRole(t, result); got != "B b:x in people; C c:x in " {
				t.Errorf("%s, %s: %s", what, word, got)
			}
			if len(result.Problems) != 3 {
				t.Errorf("%s, %s: reported %v", what, word, result.Problems)
			}
			for _, p := range result.Problems {
				want := word + ", which EKS reads as a boolean"
				if strings.EqualFold(word, "true") || strings.EqualFold(word, "false") {
					want = "the boolean " + word
				}
				if !strings.Contains(p.Message, want) || p.Fix != "put it in quotes" && p.Fix != fmt.Sprintf("write groups: [%q]", word) {
					t.Errorf("%s, %s: %v", what, word, p)
				}
			}
		}
	}
	quoted := awsauth.Parse(map[string]string{"mapRoles": "- rolearn: " + role + "A\n  username: 'yes'\n  groups: [\"no\", on, !!str off]\n- rolearn: " + role + "B\n  username: 2026-01-01\n  groups: ['on', 2026-01-02, yEs]\n"}, nil, options())
	if got := everyRole(t, quoted); got != "A yes in no,off; B 2026-01-01 in on,2026-01-02,yEs" {
		t.Errorf("in quotes, or text on EKS: %s", got)
	}
}

// TestListsOfWordsAndTextsDiffer checks that equal lists of groups with and without
// quotes are not shared.
func TestListsOfWordsAndTextsDiffer(t *testing.T) {
	result := awsauth.Parse(map[string]string{"mapRoles": "- {rolearn: " + role + "A, username: a, groups: ['no']}\n- {rolearn: " + role + "B, username: b, groups: [no]}\n- {rolearn: " + role + "C, username: c, groups: ['no']}\n"}, nil, options())
	if got := everyRole(t, result); got != "A a in no; B b in ; C c in no" {
		t.Error(got)
	}
}

// TestConfigurationFileIsWeaklyTyped checks that values mean what they mean to
// aws-iam-authenticator 0.7.18, which decodes mappings with viper.
func TestConfigurationFileIsWeaklyTyped(t *testing.T) {
	entry := func(username, groups string) string {
		return "mapRoles: [{rolearn: " + role + "A, username: " + username + ", groups: " + groups + "}]"
	}
	for _, test := range []struct{ text, mapped, problems string }{
		{entry("u", "[g]"), "A u in g", ""},
		{entry("yes", "[no, on]"), "A yes in no,on", ""},
		{entry("true", "[g]"), "A 1 in g", "warning ValueConverted"},
		{entry("False", "[g]"), "A 0 in g", "warning ValueConverted"},
		{entry("123", "[g]"), "A 123 in g", "warning ValueConverted"},
		{entry("0123", "[g]"), "A 83 in g", "warning ValueConverted"},
		{entry("0x1F", "[g]"), "A 31 in g", "warning ValueConverted"},
		{entry("1_000", "[g]"), "A 1000 in g", "warning ValueConverted"},
		{entry("1.50", "[g]"), "A 1.5 in g", "warning ValueConverted"},
		{entry("1e21", "[g]"), "A 1000000000000000000000 in g", "warning ValueConverted"},
		{entry("18446744073709551615", "[g]"), "A 18446744073709551615 in g", "warning ValueConverted"},
		{entry("-.inf", "[g]"), "A -Inf in g", "warning ValueConverted"},
		{entry("!!binary aGVsbG8=", "[g]"), "A hello in g", "warning ValueConverted"},
		{entry("2024-01-01", "[g]"), "", "error EntryWrongType"}, // aws-iam-authenticator does not start
		{entry("[u]", "[g]"), "", "error EntryWrongType"},        // aws-iam-authenticator does not start
		{entry("u", "admins"), "A u in admins", "warning ValueConverted"},
		{entry("u", "'a,b'"), "A u in a,b", "warning ValueConverted"},
		{entry("u", "'a, b'"), "A u in a, b", "warning ValueConverted warning OddCharacter"},
		{entry("u", "','"), "A u in ", "warning ValueConverted error GroupEmpty error GroupEmpty"},
		{entry("u", "123"), "A u in 123", "warning ValueConverted"},
		{entry("u", "012"), "A u in 10", "warning ValueConverted"},
		{entry("u", "true"), "A u in 1", "warning ValueConverted"},
		{entry("u", "1.5"), "A u in 1.5", "warning ValueConverted"},
		{entry("u", "null"), "A u in ", ""},
		{entry("u", "''"), "A u in ", ""},
		{entry("u", "['a,b']"), "A u in a,b", ""},
		{entry("u", "[5, 0x10, true, g]"), "A u in 5,16,1,g", "warning ValueConverted warning ValueConverted warning ValueConverted"},
		{entry("u", "[null, g]"), "A u in g", "error GroupEmpty"},
		{entry("u", "[[a], g]"), "A u in g", "error GroupNotText"}, // aws-iam-authenticator does not start
		{entry("u", "{}"), "A u in ", "error GroupsNotList"},
		{"mapRoles: [{rolearn: 5, username: u}]", "", "warning ValueConverted error EntryInvalidARN"},

		{"mapRoles: {rolearn: " + role + "A, username: u, groups: g}", "A u in g", "warning ValueConverted warning ValueConverted"},
		{"mapRoles: {}", "", ""},
		{"mapRoles: A", "", "error SectionNotList"},
		{"mapRoles: 5", "", "error SectionNotList"},
		{"mapAccounts: 231144931069", "account", "warning ValueConverted"},
		{"mapAccounts: '111122223333,231144931069'", "account", "warning ValueConverted"},
		{"mapAccounts: '111122223333, 231144931069'", "", "warning ValueConverted error InvalidAccountID"},
		{"mapAccounts: true", "", "warning ValueConverted error InvalidAccountID"},
		{"mapAccounts: {}", "", ""},
		{"mapAccounts: {a: b}", "", "error SectionNotList"},
		{"mapAccounts: ''", "", ""},
		{"mapAccounts: null", "", ""},
	} {
		var node yaml.Node
		if err := yaml.Unmarshal([]byte(test.text), &node); err != nil {
			t.Fatal(err)
		}
		result := awsauth.ParseNode(node.Content[0], nil, options())
		got := everyRole(t, result)
		if accounts, _, err := mapper.Accounts(tableOf(result)).Map(t.Context(), mappertest.User(t, "231144931069", "bob"), nil); err != nil || accounts.Username != "" {
			got += "account"
		}
		var problems []string
		for _, p := range result.Problems {
			if p.Code != "SharedUsername" {
				problems = append(problems, fmt.Sprint(p.Severity, " ", p.Code))
			}
			if p.Line != 1 || p.Column == 0 {
				t.Errorf("%s: %v has no place", test.text, p)
			}
		}
		if got != test.mapped || strings.Join(problems, " ") != test.problems {
			t.Errorf("%s: %q, reported %q; want %q, %q", test.text, got, problems, test.mapped, test.problems)
		}
	}
}

// TestGroupsAsOneTextAreBounded checks that groups in one text have the limit of a list.
func TestGroupsAsOneTextAreBounded(t *testing.T) {
	for n, want := range map[int]string{500: "", 501: "GroupsNotList"} {
		node := &yaml.Node{}
		if err := yaml.Unmarshal([]byte("mapRoles: [{rolearn: "+role+"A, username: 'a:{{SessionName}}', groups: '"+strings.Repeat("a,", n-1)+"a'}]"), node); err != nil {
			t.Fatal(err)
		}
		result := awsauth.ParseNode(node.Content[0], nil, options())
		if last := result.Problems[0]; len(result.Problems) != 1 || (last.Code == "GroupsNotList") != (want != "") {
			t.Errorf("%d groups: %v", n, result.Problems)
		}
	}
}

// TestConvertedListIsReportedOnce checks that a converted list is reported once, however
// many aliases refer to it.
func TestConvertedListIsReportedOnce(t *testing.T) {
	var node yaml.Node
	if err := yaml.Unmarshal([]byte("mapRoles:\n- {rolearn: "+role+"A, username: a, groups: &g [5, 6]}\n- {rolearn: "+role+"B, username: b, groups: *g}\n"), &node); err != nil {
		t.Fatal(err)
	}
	result := awsauth.ParseNode(node.Content[0], nil, options())
	if got := everyRole(t, result); got != "A a in 5,6; B b in 5,6" {
		t.Error(got)
	}
	if got := summary(result); got != "warning ValueConverted 2 warning ValueConverted 2 warning SharedUsername 2" {
		t.Error(got)
	}
}

// everyRole returns what roles A, B and C are mapped to.
func everyRole(t *testing.T, result *awsauth.Result) string {
	t.Helper()
	var all []string
	for _, name := range []string{"A", "B", "C"} {
		if got := mapped(t, result, mappertest.Role(t, name, "x")); got != "" {
			all = append(all, name+" "+got)
		}
	}
	return strings.Join(all, "; ")
}
