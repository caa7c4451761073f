package lint_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-iam/authenticator/internal/config"
	"github.com/kube-iam/authenticator/internal/lint"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

const role = "arn:aws:iam::111122223333:role/"

func TestKindOfFile(t *testing.T) {
	const list = "- {rolearn: " + role + "A, username: 'a:{{SessionName}}'}\n"
	for _, test := range []struct {
		name, content string
		kind          lint.Kind
		err           string // part of the error
	}{
		{"a manifest", "kind: ConfigMap\ndata:\n  mapRoles: |\n    " + list, lint.Manifest, ""},
		{"bare data", "mapRoles:\n" + list, lint.Mappings, ""},
		{"data without a kind", "data:\n  mapUsers: '[]'\n", lint.Mappings, ""},
		{"a section that is misspelt", "maprole:\n" + list, lint.Mappings, ""},
		{"JSON", `{"mapRoles": []}`, lint.DynamicFile, ""},
		{"a configuration file", "clusterID: c\nserver: {}\n", lint.ServerConfig, ""},
		{"a configuration file in another case", "CLUSTERID: c\n", lint.ServerConfig, ""},
		{"a kubeconfig", "apiVersion: v1\nkind: Config\n", lint.Kubeconfig, ""},
		{"a configuration file of several clusters", "clusters:\n- id: a\n", lint.ServerConfig, ""},
		{"a kubeconfig without a kind", "users: []\n", lint.Kubeconfig, ""},
		{"a kubeconfig with clusters alone", "clusters:\n- name: a\n  cluster: {}\n", lint.Kubeconfig, ""},

		{"a manifest that does not parse", "kind: ConfigMap\ndata: [\n", lint.Manifest, ""},
		{"data that does not parse", "mapRoles:\n  - [\n", lint.Mappings, ""},
		{"a configuration file that does not parse", "server:\n  port: [\n", lint.ServerConfig, ""},
		{"a configuration file of several clusters that does not parse", "clusters:\n- id: a\n  mapRoles: [\n", lint.ServerConfig, ""},
		{"a kubeconfig that does not parse", "users:\n- [\n", lint.Kubeconfig, ""},

		{"another manifest", "kind: Deployment\nspec: {}\n", "", `line 1: the file is the manifest of a "Deployment": expected a ConfigMap aws-auth`},
		{"another mapping", "a: b\n", "", "the kind of the file is unknown: expected a ConfigMap aws-auth"},
		{"a list", "- a\n", "", "not a mapping"},
		{"text", "hello", "", "not a mapping"},
		{"nothing", "", "", "the file is empty: expected"},
		{"a comment", "# nothing\n", "", "the file is empty"},
		{"something that does not parse", "a: [\n", "", "never closed; close it with ] (expected a ConfigMap aws-auth"},
		{"binary", "\x00\x01\xff\xfe", "", "expected a ConfigMap"},
		{"too large", strings.Repeat("- a\n", 300_000), "", "too large"},
	} {
		t.Run(test.name, func(t *testing.T) {
			report, err := lint.File([]byte(test.content), options())
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Errorf("the error is %v, want %q", err, test.err)
				}
				return
			}
			if err != nil || report.Kind != test.kind {
				t.Fatalf("%+v, %v: want %s", report, err, test.kind)
			}
			if broken := strings.Contains(test.name, "does not parse"); broken && (len(report.Problems) != 1 || report.Problems[0].Severity != mapper.Error || report.Problems[0].Line == 0 || report.Problems[0].Fix == "") {
				t.Errorf("%+v", report.Problems)
			}
		})
	}
}

// places returns the problems as "line:column severity code".
func places(report *lint.Report) (all []string) {
	for _, p := range report.Problems {
		all = append(all, fmt.Sprintf("%d:%d %s %s", p.Line, p.Column, p.Severity, p.Code))
	}
	return all
}

