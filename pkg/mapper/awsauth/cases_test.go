package awsauth_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/mapper/mappertest"
)

const caseAccount = "111122223333"

// caseRole returns a session of a role of the cases' account; caseUser returns a user.
func caseRole(t *testing.T, name, session string) identity.Principal {
	t.Helper()
	return mappertest.Principal(t, caseAccount, "arn:aws:sts::"+caseAccount+":assumed-role/"+name+"/"+session, "AROAEXAMPLE:"+session)
}

func caseUser(t *testing.T, name string) identity.Principal {
	t.Helper()
	return mappertest.User(t, caseAccount, name)
}

// mapped returns the user of a principal as "username in group,group", or empty.
func mapped(t *testing.T, result *awsauth.Result, who identity.Principal) string {
	t.Helper()
	match, ok, err := entriesOf(result).Map(t.Context(), who, nil)
	if err != nil || !ok {
		return ""
	}
	return match.Username + " in " + strings.Join(match.Groups, ",")
}

// A caseProblem is a problem that a case must report: its line in the section's text
// and in the file, and part of its message or fix.
type caseProblem struct {
	code       mapper.Code
	line, file int
	text       string
}

// TestCases reads every file of testdata/cases, as a file and as the data of a
// ConfigMap. The first line of each file is the expectation.
func TestCases(t *testing.T) {
	const node = "system:node:ip-10-0-1-23.eu-west-2.compute.internal in "
	instance := "i-0123456789abcdef0"
	for name, test := range map[string]struct {
		mapped   map[string]string // by role/session or user
		problems []caseProblem
	}{
		"01-assumed-role-arn": {
			mapped:   map[string]string{"Admin/x": "view:x in view", "Admin/ci-job-1": "view:ci-job-1 in view"},
			problems: []caseProblem{{mapper.AssumedRole, 4, 6, "write arn:aws:iam::111122223333:role/Admin"}},
		},
		"02-entry-nested-in-groups": {
			mapped:   map[string]string{"Node/" + instance: node + "system:bootstrappers,system:nodes", "Ci/x": ""},
			problems: []caseProblem{{mapper.EntryInGroups, 6, 8, "indent"}},
		},
		"03-data-without-kind": {
			mapped: map[string]string{"Admin/x": "admin:x in system:masters"},
		},
		"04-silent-mistakes": {
			mapped: map[string]string{"AWSReservedSSO_Admin_0123456789abcdef/x": "", "new.user": "new.user - system:masters in "},
			problems: []caseProblem{
				{mapper.ARNMatchesNobody, 1, 3, "wildcard"},
				{mapper.ARNMatchesNobody, 4, 6, "<role-name>"},
				{mapper.Unfilled, 8, 10, `"<system:node:{{EC2PrivateDNSName}}>"`},
				{mapper.Unfilled, 9, 11, "<system:nodes>"},
				{mapper.GroupsFolded, 2, 14, "groups:"},
				{mapper.UnknownSection, 0, 16, "IAM groups"},
			},
		},
		"05-comment-misleads": {
			problems: []caseProblem{{mapper.SectionSyntax, 6, 8, "the quote opened here is never closed"}},
		},
		"06-empty-group": {
			mapped:   map[string]string{"ci-deployer/x": "ci-deployer:x in ", "Node/" + instance: node + "system:bootstrappers,system:nodes"},
			problems: []caseProblem{{mapper.GroupEmpty, 3, 5, "group"}, {mapper.GroupEmpty, 9, 11, "group"}},
		},
		"07-space-in-arn": {
			mapped:   map[string]string{"Admin/x": ""},
			problems: []caseProblem{{mapper.ARNMatchesNobody, 1, 3, "write arn:aws:iam::111122223333:role/Admin"}},
		},
		"08-readme-config": {
			// The server's configuration file: ParseNode reads it.
		},
		"09-system-groups": {
			mapped: map[string]string{"nodes/x": "x in system:bootstrappers:kubeadm:default-node-token,system:serviceaccounts,system:serviceaccounts:ci"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			content, err := os.ReadFile(filepath.Join("testdata/cases", name+".yaml"))
			if err != nil {
				t.Fatal(err)
			}
			if name == "08-readme-config" {
				testReadmeConfig(t, content)
				return
			}
			asFile, err := awsauth.ParseFile(content, nil, options())
			if err != nil {
				t.Fatal(err)
			}
			for how, result := range map[string]*awsauth.Result{"file": asFile, "ConfigMap": awsauth.Parse(dataOf(t, content), nil, options())} {
				for who, want := range test.mapped {
					principal := caseUser(t, who)
					if role, session, isRole := strings.Cut(who, "/"); isRole {
						principal = caseRole(t, role, session)
					}
					if got := mapped(t, result, principal); got != want {
						t.Errorf("%s: %s is %q, want %q", how, who, got, want)
					}
				}
				checkProblems(t, how == "file", result.Problems, test.problems)
			}
		})
	}
}

