package lint_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-iam/authenticator/internal/lint"
)

// entryA is an entry without problems, in lines 2 and 3 of a file.
const entryA = "mapRoles:\n- rolearn: " + role + "A # who\n  username: 'a:{{SessionName}}'\n"

func TestFix(t *testing.T) {
	const b = "- rolearn: " + role + "B\n  username: b:{{SessionName}}\n"
	for _, test := range []struct {
		name, content string
		safe, grants  string // the fixed file; empty if nothing is fixed
		gains         string // part of what the fixes with grants print
	}{
		{"nothing", entryA, "", "", ""},
		{"an empty group", entryA + "  groups:\n  - x # one\n  - \"\"\n  - z\n", entryA + "  groups:\n  - x # one\n  - z\n", "same", ""},
		{"an empty group at the end", entryA + "  groups:\n  - x\n  -\n", entryA + "  groups:\n  - x\n", "same", ""},
		{"an empty group before others", entryA + "  groups:\n  -\n  - x\n" + b, entryA + "  groups:\n  - x\n" + b, "same", ""},
		{"the only group is empty", entryA + "  groups:\n  - null # none\n" + b, entryA + "  groups:\n" + b, "same", ""},
		{"an empty group in brackets", entryA + "  groups: [\"\", x, '', z, null] # g\n", entryA + "  groups: [x, z] # g\n", "same", ""},
		{"the only group in brackets is empty", entryA + "  groups: [ '' ]\n", entryA + "  groups: []\n", "same", ""},
		{"an entry that is overridden", "mapRoles:\n# first\n" + b + "  groups:\n  - x\n\n  # in it\n\n# second\n" + b + "# end\n", "mapRoles:\n# first\n\n# second\n" + b + "# end\n", "same", ""},
		{"an account twice", "mapAccounts:\n- '111122223333' # x\n- '111122223333'\n", "mapAccounts:\n- '111122223333'\n", "same", ""},
		{"a field twice", entryA + "  groups: [x]\n  groups:\n  - z\n" + b, entryA + "  groups:\n  - z\n" + b, "same", ""},
		{"a field twice, and the first acts", entryA + "  groups:\n  - z\n  Groups: [x]\n", entryA + "  groups:\n  - z\n", "same", ""},
		{"the first field of an entry twice", "mapRoles:\n- rolearn: x\n  rolearn: " + role + "A\n  username: a:{{SessionName}}\n", "", "", ""},
		{"an overridden entry in brackets", "mapRoles: [{rolearn: " + role + "A, username: a}, {rolearn: " + role + "A, username: a}]\n", "", "", ""},
		{"an overridden entry whose dash is alone", "mapRoles:\n-\n  rolearn: " + role + "B\n  username: b:{{SessionName}}\n" + b, "", "", ""},
		{"no kind", "# c\ndata:\n  mapUsers: '[]'\n", "# c\napiVersion: v1\nkind: ConfigMap\ndata:\n  mapUsers: '[]'\n", "same", ""},
		{"no kind, with a version", "apiVersion: v1\ndata:\n  mapUsers: '[]'\n", "kind: ConfigMap\napiVersion: v1\ndata:\n  mapUsers: '[]'\n", "same", ""},
		{"a field that is misspelt and empty", entryA + "  grops: []\n", entryA + "  groups: []\n", "same", ""},
		{"line ends of Windows", strings.ReplaceAll(entryA+"  groups:\n  - x\n  - ''\n", "\n", "\r\n"), strings.ReplaceAll(entryA+"  groups:\n  - x\n", "\n", "\r\n"), "same", ""},
		{"a role in the configuration file", "server:\n  mapRoles:\n  - rolearn: arn:aws:sts::111122223333:assumed-role/A/x # r\n    username: a:{{SessionName}}\n", "server:\n  mapRoles:\n  - rolearn: " + role + "A # r\n    username: a:{{SessionName}}\n", "same", ""},
		{"a number in the configuration file", "server:\n  mapUsers:\n  - userarn: arn:aws:iam::111122223333:user/b\n    username: 0123\n", "server:\n  mapUsers:\n  - userarn: arn:aws:iam::111122223333:user/b\n    username: \"83\"\n", "same", ""},
		{"a version of exec", "users:\n- name: u\n  user:\n    exec:\n      apiVersion: client.authentication.k8s.io/v1alpha1\n      command: x\n", "users:\n- name: u\n  user:\n    exec:\n      apiVersion: client.authentication.k8s.io/v1beta1\n      command: x\n", "same", ""},

		{"white space in an ARN", "mapRoles:\n- rolearn: \"" + role + "A \"\n  username: a:{{SessionName}}\n", "", "mapRoles:\n- rolearn: \"" + role + "A\"\n  username: a:{{SessionName}}\n", "gains access: role A of account 111122223333, now a:{{SessionName}} in no groups"},
		{"a role path", "mapRoles:\n- rolearn: " + role + "x/A # p\n  username: a:{{SessionName}}\n", "", "mapRoles:\n- rolearn: " + role + "A # p\n  username: a:{{SessionName}}\n", "gains access: role A"},
		{"a role path beside the role", "mapRoles:\n- rolearn: " + role + "x/B # p\n  username: p:{{SessionName}}\n" + b, "mapRoles:\n" + b, "same", ""},
		{"a role path after the role", "mapRoles:\n" + b + "- rolearn: " + role + "x/B\n  username: p:{{SessionName}}\n", "", "", ""},
		{"an assumed role", "mapRoles:\n- rolearn: 'arn:aws:sts::111122223333:assumed-role/A/x'\n  username: a:{{SessionName}}\n", "", "mapRoles:\n- rolearn: '" + role + "A'\n  username: a:{{SessionName}}\n", "gains access: role A"},
		{"a username without quotes", "mapRoles:\n- {rolearn: " + role + "A, username: yes}\n", "", "mapRoles:\n- {rolearn: " + role + "A, username: \"yes\"}\n", "now yes in"},
		{"a group without quotes", entryA + "  groups: [x, 5]\n", "", entryA + "  groups: [x, \"5\"]\n", "changes access: role A of account 111122223333, was a:{{SessionName}} in x, now a:{{SessionName}} in x, 5"},
		{"groups without a list", entryA + "  groups: system:masters\n", "", entryA + "  groups: [system:masters]\n", "in system:masters"},
		{"groups in a text", entryA + "  groups: '{{SessionName}}'\n", "", entryA + "  groups: ['{{SessionName}}']\n", "in {{SessionName}}"},
		{"a field that is misspelt", entryA + "  grops: [x]\n", "", entryA + "  groups: [x]\n", "in x"},
		{"a placeholder that is misspelt", "mapRoles:\n- rolearn: " + role + "A\n  username: a:{{sessionname}}\n", "", "mapRoles:\n- rolearn: " + role + "A\n  username: a:{{SessionName}}\n", "now a:{{SessionName}}"},
		{"a placeholder without quotes", "mapRoles: |\n  - rolearn: " + role + "A\n    username: {{SessionName}} # s\n", "", "mapRoles: |\n  - rolearn: " + role + "A\n    username: \"{{SessionName}}\" # s\n", "now {{SessionName}}"},
		{"a placeholder without quotes, with text", "mapRoles: |\n  - rolearn: " + role + "A\n    username: {{SessionName}}:a\n", "", "mapRoles: |\n  - rolearn: " + role + "A\n    username: \"{{SessionName}}:a\"\n", "now {{SessionName}}:a"},
		{"a placeholder without quotes in a file of lists", "mapRoles:\n- rolearn: " + role + "A\n  username: {{SessionName}}:a\n", "", "mapRoles:\n- rolearn: " + role + "A\n  username: \"{{SessionName}}:a\"\n", "now {{SessionName}}:a"},
		{"a section that is misspelt", "maproles:\n" + b, "", "mapRoles:\n" + b, "gains access: role B"},
		{"a section that is misspelt beside the right one", "maproles:\n" + b + entryA, "", "", ""},
		{"two sections that are misspelt", "mapRole:\n" + b + "maproles: []\n", "mapRole:\n" + b + "mapRoles: []\n", "same", ""},
		{"several groups in a text", entryA + "  groups: x,z\n", "", "", ""},
		{"white space within an ARN", "mapRoles:\n- rolearn: " + role + "a b\n  username: a:{{SessionName}}\n", "", "", ""},
		{"a placeholder that is not closed", "mapRoles:\n- rolearn: " + role + "A\n  username: a:{{SessionName\n", "", "", ""},
		{"an entry of a mapped account", "mapRoles:\n- rolearn: " + role + "x/A\n  username: a:{{SessionName}}\nmapAccounts: ['111122223333']\n", "", "mapRoles:\n- rolearn: " + role + "A\n  username: a:{{SessionName}}\nmapAccounts: ['111122223333']\n", "changes access: role A"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.grants == "same" {
				test.grants = test.safe
			}
			for grants, want := range map[bool]string{false: test.safe, true: test.grants} {
				fixed, done, err := lint.Fix([]byte(test.content), options(), grants)
				if err != nil {
					t.Fatal(err)
				}
				if want == "" {
					want = test.content
				}
				if diff := cmp.Diff(want, string(fixed)); diff != "" {
					t.Errorf("grants: %v (-want +got)\n%s", grants, diff)
				}
				if (want == test.content) != (len(done) == 0) {
					t.Errorf("grants: %v: %d problems are fixed", grants, len(done))
				}
				gains := ""
				for _, fix := range done {
					for _, change := range fix.Gains {
						gains += change.String() + "\n"
					}
				}
				if !grants && gains != "" || grants && !strings.Contains(gains, test.gains) {
					t.Errorf("grants: %v: gains %q, want %q", grants, gains, test.gains)
				}
			}
		})
	}
}