func TestServerConfig(t *testing.T) {
	opts := options()
	opts.CheckValue = func(value config.Value) error {
		if value.Text == "bad" {
			return fmt.Errorf("%q is bad", value.Text)
		}
		return nil
	}
	for _, test := range []struct {
		name, content string
		want          []string
	}{
		{"clean", "clusterID: c\nserver:\n  port: 21362\n", nil},
		{"an unknown key", "clusterID: c\nserver:\n  prot: 1\n", []string{"3:3 error ConfigInvalid"}},
		{"a key without effect", "clusterID: c\ndefaultRole: x\n", []string{"2:1 warning ConfigNoEffect"}},
		{"an invalid value", "clusterID: c\nserver:\n  port: bad\n", []string{"3:9 error ConfigInvalid"}},
		{"a mapping that keeps the server from starting", "server:\n  mapRoles:\n  - rolearn: x\n", []string{"3:14 error EntryInvalidARN"}},
		{"an assumed role maps its role", "server:\n  mapRoles:\n  - rolearn: arn:aws:sts::111122223333:assumed-role/A/x\n    username: a:{{SessionName}}\n", []string{"3:14 warning AssumedRole"}},
		{"a role path", "server:\n  mapRoles:\n  - rolearn: " + role + "a/A\n    username: a:{{SessionName}}\n", []string{"3:14 warning RolePath"}},
		{"a role path that the file strips", "server:\n  mapRoles:\n  - rolearn: " + role + "a/A\n    username: a:{{SessionName}}\n  rolePaths: strip\n", nil},
		{"another partition", "server:\n  partition: aws-cn\n  mapRoles:\n  - rolearn: arn:aws-cn:iam::111122223333:role/A\n    username: a:{{SessionName}}\n", nil},
		{"problems are in the order of the lines", "server:\n  mapAccounts: [x]\n  mapRoles:\n  - rolearn: x\ndefaultRole: x\n", []string{"2:17 error InvalidAccountID", "4:14 error EntryInvalidARN", "5:1 warning ConfigNoEffect"}},
		{"something that does not parse", "clusterID: c\nserver: [\n", []string{"2:9 error ConfigInvalid"}},
		{"a mapping of one of several clusters", "clusters:\n- id: a\n  mapRoles: []\n- id: b\n  mapRoles:\n  - rolearn: x\n", []string{"6:14 error EntryInvalidARN"}},
		{"a value of one of several clusters", "clusters:\n- id: a\n- id: b\n  master: bad\n", []string{"4:11 error ConfigInvalid"}},
		{"each cluster has its own partition and role paths", "clusters:\n- id: a\n  partition: aws-cn\n  mapRoles:\n  - {rolearn: '" + role + "A', username: 'a:{{SessionName}}'}\n" +
			"- id: b\n  rolePaths: strip\n  mapRoles:\n  - {rolearn: '" + role + "a/A', username: 'a:{{SessionName}}'}\n" +
			"- id: c\n  mapRoles:\n  - {rolearn: '" + role + "a/A', username: 'a:{{SessionName}}'}\n", []string{"5:15 error EntryPartition", "12:15 warning RolePath"}},
		{"the same principal in two clusters", "clusters:\n- id: a\n  mapUsers: &u\n  - {userarn: 'arn:aws:iam::111122223333:user/a', username: a}\n- id: b\n  mapUsers: *u\n", nil},
		{"a key of an item", "clusters:\n- id: a\n  port: 1\n", []string{"3:3 error ConfigInvalid"}},
		{"an account twice", "server:\n  mapAccounts: ['111122223333', '111122223333']\n", []string{"2:17 warning DuplicateEntry"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			report := check(t, test.content, opts)
			if diff := cmp.Diff(test.want, places(report)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			for _, p := range report.Problems {
				if p.Fix == "" {
					t.Errorf("%s has no fix", p.Code)
				}
				stops := p.Code == lint.ConfigInvalid || p.Code == mapper.EntryInvalidARN
				if stops != strings.HasPrefix(p.Effect, "the server does not start") {
					t.Errorf("%s: the effect is %q", p.Code, p.Effect)
				}
			}
		})
	}
}

// TestPlaces checks that every problem of the broken variants of the lesson has a line, a
// column and a fix.
func TestPlaces(t *testing.T) {
	paths, err := filepath.Glob("../../cmd/authenticator/testdata/lesson/*.yaml")
	if err != nil || len(paths) < 30 {
		t.Fatalf("%d files: %v", len(paths), err)
	}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, eks := range []bool{false, true} {
			opts := options()
			opts.Mappings.EKS = eks
			report, err := lint.File(content, opts)
			if err != nil {
				continue // of another kind
			}
			for _, p := range report.Problems {
				if p.Line == 0 || p.Column == 0 || p.Fix == "" {
					t.Errorf("%s: line %d, column %d, fix %q: %s", path, p.Line, p.Column, p.Fix, p.Message)
				}
			}
		}
	}
}