func TestEveryCaseIsTested(t *testing.T) {
	files, err := filepath.Glob("testdata/cases/*.yaml")
	if err != nil || len(files) != 9 {
		t.Errorf("%d cases (%v): add those that are new to TestCases", len(files), err)
	}
}

func checkProblems(t *testing.T, inFile bool, got []mapper.Problem, want []caseProblem) {
	t.Helper()
	// The cases have no kind on purpose.
	got = slices.DeleteFunc(slices.Clone(got), func(p mapper.Problem) bool { return p.Code == mapper.NoKind })
	if len(got) != len(want) {
		t.Errorf("%d problems, want %d: %v", len(got), len(want), got)
	}
	for _, w := range want {
		line := w.line
		if inFile {
			line = w.file
		}
		if !slices.ContainsFunc(got, func(p mapper.Problem) bool {
			return p.Code == w.code && p.Line == line && strings.Contains(p.String(), w.text)
		}) {
			t.Errorf("no %s in line %d with %q: %v", w.code, line, w.text, got)
		}
	}
}

// dataOf returns the data of the ConfigMap in a case's file.
func dataOf(t *testing.T, content []byte) map[string]string {
	t.Helper()
	var file map[string]any
	if err := yaml.Unmarshal(content, &file); err != nil {
		t.Fatal(err)
	}
	if nested, ok := file["data"].(map[string]any); ok {
		file = nested
	}
	data := map[string]string{}
	for key, value := range file {
		if text, ok := value.(string); ok {
			data[key] = text
		}
	}
	return data
}

func testReadmeConfig(t *testing.T, content []byte) {
	var config struct{ Server yaml.Node }
	if err := yaml.Unmarshal(content, &config); err != nil {
		t.Fatal(err)
	}
	result := awsauth.ParseNode(&config.Server, nil, options())
	if len(result.Problems) > 0 {
		t.Errorf("%v", result.Problems)
	}
	if got := mapped(t, result, mappertest.User(t, "000000000000", "Alice")); got != "alice in system:masters" {
		t.Errorf("Alice is %q", got)
	}
	if _, err := awsauth.ParseFile(content, nil, options()); err == nil || !strings.Contains(err.Error(), "--config") {
		t.Errorf("as a file of mappings: %v", err)
	}
}

// TestPlacesInAFile checks that the problems and rules of a block of text have their
// places in the file.
func TestPlacesInAFile(t *testing.T) {
	const file = `# a comment
apiVersion: v1
kind: ConfigMap
metadata: {name: aws-auth, namespace: kube-system}
data:
  mapRoles: |

    - rolearn: arn:aws:iam::111122223333:role/Admin
      username: admin:{{SessionName}}
      groups: [""]
  mapUsers: '[{userarn: "arn:aws:iam::111122223333:group/x"}]'
  mapAccounts: |
      - "1"
`
	result, err := awsauth.ParseFile([]byte(file), nil, options())
	if err != nil {
		t.Fatal(err)
	}
	got := map[mapper.Code][2]int{}
	for _, p := range result.Problems {
		got[p.Code] = [2]int{p.Line, p.Column}
	}
	want := map[mapper.Code][2]int{mapper.GroupEmpty: {10, 16}, mapper.EntryInvalidARN: {11, 13}, mapper.InvalidAccountID: {13, 9}}
	if !maps.Equal(got, want) {
		t.Errorf("the places are %v, want %v", got, want)
	}
	match, _, err := entriesOf(result).Map(t.Context(), caseRole(t, "Admin", "x"), nil)
	if err != nil || match.Rule.Line != 8 {
		t.Errorf("the rule is %+v (%v), want line 8", match.Rule, err)
	}
}
