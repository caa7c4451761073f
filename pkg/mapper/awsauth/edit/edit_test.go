package edit_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth/edit"
)

const (
	arnBob   = "arn:aws:iam::111122223333:user/bob"
	arnEve   = "arn:aws:iam::111122223333:user/eve"
	arnAdmin = "arn:aws:iam::111122223333:role/Admin"
	arnNode  = "arn:aws:iam::111122223333:role/Node"
)

func user(arn, username string, groups ...string) edit.Mapping {
	return edit.Mapping{Section: "mapUsers", Principal: edit.Principal{ARN: arn}, Username: username, Groups: groups}
}

func role(arn, username string, groups ...string) edit.Mapping {
	return edit.Mapping{Section: "mapRoles", Principal: edit.Principal{ARN: arn}, Username: username, Groups: groups}
}

func account(id string) edit.Mapping {
	return edit.Mapping{Section: "mapAccounts", Principal: edit.Principal{Account: id}}
}

func permissionSet(set, account, username string, groups ...string) edit.Mapping {
	return edit.Mapping{Section: "mapRoles", Principal: edit.Principal{SSO: &mapper.SSO{PermissionSet: set, AccountID: account}}, Username: username, Groups: groups}
}

// dots shows the white space at the ends of lines and the carriage returns.
func visible(text string) string {
	return strings.NewReplacer(" \n", "·\n", "\r", "␍").Replace(text)
}