// TestFixOfSeveralClusters checks that a fix of one cluster's mappings is made, and that
// one which changes access in another cluster is not.
func TestFixOfSeveralClusters(t *testing.T) {
	const bob = "{userarn: 'arn:aws:iam::111122223333:user/bob', username: bob"
	content := "clusters:\n- id: a\n  mapUsers:\n  - " + bob + "}\n- id: b\n  mapUsers:\n  - " + bob + "}\n  - " + bob + ", groups: [x]}\n"
	fixed, fixes, err := lint.Fix([]byte(content), options(), false)
	if err != nil || len(fixes) != 1 {
		t.Fatalf("%d fixes, %v", len(fixes), err)
	}
	if want := strings.Replace(content, "b\n  mapUsers:\n  - "+bob+"}\n", "b\n  mapUsers:\n", 1); string(fixed) != want {
		t.Errorf("%s, want %s", fixed, want)
	}
	before, after := check(t, content, options()), check(t, strings.Replace(content, "[x]", "[y]", 1), options())
	if changes := before.Changes(after); len(changes) != 1 || changes[0].New.Groups[0] != "y" {
		t.Errorf("the change of the second cluster is %v", changes)
	}
}

// TestEKS checks what only EKS's rules report.
func TestEKS(t *testing.T) {
	const bob, person = "  username: bob:{{SessionName}}\n", "arn:aws:iam::111122223333:user/"
	for _, test := range []struct {
		name, content string
		here, onEKS   []string
		effect        string // of the last problem on EKS
	}{
		{"nothing", "mapRoles:\n- rolearn: " + role + "A\n" + bob, nil, nil, ""},
		{"sso", "mapRoles:\n- sso: {permissionSetName: Admin, accountID: '111122223333'}\n" + bob, nil, []string{"2:8 error NotOnEKS"}, "on EKS, the entry matches nobody"},
		{"a user in another case", "mapUsers:\n- userarn: " + person + "a\n" + bob + "- userarn: " + person + "A\n" + bob, []string{"2:3 warning DuplicateEntry"}, []string{"2:3 error NotOnEKS"}, "either of them"},
		{"a role in another case", "mapRoles:\n- rolearn: " + role + "A\n" + bob + "- rolearn: " + role + "a\n" + bob, []string{"2:3 warning DuplicateEntry"}, []string{"2:3 warning DuplicateEntry"}, ""},
		{"the same case", "mapRoles:\n- rolearn: " + role + "A\n" + bob + "- rolearn: " + role + "A\n" + bob, []string{"2:3 warning DuplicateEntry"}, []string{"2:3 warning DuplicateEntry"}, ""},
		{"a placeholder", "mapRoles:\n- rolearn: " + role + "A\n  username: '{{User}}'\n", []string{"3:13 error EntryTemplate"}, []string{"3:13 error EntryTemplate"}, "on EKS, the entry is not ignored"},
		{"a list in a ConfigMap", "kind: ConfigMap\ndata:\n  mapRoles:\n  - rolearn: " + role + "A\n  " + bob, []string{"4:3 error SectionNotText"}, []string{"4:3 error SectionNotText"}, "the cluster rejects the manifest"},
		{"a section that does not parse", "mapRoles: |\n  - rolearn: " + role + "A\n    username: {{SessionName}}\n", []string{"3:16 error SectionSyntax"}, []string{"3:16 error SectionSyntax"}, "so do the nodes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			opts := options()
			if diff := cmp.Diff(test.here, places(check(t, test.content, opts))); diff != "" {
				t.Errorf("here (-want +got)\n%s", diff)
			}
			opts.Mappings.EKS = true
			report := check(t, test.content, opts)
			if diff := cmp.Diff(test.onEKS, places(report)); diff != "" {
				t.Errorf("on EKS (-want +got)\n%s", diff)
			}
			if n := len(report.Problems); n > 0 && !strings.Contains(report.Problems[n-1].Effect, test.effect) {
				t.Errorf("the effect is %q, want %q", report.Problems[n-1].Effect, test.effect)
			}
		})
	}
	// EKS's rules override the options of this server.
	opts := lint.Options{Mappings: awsauth.Options{EKS: true, RolePaths: mapper.RolePathsStrip, AssumedRoles: awsauth.AssumedRolesAsRole}}
	report := check(t, "mapRoles:\n- rolearn: "+role+"a/A\n"+bob+"- rolearn: arn:aws:sts::111122223333:assumed-role/B/x\n"+bob, opts)
	if diff := cmp.Diff([]string{"2:12 warning RolePath", "4:12 error AssumedRole"}, places(report)); diff != "" || report.Tables()[0].Len() != 0 {
		t.Errorf("%d entries apply; (-want +got)\n%s", report.Tables()[0].Len(), diff)
	}
}
