package lint_test

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-iam/authenticator/internal/lint"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// TestText checks how a problem is printed, with the line and a caret.
func TestText(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, test := range []struct{ name, content, want string }{
		{
			"a column", "mapRoles:\n- rolearn: bob # who\n",
			"f.yaml:2:12: error: \"bob\" is not an ARN, which starts with arn: (EntryInvalidARN)\n  2 | - rolearn: bob # who\n    |            ^\n  effect: the entry is ignored\n",
		},
		{
			"an item of a list", "mapAccounts:\n  - '111122223333'\n  - '111122223333'\n",
			"f.yaml:2:5: warning: account 111122223333 is listed again in line 3 (DuplicateEntry)\n  2 |   - '111122223333'\n    |     ^\n",
		},
		{
			"wide numbers", strings.Repeat("\n", 10) + "mapRoles: [x]\n",
			"  11 | mapRoles: [x]\n     |            ^\n",
		},
		{
			"a tab", "mapRoles:\n- rolearn:\tbob\n",
			"  2 | - rolearn:\tbob\n    |           \t^\n",
		},
		{
			"characters of other scripts", "mapRoles:\n- {username: \"Жük\", rolearn: bob}\n",
			"  2 | - {username: \"Жük\", rolearn: bob}\n    |                              ^\n",
		},
		{
			"wide and combining characters", "mapRoles:\n- {username: \"日本e\u0301\", rolearn: bob}\n",
			"f.yaml:2:31: ",
		},
		{
			"the caret below them", "mapRoles:\n- {username: \"日本e\u0301\", rolearn: bob}\n",
			"  2 | - {username: \"日本e\u0301\", rolearn: bob}\n    | " + strings.Repeat(" ", 31) + "^\n",
		},
		{
			"a mistake of YAML after them", "mapRoles:\n- rolearn: x\n  username: \"日本e\u0301\" x\n",
			"f.yaml:3:20: error",
		},
		{
			"the caret below it", "mapRoles:\n- rolearn: x\n  username: \"日本e\u0301\" x\n",
			"  3 |   username: \"日本e\u0301\" x\n    | " + strings.Repeat(" ", 20) + "^\n",
		},
		{
			"a long line", "mapRoles: [{username: " + long + ", rolearn: bob, groups: [" + long + "]}]\n",
			"  1 | …" + strings.Repeat("x", 49) + ", rolearn: bob, groups: [" + strings.Repeat("x", 46) + "…\n    | " + strings.Repeat(" ", 61) + "^\n",
		},
		{
			"characters that turn the text around", "mapRoles:\n- {\"a\u202eb\": 1, username: a, rolearn: bob}\n",
			"  2 | - {\"a\ufffdb\": 1, username: a, rolearn: bob}\n",
		},
		{
			"escapes for a terminal", "mapRoles: \x1b[31m\n",
			"  1 | mapRoles: \ufffd[31m\n",
		},
		{
			"a text that is quoted", "mapRoles: '[{rolearn: bob}]'\n",
			"f.yaml:1:11: error: \"bob\" is not an ARN, which starts with arn: (EntryInvalidARN)\n  1 | mapRoles: '[{rolearn: bob}]'\n    |           ^\n",
		},
		{"no problems", "mapRoles: []\n", "f.yaml is a file of mappings: no problems\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			text := lint.Checked{Name: "f.yaml", Report: check(t, test.content, options())}.Text()
			if !strings.Contains(text, test.want) {
				t.Errorf("got\n%s\nwant in it\n%s", text, test.want)
			}
		})
	}
}

// TestTextOfCluster checks that the lines of a ConfigMap in a cluster count in its
// sections.
func TestTextOfCluster(t *testing.T) {
	report := lint.ConfigMap(map[string]string{"mapUsers": "[]", "mapRoles": "# roles\n- rolearn: bob\n", "mapRole": "x"}, options())
	text := lint.Checked{Name: "kube-system/aws-auth", Report: report}.Text()
	for _, want := range []string{
		"kube-system/aws-auth mapRoles:2:12: error: ", "  2 | - rolearn: bob\n", "kube-system/aws-auth mapRole: warning: unknown key",
		"kube-system/aws-auth is a ConfigMap aws-auth: errors: 1, warnings: 1\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("got\n%s\nwant in it\n%s", text, want)
		}
	}
}

// TestSecretsStayHidden checks that no line of a kubeconfig with a credential is printed.
func TestSecretsStayHidden(t *testing.T) {
	const secret = "SECRET0123"
	const exec = "exec: {command: x, args: [5]}"
	for _, line := range []string{
		"token: " + secret, "client-key-data: " + secret, "\"token\": \"" + secret + "\"", "password: " + secret,
		"env: [{name: X, value: " + secret + "}]", "AWS_SESSION_TOKEN: " + secret,
	} {
		report := check(t, "users:\n- {name: u, user: {"+line+", "+exec+"}}\n", options())
		text := lint.Checked{Name: "x", Report: report}.Text()
		if !strings.Contains(text, "ExecNotText") || strings.Contains(text, secret) {
			t.Errorf("%s:\n%s", line, text)
		}
	}
	report := check(t, "users:\n- name: u\n  user:\n    "+exec+"\n", options())
	if text := (lint.Checked{Name: "x", Report: report}).Text(); !strings.Contains(text, "args: [5]") {
		t.Errorf("a line without a credential is not printed:\n%s", text)
	}
}