// TestFixTakesNothing checks a file in which the fix of one entry would replace another
// one: whoever has access keeps it.
func TestFixTakesNothing(t *testing.T) {
	content := "mapRoles:\n- rolearn: " + role + "A\n  username: a:{{SessionName}}\n  groups: [system:masters]\n- rolearn: " + role + "x/A\n  username: p:{{SessionName}}\n"
	for _, grants := range []bool{false, true} {
		fixed, done, err := lint.Fix([]byte(content), options(), grants)
		if err != nil || len(done) > 0 || string(fixed) != content {
			t.Errorf("grants: %v: fixed %v (%v):\n%s", grants, done, err, fixed)
		}
	}
}

// TestFixOfCases checks the cases of the parser's tests: a safe fix changes nobody's
// access, and one with grants takes none.
func TestFixOfCases(t *testing.T) {
	files, err := filepath.Glob("../../pkg/mapper/awsauth/testdata/cases/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	fixes := 0
	for _, path := range files {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, grants := range []bool{false, true} {
			fixes += checkFix(t, content, grants)
		}
	}
	if fixes < 5 {
		t.Errorf("%d fixes in all cases, want 5 or more", fixes)
	}
}

// checkFix fixes a file, checks what holds for every file, and returns the number of
// fixes.
func checkFix(t *testing.T, content []byte, grants bool) int {
	t.Helper()
	before, err := lint.File(content, options())
	if err != nil {
		return 0
	}
	fixed, done, err := lint.Fix(content, options(), grants)
	if err != nil {
		t.Fatalf("%v:\n%s", err, content)
	}
	after, err := lint.File(fixed, options())
	if err != nil || after.Kind != before.Kind && before.Kind != lint.Mappings {
		t.Fatalf("the fixed file is %+v, %v:\n%s", after, err, fixed)
	}
	for _, change := range before.Changes(after) {
		byAccount := change.Old != nil && change.Old.ByAccount
		if !grants || change.New == nil || change.Old != nil && !byAccount && change.Old.Username != change.New.Username {
			t.Errorf("grants: %v: %s\n%s\n->\n%s", grants, change, content, fixed)
		}
	}
	if len(done) == 0 && string(fixed) != string(content) {
		t.Errorf("nothing is fixed, but the file changes:\n%s\n->\n%s", content, fixed)
	}
	return len(done)
}

// TestFixOfManyFiles puts files together from entries with and without mistakes, and
// checks what holds for every fix.
func TestFixOfManyFiles(t *testing.T) {
	const assumed = "arn:aws:sts::111122223333:assumed-role/"
	parts := []string{
		"rolearn: " + role + "A\n  username: a:{{SessionName}}\n  groups: [system:masters]",
		"rolearn: " + role + "a\n  username: other:{{SessionName}}\n  groups:\n  - x\n  - ''",
		"rolearn: " + role + "p/A\n  username: p:{{SessionName}}",
		"rolearn: '" + role + "A '\n  username: s:{{SessionName}}",
		"rolearn: " + assumed + "A/s\n  username: s:{{SessionName}}\n  groups: [z]",
		"rolearn: " + role + "B\n  username: yes\n  groups: [5, '', z]",
		"rolearn: " + role + "B\n  username: b:{{sessionname}}\n  grops: [z]",
		"rolearn: " + role + "B\n  username: b:{{SessionName}}\n  Groups: [x]\n  groups:\n  - z\n  -",
		"rolearn: " + role + "B\n  username: b:{{SessionName}}\n  groups: system:masters",
		"rolearn: " + role + "B # no username",
		"sso: {permissionSetName: Admin, accountID: '111122223333', accountid: '111122223333'}\n  username: sso:{{SessionName}}",
	}
	random := rand.New(rand.NewPCG(1, 2))
	fixes := 0
	for range 500 {
		var entries strings.Builder
		for range 1 + random.IntN(5) {
			entries.WriteString("- " + parts[random.IntN(len(parts))] + "\n")
			if random.IntN(4) == 0 {
				entries.WriteString("# a comment\n\n")
			}
		}
		list, accounts := entries.String(), ""
		if random.IntN(6) == 0 {
			list += "- rolearn: " + role + "C\n  username: {{SessionName}}\n"
		}
		if random.IntN(3) == 0 {
			accounts = "mapAccounts: ['111122223333', '111122223333']\n"
		}
		content := accounts + "mapRoles:\n" + list
		switch random.IntN(3) {
		case 0:
			content = accounts + "mapRoles: |\n  " + strings.ReplaceAll(list, "\n", "\n  ") + "\n"
		case 1:
			content = "server:\n  " + strings.ReplaceAll(content, "\n", "\n  ")
		}
		fixes += checkFix(t, []byte(content), false) + checkFix(t, []byte(content), true)
		if t.Failed() {
			t.Fatal("the first file that fails ends the test")
		}
	}
	if fixes < 1000 {
		t.Errorf("%d fixes, want 1000 or more: the files prove too little", fixes)
	}
}

// TestFixMoreThanAreListed checks a file with more problems than a report lists.
func TestFixMoreThanAreListed(t *testing.T) {
	const n = 450
	var broken, want strings.Builder
	for _, b := range []*strings.Builder{&broken, &want} {
		b.WriteString("mapRoles:\n")
	}
	for i := range n {
		entry := fmt.Sprintf("- rolearn: %sR%d\n  username: a:{{SessionName}}\n  groups: [", role, i)
		broken.WriteString(entry + "'']\n")
		want.WriteString(entry + "]\n")
	}
	fixed, done, err := lint.Fix([]byte(broken.String()), options(), false)
	if err != nil || len(done) != n {
		t.Errorf("%d problems are fixed, want %d (%v)", len(done), n, err)
	}
	if diff := cmp.Diff(want.String(), string(fixed)); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
