package edit_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth/edit"
)

const manifest = `# managed by the platform team
apiVersion: v1
kind: ConfigMap
metadata: {name: aws-auth, namespace: kube-system} # here
data:
  # roles
  mapRoles: |
    # nodes
    - rolearn: arn:aws:iam::111122223333:role/Node
      username: system:node:{{EC2PrivateDNSName}}
      groups: [system:bootstrappers, system:nodes]

    # the end
  other: kept
  mapUsers: ""
# after
`

// TestFileAdd adds mappings to files and removes them again: the file is then what it
// was, byte for byte.
func TestFileAdd(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, file, want string
		add              edit.Mapping
	}{
		{
			"to a manifest", manifest, strings.Replace(manifest, "nodes]\n", "nodes]\n    - rolearn: arn:aws:iam::111122223333:role/Admin\n      username: admin\n      groups: [system:masters]\n", 1),
			role(arnAdmin, "admin", "system:masters"),
		},
		{"to a block without a line break at its end", "data:\n  mapUsers: |-\n      - userarn: x\n        username: y", "data:\n  mapUsers: |-\n      - userarn: x\n        username: y\n      - userarn: " + arnBob + "\n        username: bob", user(arnBob, "bob")},
		{"to a block with all line breaks", "mapUsers: |+\n  - userarn: x\n\nmapRoles: []\n", "mapUsers: |+\n  - userarn: x\n  - userarn: " + arnBob + "\n    username: bob\n\nmapRoles: []\n", user(arnBob, "bob")},
		{"to an indented block", "mapUsers: |2\n    - userarn: x\nmapRoles: []\n", "mapUsers: |2\n    - userarn: x\n    - userarn: " + arnBob + "\n      username: bob\nmapRoles: []\n", user(arnBob, "bob")},
		{"to a folded block", "mapUsers: >\n  - userarn: x\n    username: y\nmapRoles: []\n", "mapUsers: >\n  - userarn: x\n    username: y\n  - userarn: " + arnBob + "\n    username: bob\nmapRoles: []\n", user(arnBob, "bob")},
		{"with Windows line endings", "mapUsers: |\r\n  - userarn: x\r\n    username: y\r\nmapRoles: []\r\n", "mapUsers: |\r\n  - userarn: x\r\n    username: y\r\n  - userarn: " + arnBob + "\r\n    username: bob\r\nmapRoles: []\r\n", user(arnBob, "bob")},
		{"to text in double quotes", `{"kind": "ConfigMap", "data": {"mapUsers": "- userarn: x\n  username: \"y\"\n", "z": "\u00e9"}}`, `{"kind": "ConfigMap", "data": {"mapUsers": "- userarn: x\n  username: \"y\"\n- userarn: ` + arnBob + `\n  username: \"bob\"\n", "z": "\u00e9"}}`, user(arnBob, "bob")},
		{"to text in double quotes on lines", "mapUsers: \"- userarn: x\\n\\\n  \\  username: y\\n\"\n", "mapUsers: \"- userarn: x\\n\\\n  \\  username: y\\n- userarn: " + arnBob + "\\n  username: bob\\n\"\n", user(arnBob, "bob")},
		{"to JSON in single quotes", `mapUsers: '[{"userarn": "it''s"}]'`, `mapUsers: '[{"userarn": "it''s"}, {"userarn": "` + arnBob + `", "username": "bo''b"}]'`, user(arnBob, "bo'b")},
		{"to a list of the file", "mapUsers:\n# x\n- userarn: x\n  groups:\n  - a\n# roles\nmapRoles:\n- rolearn: y\n", "mapUsers:\n# x\n- userarn: x\n  groups:\n  - a\n- userarn: " + arnBob + "\n  username: bob\n  groups:\n  - b\n# roles\nmapRoles:\n- rolearn: y\n", user(arnBob, "bob", "b")},
		{"to the last list of the file", "mapUsers:\n  - userarn: x\n...\n", "mapUsers:\n  - userarn: x\n  - userarn: " + arnBob + "\n    username: bob\n...\n", user(arnBob, "bob")},
		{"before another document", "mapUsers:\n  - userarn: x\n---\nkind: Secret\n", "mapUsers:\n  - userarn: x\n  - userarn: " + arnBob + "\n    username: bob\n---\nkind: Secret\n", user(arnBob, "bob")},
		{"to a DynamicFile", "{\"mapRoles\": [],\n \"mapUsers\": [\n  {\"userarn\": \"x\", \"username\": \"y\"}\n ]}\n", "{\"mapRoles\": [],\n \"mapUsers\": [\n  {\"userarn\": \"x\", \"username\": \"y\"},\n  {\"userarn\": \"" + arnBob + "\", \"username\": \"bob\"}\n ]}\n", user(arnBob, "bob")},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			after, err := edit.Add(edit.File(test.file), test.add)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(visible(test.want), visible(string(after.(edit.File)))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			restored, err := edit.Remove(after, test.add.Principal)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.file, string(restored.(edit.File))); diff != "" {
				t.Errorf("added and removed (-want +got)\n%s", diff)
			}
		})
	}
}