// TestAdd adds mappings to the text of a section, and removes them again: the text is
// then what it was, byte for byte.
func TestAdd(t *testing.T) {
	t.Parallel()
	bob := user(arnBob, "bob", "system:masters", "people")
	for _, test := range []struct {
		name string
		text string
		add  edit.Mapping
		want string
	}{
		{"to nothing", "", bob, `- userarn: arn:aws:iam::111122223333:user/bob
  username: bob
  groups:
    - system:masters
    - people
`},
		{"without groups", "", user(arnBob, "bob"), "- userarn: arn:aws:iam::111122223333:user/bob\n  username: bob\n"},
		{"to comments", "# users\n\n", user(arnBob, "bob"), "# users\n\n- userarn: arn:aws:iam::111122223333:user/bob\n  username: bob\n"},
		{"to a comment without an end", "# users", user(arnBob, "bob"), "# users\n- userarn: arn:aws:iam::111122223333:user/bob\n  username: bob"},
		{"to a start of a document", "---\n", user(arnBob, "bob"), "---\n- userarn: arn:aws:iam::111122223333:user/bob\n  username: bob\n"},
		{"to a block list", `- userarn: arn:aws:iam::111122223333:user/eve
  username: eve
  groups:
  - a
`, bob, `- userarn: arn:aws:iam::111122223333:user/eve
  username: eve
  groups:
  - a
- userarn: arn:aws:iam::111122223333:user/bob
  username: bob
  groups:
  - system:masters
  - people
`},
		{"in another order, indented, with quotes and comments", `# people

  -   groups: ['a', 'b'] # their groups
      username: "eve"
      # who it is
      userArn: 'arn:aws:iam::111122223333:user/eve'
      note: x
      # - not a group

  # the end
`, bob, `# people

  -   groups: ['a', 'b'] # their groups
      username: "eve"
      # who it is
      userArn: 'arn:aws:iam::111122223333:user/eve'
      note: x
      # - not a group
  -   groups: ['system:masters', 'people']
      username: "bob"
      userArn: 'arn:aws:iam::111122223333:user/bob'

  # the end
`},
		{"with Windows line endings and spaces at the ends", "- userarn: x  \r\n  username: eve\t\r\n  groups: \r\n    - a\r\n", bob,
			"- userarn: x  \r\n  username: eve\t\r\n  groups: \r\n    - a\r\n- userarn: arn:aws:iam::111122223333:user/bob\r\n  username: bob\r\n  groups:\r\n    - system:masters\r\n    - people\r\n"},
		{"after blank lines", "- userarn: x\n\n- userarn: y\n  username: y", user(arnBob, "bob"), "- userarn: x\n\n- userarn: y\n  username: y\n\n- userarn: arn:aws:iam::111122223333:user/bob\n  username: bob"},
		{"of braces", "- {userarn: x, username: y, groups: [a]}\n", bob, "- {userarn: x, username: y, groups: [a]}\n- {userarn: arn:aws:iam::111122223333:user/bob, username: bob, groups: [system:masters, people]}\n"},
		{"to brackets", "[]", bob, `[{"userarn": "arn:aws:iam::111122223333:user/bob", "username": "bob", "groups": ["system:masters", "people"]}]`},
		{"to JSON", `[{"userarn": "x", "username": "y", "groups": ["a"]}]`, bob,
			`[{"userarn": "x", "username": "y", "groups": ["a"]}, {"userarn": "arn:aws:iam::111122223333:user/bob", "username": "bob", "groups": ["system:masters", "people"]}]`},
		{"to compact JSON", `[{"userarn":"x","username":"y","groups":["a","b"]}]`, bob,
			`[{"userarn":"x","username":"y","groups":["a","b"]},{"userarn":"arn:aws:iam::111122223333:user/bob","username":"bob","groups":["system:masters","people"]}]`},
		{"to JSON on lines", `[
  {
    "username": "y",
    "userarn": "x",
    "groups": [
      "a"
    ]
  }
]
`, bob, `[
  {
    "username": "y",
    "userarn": "x",
    "groups": [
      "a"
    ]
  },
  {
    "username": "bob",
    "userarn": "arn:aws:iam::111122223333:user/bob",
    "groups": [
      "system:masters",
      "people"
    ]
  }
]
`},
		{"to brackets with comments", "[\n  {userarn: x}, # x's\n  {userarn: y} # y's\n]\n", user(arnBob, "bob"), "[\n  {userarn: x}, # x's\n  {userarn: y}, # y's\n  {userarn: arn:aws:iam::111122223333:user/bob, username: bob}\n]\n"},
		{"to brackets with a comma at the end", "[\n  {userarn: x}, # x's\n]\n", user(arnBob, "bob"), "[\n  {userarn: x}, # x's\n  {userarn: arn:aws:iam::111122223333:user/bob, username: bob},\n]\n"},
		{"special characters", "- userarn: x\n  username: y\n  groups: [a]\n", user("arn:aws:iam::111122223333:user/a+b=c,d.e@f-g_h", "{{SessionName}}", "a b", "#x", "*", "@at", "it's", `say "hi"`, "yes", "1", "a: b", "é", ""),
			"- userarn: x\n  username: y\n  groups: [a]\n- userarn: arn:aws:iam::111122223333:user/a+b=c,d.e@f-g_h\n  username: \"{{SessionName}}\"\n  groups: [\"a b\", \"#x\", \"*\", \"@at\", \"it's\", \"say \\\"hi\\\"\", \"yes\", \"1\", \"a: b\", \"é\"]\n"},
		{"a template", "", role(arnAdmin, "admin:{{SessionName}}"), "- rolearn: arn:aws:iam::111122223333:role/Admin\n  username: admin:{{SessionName}}\n"},
		{"a permission set", "- rolearn: x\n  username: y\n", permissionSet("Admin", "011122223333", "admin", "a"), `- rolearn: x
  username: y
- sso:
    permissionSetName: Admin
    accountID: "011122223333"
  username: admin
  groups:
    - a
`},
		{"a permission set in JSON", `[{"rolearn":"x"}]`, permissionSet("Admin", "011122223333", "admin"), `[{"rolearn":"x"},{"sso":{"permissionSetName":"Admin", "accountID":"011122223333"},"username":"admin"}]`},
		{"an account", "- \"111122223333\"\n", account("011122223333"), "- \"111122223333\"\n- \"011122223333\"\n"},
		{"an account without quotes", "- 111122223333\n", account("211122223333"), "- 111122223333\n- 211122223333\n"},
		{"an account with a zero", "- 111122223333\n", account("011122223333"), "- 111122223333\n- \"011122223333\"\n"},
		{"an account in brackets", "['111122223333']", account("011122223333"), "['111122223333', '011122223333']"},
		{"an account to nothing", "", account("011122223333"), "- \"011122223333\"\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if test.name == "special characters" {
				test.add.Groups = test.add.Groups[:10] // an empty group is dropped
			}
			before := edit.Data{test.add.Section: test.text, "other": "  # kept"}
			after, err := edit.Add(before, test.add)
			if err != nil {
				t.Fatal(err)
			}
			want := edit.Data{test.add.Section: test.want, "other": "  # kept"}
			if diff := cmp.Diff(visible(want[test.add.Section]), visible(after.(edit.Data)[test.add.Section])); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			restored, err := edit.Remove(after, test.add.Principal)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, restored); diff != "" {
				t.Errorf("added and removed (-want +got)\n%s", diff)
			}
		})
	}
}