func TestGitHub(t *testing.T) {
	report := &lint.Report{Problems: []mapper.Problem{
		{Code: "A", Severity: mapper.Error, Line: 3, Column: 5, Message: "100%: a\r\nb", Effect: "e", Fix: "f, g"},
		{Code: "B", Severity: mapper.Warning, Message: "::error::x\x1b[31m"},
	}}
	got := lint.GitHub([]lint.Checked{{Name: "a,b:c%.yaml", Report: report}})
	want := "::error file=a%2Cb%3Ac%25.yaml,line=3,col=5,title=A::100%25: a%0D%0Ab; e (f, g)\n" +
		"::warning file=a%2Cb%3Ac%25.yaml,title=B::::error::x\ufffd[31m\n"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestJSON(t *testing.T) {
	report := check(t, "mapRoles:\n- rolearn: bob\n", options())
	fixed := []lint.Fixed{{Problem: mapper.Problem{Code: "X", Severity: mapper.Error, Message: "m"}, Gains: []mapper.Change{{For: mapper.Target{Account: "111122223333"}, New: &mapper.Grant{}}}}}
	text, err := lint.JSON([]lint.Checked{{Name: "f.yaml", Report: report, Fixed: fixed}, {Name: "g.yaml", Report: check(t, "mapRoles: []\n", options())}})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/report.json", string(text))
}

// TestSARIF checks what SARIF's schema requires: the properties of each object, the
// values that are enumerated, and that each index is that of its rule.
func TestSARIF(t *testing.T) {
	files := []lint.Checked{
		{Name: "dir/a b.yaml", Report: check(t, "mapRoles:\n- rolearn: bob\n- rolearn: x\nmapAccounts:\n- '111122223333'\n- '111122223333'\nmaproles: []\n", options())},
		{Name: "c.yaml", Report: check(t, "mapRoles: []\n", options())},
	}
	text, err := lint.SARIF(files, "v1")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/report.sarif", string(text))
	var log struct {
		Version string
		Runs    []struct {
			Tool struct {
				Driver struct {
					Name  string
					Rules []struct{ ID string }
				}
			}
			Results []struct {
				RuleID    string
				RuleIndex int
				Level     string
				Message   struct{ Text string }
				Locations []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           *struct{ StartLine, StartColumn int }
					}
				}
			}
		}
	}
	if err := json.Unmarshal(text, &log); err != nil {
		t.Fatal(err)
	}
	if log.Version != "2.1.0" || len(log.Runs) != 1 || log.Runs[0].Tool.Driver.Name == "" || len(log.Runs[0].Results) != 4 {
		t.Fatalf("%+v", log)
	}
	rules := log.Runs[0].Tool.Driver.Rules
	for _, result := range log.Runs[0].Results {
		location := result.Locations[0].PhysicalLocation
		if result.Message.Text == "" || result.Level != "error" && result.Level != "warning" || rules[result.RuleIndex].ID != result.RuleID {
			t.Errorf("%+v", result)
		}
		if location.ArtifactLocation.URI != "dir/a%20b.yaml" || location.Region == nil || location.Region.StartLine < 1 {
			t.Errorf("%+v", location)
		}
	}
	// A report without problems has an empty list of results: without one, the tool did
	// not run.
	if text, err = lint.SARIF(nil, ""); err != nil || !strings.Contains(string(text), `"results": []`) || !strings.Contains(string(text), `"rules": []`) {
		t.Errorf("%v:\n%s", err, text)
	}
}

// FuzzLint checks that no text makes lint panic or print what controls a terminal, that
// its reports are bounded, and that a fix is safe.
func FuzzLint(f *testing.F) {
	for _, path := range []string{"01-assumed-role-arn", "04-silent-mistakes", "06-empty-group", "08-readme-config"} {
		content, err := os.ReadFile("../../pkg/mapper/awsauth/testdata/cases/" + path + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(content))
	}
	f.Add(kubeconfig("apiVersion: client.authentication.k8s.io/v1alpha1\ncommand: aws\nargs: [eks, get-token, 5]"))
	f.Add("mapRoles:\n- &a {rolearn: " + role + "A, groups: [*a, '']}\n- *a\n")
	f.Add("mapAccounts: [\"\x1b[31m\", 5, ~]\nmapRole: x\n")
	f.Add("users:\n- &u {name: u, user: {exec: *u}}\n")
	f.Fuzz(func(t *testing.T, content string) {
		report, err := lint.File([]byte(content), options())
		if err != nil {
			return
		}
		text := lint.Checked{Name: "x", Report: report}.Text()
		for _, c := range text {
			if c != '\n' && c != '\t' && (c < ' ' || c == 0x7f || c >= 0x80 && c < 0xa0) {
				t.Errorf("%q is printed:\n%q", c, text)
			}
		}
		if _, err := lint.SARIF([]lint.Checked{{Name: "x", Report: report}}, ""); err != nil {
			t.Error(err)
		}
		checkFix(t, []byte(content), false)
		checkFix(t, []byte(content), true)
	})
}