// TestFileCreate adds the first mapping of a section.
func TestFileCreate(t *testing.T) {
	t.Parallel()
	const head = "kind: ConfigMap\n"
	const lines = "    - userarn: " + arnBob + "\n      username: bob\n"
	for _, test := range []struct{ name, file, want string }{
		{"a new file", "", "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: aws-auth\n  namespace: kube-system\ndata:\n  mapUsers: |\n" + lines},
		{"a comment", "# mine", "# mine\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: aws-auth\n  namespace: kube-system\ndata:\n  mapUsers: |\n" + lines},
		{"no data", head, head + "data:\n  mapUsers: |\n" + lines},
		{"null data", head + "data:\nx: y\n", head + "data:\n  mapUsers: |\n" + lines + "x: y\n"},
		{"empty data", head + "data: {}\n", head + "data:\n  mapUsers: |\n" + lines},
		{"other data", head + "data:\n  a: b # c\n  # d\nx: y\n", head + "data:\n  a: b # c\n  mapUsers: |\n" + lines + "  # d\nx: y\n"},
		{"empty text", head + "data:\n  mapUsers: \"\" # nobody\n", head + "data:\n  mapUsers: | # nobody\n" + lines},
		{"an empty block", head + "data:\n  mapUsers: |\n  mapRoles: \"\"\n", head + "data:\n  mapUsers: |\n" + lines + "  mapRoles: \"\"\n"},
		{"null in a manifest", head + "data:\n  mapUsers:\n  a: b\n", head + "data:\n  mapUsers: |\n" + lines + "  a: b\n"},
		{"JSON", `{"kind":"ConfigMap"}`, `{"kind":"ConfigMap","data": {"mapUsers": "- userarn: ` + arnBob + `\n  username: bob\n"}}`},
		{"JSON with data", `{"kind":"ConfigMap","data":{"mapRoles":""}}`, `{"kind":"ConfigMap","data":{"mapRoles":"","mapUsers": "- userarn: ` + arnBob + `\n  username: bob\n"}}`},
		{"bare data", "mapRoles:\n  - rolearn: x\n", "mapRoles:\n  - rolearn: x\nmapUsers:\n  - userarn: " + arnBob + "\n    username: bob\n"},
		{"bare data of text", "mapRoles: |\n  - rolearn: x\n", "mapRoles: |\n  - rolearn: x\nmapUsers: |\n  - userarn: " + arnBob + "\n    username: bob\n"},
		{"bare data with null", "mapUsers:\nmapRoles: []\n", "mapUsers:\n- userarn: " + arnBob + "\n  username: bob\nmapRoles: []\n"},
		{"a DynamicFile", `{"mapRoles": []}`, `{"mapRoles": [], "mapUsers": [{"userarn": "` + arnBob + `", "username": "bob"}]}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			after, err := edit.Add(edit.File(test.file), user(arnBob, "bob"))
			if err != nil {
				t.Fatal(err)
			}
			want := strings.Replace(test.want, "|\n"+lines+"EOF", "", 1)
			if diff := cmp.Diff(want, string(after.(edit.File))); diff != "" && strings.TrimRight(want, "\n") != string(after.(edit.File)) {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if found, err := edit.Find(after, edit.Principal{ARN: arnBob}); err != nil || len(found) != 1 || found[0].Username != "bob" {
				t.Errorf("found %v, %v", found, err)
			}
		})
	}
}

func TestFileIsRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, file, want string }{
		{"does not parse", "mapUsers: [", "parsing mappings: line 1, column 11: "},
		{"another kind", "kind: Secret\n", "parsing mappings: line 1: the file is the manifest of a \"Secret\": expected a ConfigMap"},
		{"a broken section", "mapUsers: |\n  - userarn: {{x}}: y\n", "cannot edit mapUsers safely: line 2: the YAML does not parse: a value starts with {{"},
		{"folded lines", "mapUsers: >\n  - userarn: x\n  - userarn: y\n", "cannot edit mapUsers safely: "},
		{"lines in single quotes", "mapUsers: '- userarn: x\n\n  '\n", "cannot edit mapUsers safely: "},
		{"an anchor", "x: &x\n- userarn: x\nmapUsers: *x\n", "cannot edit mapUsers safely: "},
		{"UTF-16", "\xff\xfe-\x00", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			after, err := edit.Add(edit.File(test.file), user(arnBob, "bob"))
			if err == nil || !strings.HasPrefix(err.Error(), test.want) {
				t.Errorf("got %v, %v, want %s", after, err, test.want)
			}
		})
	}
}

// TestCases edits the files of the parser's cases.
func TestCases(t *testing.T) {
	t.Parallel()
	cases, err := filepath.Glob("../testdata/cases/*.yaml")
	if err != nil || len(cases) == 0 {
		t.Fatalf("%v, %v", cases, err)
	}
	edited := 0
	for _, name := range cases {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range []edit.Mapping{user(arnBob, "bob", "people"), role("arn:aws:iam::111122223333:role/New", "new", "people")} {
			if addAndRemove(t, edit.File(content), m) {
				edited++
			}
		}
	}
	if edited < 12 {
		t.Errorf("%d of the edits were made, want 12 or more", edited)
	}
}

// addAndRemove checks that a mapping that is added and removed leaves a document as it
// was, unless it is refused, and reports whether it was edited. Sections that mean none
// may be written in another way.
func addAndRemove(t *testing.T, d edit.Document, m edit.Mapping) bool {
	t.Helper()
	if found, err := edit.Find(d, m.Principal); err != nil || len(found) > 0 {
		return false
	}
	added, err := edit.Add(d, m)
	if err != nil {
		return false
	}
	result, err := added.Read(awsauth.Options{})
	if err != nil {
		t.Fatalf("added to %q: %v", d, err)
	}
	if m.ARN != "" {
		applies := false
		for entry, does := range result.Table.Entries() {
			applies = applies || does && entry.ARN == m.ARN && entry.Username.String() == m.Username
		}
		if !applies {
			t.Errorf("added to %q: the mapping does not apply in %q", d, added)
		}
	}
	restored, err := edit.Remove(added, m.Principal)
	if err != nil {
		return false // such as for another section that is broken
	}
	if !isSame(d, restored, m.Section) {
		t.Errorf("added and removed:\n got %q\nfrom %q\nwith %q", restored, d, added)
	}
	return true
}

func isSame(before, after edit.Document, section string) bool {
	if cmp.Equal(before, after) {
		return true
	}
	if data, ok := before.(edit.Data); ok {
		return strings.Trim(data[section], "\"'` \r\n\t\v\f\u0085\u00a0\u2028\u2029") == "" && strings.TrimSpace(after.(edit.Data)[section]) == ""
	}
	// A section that is created stays, with nothing in it.
	was, err := before.Read(awsauth.Options{})
	is, err2 := after.Read(awsauth.Options{})
	return err == nil && err2 == nil && was.Table.Len() == is.Table.Len() && len(after.(edit.File)) > 0
}

// TestLines checks that an error has the line that a person sees: that of a file, or of a
// ConfigMap that of the section.
func TestLines(t *testing.T) {
	t.Parallel()
	const head = "kind: ConfigMap\n# Two lines.\ndata:\n  mapRoles: ''\n  mapUsers: |\n\n" // 6 lines
	bob := "- userarn: " + arnBob + "\n  username: bob\n"
	for _, test := range []struct {
		name, section string
		line          int    // in the section
		before, after string // the line, in the error
	}{
		{"broken", bob + "- userarn: x\n  username: {{SessionName}}:y\n", 4, "", "a value starts with {{"},
		{"a quote", bob + "- userarn: \"x\n", 3, "", "the quote opened here is never closed"},
		{"an entry in a mapping", bob + "x: y\n", 3, "", "this line is indented by "},
		{"a second document", bob + "---\n- userarn: x\n", 3, "", "a second YAML document starts here"},
		{"too many groups", bob + "- userarn: x\n  groups: [" + strings.Repeat("x,", 501) + "]\n", 1, "", "the entry in line "},
		{"an anchor", "- userarn: x\n  groups: &g [a]\n- userarn: " + arnBob + "\n  username: bob\n  groups: *g\n", 5, "the groups on ", " are shared"},
		{"an anchor and another username", "- userarn: x\n  groups: &g [a]\n- userarn: " + arnBob + "\n  groups: *g\n", 4, "the groups on ", " are shared"},
		{"an alias", "- &b\n  userarn: " + arnBob + "\n  username: a\n- *b\n", 4, "the entry on ", " is an alias"},
		{"a tag", "- userarn: x\n- userarn: " + arnBob + "\n  username: !!str a\n", 3, "the value on ", " is not plain text"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			set := user(arnBob, "bob", "new")
			list := head + "    " + strings.ReplaceAll(strings.TrimSuffix(test.section, "\n"), "\n", "\n    ") + "\n"
			for where, in := range map[string]struct {
				document edit.Document
				line     string
			}{
				"a ConfigMap":      {edit.Data{"mapUsers": test.section}, fmt.Sprintf("line %d of the section", test.line)},
				"a manifest":       {edit.File(list), fmt.Sprintf("line %d", test.line+6)},
				"a quoted section": {edit.File("kind: ConfigMap\ndata:\n  mapUsers: " + strconv.Quote(test.section) + "\n"), "line 3"},
			} {
				_, err := edit.Set(in.document, set)
				if errors.Is(err, edit.ErrNotFound) {
					_, err = edit.Find(in.document, edit.Principal{ARN: arnBob})
				}
				if err == nil {
					_, err = edit.Add(in.document, user("x", "x"))
				}
				said := fmt.Sprint(err)
				before, after, found := strings.Cut(said, test.before+in.line)
				if !found || strings.HasPrefix(after, "0") || !strings.HasPrefix(before, "cannot edit mapUsers safely: ") || !strings.Contains(after, test.after) {
					t.Errorf("%s: %s, want %s%s%s", where, said, test.before, in.line, test.after)
				}
			}
		})
	}
}