func TestRemove(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name       string
		text, want string
		error      string
	}{
		{name: "the first", text: "- userarn: " + arnBob + "\n  username: bob # him\n  # still him\n# eve\n- userarn: " + arnEve + "\n", want: "# eve\n- userarn: " + arnEve + "\n"},
		{name: "between others", text: "# a\n- userarn: a\n# bob\n- userarn: " + arnBob + "\n  groups:\n  - x\n  # - y\n# eve\n- userarn: " + arnEve + "\n", want: "# a\n- userarn: a\n# bob\n# eve\n- userarn: " + arnEve + "\n"},
		{name: "the last, without a line break", text: "- userarn: a\n- userarn: " + arnBob, want: "- userarn: a"},
		{name: "the only one", text: "# users\n- userarn: " + arnBob + "\n", want: "# users\n"},
		{name: "twice, in any case", text: "- userarn: " + strings.ToUpper(arnBob) + "\n- userarn: a\n- userarn: " + arnBob + "\n", want: "- userarn: a\n"},
		{name: "that is invalid", text: "- userarn: a\n- userarn: " + arnBob + "\n  username: \"{{Nobody}}\"\n", want: "- userarn: a\n"},
		{name: "with one blank line", text: "- userarn: a\n\n- userarn: " + arnBob + "\n\n- userarn: c\n", want: "- userarn: a\n\n- userarn: c\n"},
		{name: "with the dash on its own line", text: "- userarn: a\n- # bob\n  userarn: " + arnBob + "\n- userarn: c\n", want: "- userarn: a\n- userarn: c\n"},
		{name: "the first in brackets", text: "[{userarn: '" + arnBob + "'}, {userarn: a}]", want: "[{userarn: a}]"},
		{name: "the middle in brackets", text: "[{userarn: a}, {userarn: '" + arnBob + "', groups: ['[', \"]\", it's]}, {userarn: b}]", want: "[{userarn: a}, {userarn: b}]"},
		{name: "the last in brackets", text: "[\n  {userarn: a}, # a\n  {userarn: '" + arnBob + "'} # bob\n]", want: "[\n  {userarn: a} # a\n]"},
		{name: "with a comment of the next", text: "[\n  {userarn: '" + arnBob + "'}, # bob\n  # a\n  {userarn: a}\n]", want: "[\n  # a\n  {userarn: a}\n]"},
		{name: "that others refer to", text: "- userarn: " + arnBob + "\n  groups: &g [a]\n- userarn: a\n  groups: *g\n", error: "cannot edit mapUsers safely: the entry on line 1 of the section has the anchor &g, which others may refer to"},
		{name: "nobody", text: "- userarn: a\n", error: "no such mapping"},
		{name: "from a broken section", text: "- userarn: a\n  username: {{SessionName}}:y\n", error: "cannot edit mapUsers safely: it does not parse: line 2 of the section, column 13: "},
		{name: "from a mapping", text: "userarn: " + arnBob + "\n", error: "cannot edit mapUsers safely: it is not a list of entries"},
		{name: "from two documents", text: "- userarn: " + arnBob + "\n---\n- userarn: b\n", error: "cannot edit mapUsers safely: line 2 of the section: a second YAML document starts here"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			after, err := edit.Remove(edit.Data{"mapUsers": test.text}, edit.Principal{ARN: arnBob})
			if test.error != "" {
				if err == nil || !strings.HasPrefix(err.Error(), test.error) {
					t.Errorf("got %v, want %s", err, test.error)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(edit.Data{"mapUsers": test.want}, after); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestSet(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name       string
		text, want string
		error      string
	}{
		{name: "nothing new", text: "- userarn: " + arnBob + "\n  username: bob\n  groups: [c, b]\n", want: "- userarn: " + arnBob + "\n  username: bob\n  groups: [c, b]\n"},
		{name: "the username", text: "- userarn: " + arnBob + "\n  username: 'x' # him\n  groups: [b, c]\n", want: "- userarn: " + arnBob + "\n  username: 'bob' # him\n  groups: [b, c]\n"},
		{name: "groups in a block", text: "- userarn: " + arnBob + "\n  username: bob\n  groups:\n    # old\n    - a\n    - b # keep\n  note: x\n", want: "- userarn: " + arnBob + "\n  username: bob\n  groups:\n    # old\n    - b # keep\n    - c\n  note: x\n"},
		{name: "groups in brackets", text: "- userarn: " + arnBob + "\n  groups: [a, 'b'] # x\n  username: bob\n", want: "- userarn: " + arnBob + "\n  groups: ['b', 'c'] # x\n  username: bob\n"},
		{name: "no username", text: "- userarn: " + arnBob + "\n  # more\n  groups: [b, c]\n- userarn: x\n", want: "- userarn: " + arnBob + "\n  username: bob\n  # more\n  groups: [b, c]\n- userarn: x\n"},
		{name: "no groups", text: "- groups:\n  userarn: " + arnBob + "\n  username: x\n", want: "- groups: [b, c]\n  userarn: " + arnBob + "\n  username: bob\n"},
		{name: "no field groups", text: "- userarn: " + arnBob + "\n  username: x\n\n# end\n", want: "- userarn: " + arnBob + "\n  username: bob\n  groups: [b, c]\n\n# end\n"},
		{name: "groups that are text", text: "- userarn: " + arnBob + "\n  username: x\n  groups: b\n", want: "- userarn: " + arnBob + "\n  username: bob\n  groups: [b, c]\n"},
		{name: "JSON", text: `[{"userarn":"` + arnBob + `","groups":["a"]}]`, want: `[{"userarn":"` + arnBob + `","groups":["b","c"],"username":"bob"}]`},
		{name: "a duplicate: the one that applies", text: "- userarn: " + arnBob + "\n  username: 1\n- userarn: " + arnBob + "\n  username: y\n  groups: [b, c]\n", want: "- userarn: " + arnBob + "\n  username: 1\n- userarn: " + arnBob + "\n  username: bob\n  groups: [b, c]\n"},
		{name: "shared groups", text: "- userarn: a\n  username: a\n  groups: &g [a]\n- userarn: " + arnBob + "\n  username: bob\n  groups: *g\n", error: "cannot edit mapUsers safely: the groups on line 6 of the section are shared with other entries by an alias"},
		{name: "a repeated field", text: "- userarn: " + arnBob + "\n  userName: a\n  username: b\n  Username: c\n", error: "cannot edit mapUsers safely: a field of the entry occurs twice"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			after, err := edit.Set(edit.Data{"mapUsers": test.text}, user(arnBob, "bob", "b", "c"))
			if test.error != "" {
				if err == nil || err.Error() != test.error {
					t.Errorf("got %v, want %s", err, test.error)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(edit.Data{"mapUsers": test.want}, after); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestBrokenSectionsStay checks that a section is edited although another is broken.
func TestBrokenSectionsStay(t *testing.T) {
	t.Parallel()
	broken := edit.Data{"mapRoles": "- rolearn: {{x}}: y\n", "mapUsers": "[]"}
	after, err := edit.Add(broken, user(arnBob, "bob"))
	if err != nil || after.(edit.Data)["mapRoles"] != broken["mapRoles"] {
		t.Errorf("%v, %v", after, err)
	}
	_, err = edit.Add(broken, role(arnAdmin, "x"))
	if unsafe, ok := errors.AsType[*edit.UnsafeError](err); !ok || unsafe.Section != "mapRoles" {
		t.Errorf("got %v, want an error of mapRoles", err)
	}
	if _, err := edit.Remove(broken, edit.Principal{ARN: arnNode}); errors.Is(err, edit.ErrNotFound) || err == nil {
		t.Errorf("got %v: the broken section could map the role", err)
	}
}
