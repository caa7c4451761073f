//go:build e2e

package e2e

import (
	"context"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-iam/authenticator/pkg/lab"
)

// guardAWSAuth installs the guard on aws-auth until the test ends, and returns once the
// kube-apiserver asks it.
func guardAWSAuth(t *testing.T, s *shell) {
	t.Helper()
	if err := suite.GuardAWSAuth(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := suite.UnguardAWSAuth(context.Background()); err != nil {
			t.Error(err)
		}
		// A kube-apiserver watches the configuration.
		eventually(t, watchDelay, "unguarded", func() bool {
			return s.try("kubectl -n kube-system delete configmap aws-auth --dry-run=server").err == nil
		})
	})
	eventually(t, watchDelay, "guarded", func() bool {
		return s.try("kubectl -n kube-system delete configmap aws-auth --dry-run=server").err != nil
	})
}

// applyRoles applies an aws-auth of these roles.
func (s *shell) applyRoles(roles string, annotations ...string) result {
	s.t.Helper()
	manifest := "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: aws-auth\n  namespace: kube-system\n"
	if len(annotations) > 0 {
		manifest += "  annotations:\n    " + strings.Join(annotations, "\n    ") + "\n"
	}
	s.write("aws-auth.yaml", manifest+"data:\n  mapRoles: |\n    "+strings.ReplaceAll(strings.TrimSpace(roles), "\n", "\n    ")+"\n")
	return s.try("kubectl apply -f aws-auth.yaml")
}

// entryOf returns the entry of a role.
func entryOf(role, username, group string) string {
	return "- rolearn: " + role + "\n  username: " + username + "\n  groups: [" + group + "]\n"
}

var override = regexp.MustCompile(`authenticator\.kube-iam\.dev/override: "[0-9a-f]{16}"`)

// TestGuardRefuses edits aws-auth with kubectl in each way that locks people out: the
// kube-apiserver refuses it, says why, and changes nothing.
func TestGuardRefuses(t *testing.T) {
	role, otherRole := newRole(t, "GuardedAdmin"), newRole(t, "OtherAdmin")
	admin, other := entryOf(role, "admin:{{SessionName}}", "system:masters"), entryOf(otherRole, "other:{{SessionName}}", "system:masters")
	typo := entryOf("arn:aws:iam::2311449310:role/Typo", "typo", "people")
	setAWSAuth(t, map[string]string{"mapRoles": admin + other})
	s, engineer := newShell(t, awsCLIs(t)[0]), signIn(t, "--role-arn "+role)
	becomes(t, engineer, "admin:EKSGetTokenAuth", "system:masters")
	guardAWSAuth(t, s)
	version := func() string {
		return s.run("kubectl -n kube-system get configmap aws-auth -o jsonpath='{.metadata.resourceVersion}'")
	}
	before := version()
	for _, test := range []struct {
		name   string
		edit   func() result
		reason string
	}{
		{"YAML that does not parse", func() result { return s.applyRoles(admin + other + lab.NodesMapping() + "- rolearn: \"x") }, "mapRoles would no longer parse"},
		{"a wrong entry", func() result { return s.applyRoles(admin + other + lab.NodesMapping() + typo) }, "has an account of 10 digits"},
		{"the last administrator", func() result { return s.applyRoles(lab.NodesMapping()) }, "nobody would be left in system:masters"},
		{"the caller", func() result { return engineer.applyRoles(other + lab.NodesMapping()) }, "you (" + role + ") would lose your own access"},
		{"a node role", func() result { return s.applyRoles(admin + other) }, "role KubedemyNode of account 231144931069 would leave system:nodes"},
		{"kubectl edit", func() result {
			return s.try(`KUBE_EDITOR="sed -i 's/rolearn: arn:aws:iam::231144931069:role\/OtherAdmin/rolearn: arn:aws:iam::23114493106:role\/OtherAdmin/'" kubectl -n kube-system edit configmap aws-auth`)
		}, "has an account of 11 digits"},
		{"kubectl patch", func() result {
			return s.try(`kubectl -n kube-system patch configmap aws-auth --type json --patch '[{"op":"remove","path":"/data/mapRoles"}]'`)
		}, "nobody would be left in system:masters"},
		{"deletion", func() result { return s.try("kubectl -n kube-system delete configmap aws-auth") }, "set this annotation first"},
	} {
		r := test.edit()
		if said := r.stdout + r.stderr; r.err == nil || !strings.Contains(said, "denied the request: this edit by ") || !strings.Contains(said, test.reason) || !override.MatchString(said) {
			t.Errorf("%s: %v\n%s", test.name, r.err, said)
		}
	}
	if after := version(); after != before {
		t.Errorf("aws-auth changed from version %s to %s", before, after)
	}
	logged := func() bool {
		return strings.Contains(suite.AuthenticatorLog(t.Context()), "refused an edit")
	}
	eventually(t, watchDelay, "refusals in the log", logged)
}

// TestGuardOverride makes an edit in spite of its losses, once, and no other one.
func TestGuardOverride(t *testing.T) {
	role, otherRole := newRole(t, "GuardedAdmin"), newRole(t, "OtherNodes")
	admin, nodes := entryOf(role, "admin:{{SessionName}}", "system:masters"), entryOf(otherRole, "system:node:{{EC2PrivateDNSName}}", "system:nodes")
	setAWSAuth(t, map[string]string{"mapRoles": admin + nodes})
	s := withAuthenticator(newShell(t, awsCLIs(t)[0]))
	guardAWSAuth(t, s)

	refused := s.applyRoles(admin + lab.NodesMapping())
	annotation := override.FindString(refused.stderr)
	if refused.err == nil || annotation == "" {
		t.Fatalf("%v\n%s", refused.err, refused.stderr)
	}
	if other := s.applyRoles(lab.NodesMapping(), annotation); other.err == nil || !strings.Contains(other.stderr, "nobody would be left") {
		t.Errorf("another edit with that annotation: %v\n%s", other.err, other.stderr)
	}
	if made := s.applyRoles(admin+lab.NodesMapping(), annotation); made.err != nil || !strings.Contains(made.stderr, "Warning: made by the annotation") {
		t.Fatalf("%v\n%s", made.err, made.stderr)
	}
	if next := s.applyRoles(admin, annotation); next.err == nil || !strings.Contains(next.stderr, "role KubedemyNode") {
		t.Errorf("the next edit with that annotation: %v\n%s", next.err, next.stderr)
	}
	// authenticator map removes it.
	s.run(`authenticator map add role --rolearn ` + otherRole + ` --username 'system:node:{{EC2PrivateDNSName}}' --groups system:nodes`)
	if spent := s.run(`kubectl -n kube-system get configmap aws-auth -o jsonpath='{.metadata.annotations.authenticator\.kube-iam\.dev/override}'`); spent != "" {
		t.Errorf("authenticator map leaves the annotation %s", spent)
	}

	// authenticator map meets the guard too, and --force passes it.
	remove := "authenticator map remove " + otherRole + " --yes"
	if r := s.try(remove); r.err == nil || !strings.Contains(r.stderr, "role OtherNodes") || !strings.Contains(r.stderr, "--force makes the edit anyway") {
		t.Errorf("map: %v\n%s", r.err, r.stderr)
	}
	s.run(remove + " --force")
	if left := s.run("kubectl -n kube-system get configmap aws-auth -o jsonpath='{.data.mapRoles}'"); strings.Contains(left, "OtherNodes") {
		t.Errorf("--force left\n%s", left)
	}
}

// TestGuardWarns prints what lint finds, and lets a broken aws-auth be mended step by
// step.
func TestGuardWarns(t *testing.T) {
	role := newRole(t, "GuardedAdmin")
	admin := entryOf(role, "admin:{{SessionName}}", "system:masters")
	typo := entryOf("arn:aws:iam::2311449310:role/Typo", "typo", "people")
	setAWSAuth(t, map[string]string{"mapRoles": admin + typo + typo})
	s := newShell(t, awsCLIs(t)[0])
	guardAWSAuth(t, s)
	for _, step := range []struct{ roles, warning string }{
		{admin + typo + lab.NodesMapping(), "Warning: mapRoles line 4: "},
		{admin + admin + lab.NodesMapping(), "Warning: mapRoles line 1: the entry has no effect"},
	} {
		if r := s.applyRoles(step.roles); r.err != nil || !strings.Contains(r.stderr, step.warning) {
			t.Errorf("%v\n%s\nwant %q", r.err, r.stderr, step.warning)
		}
	}
}

// TestGuardIsHarmlessWhenDown edits aws-auth while the guard does not answer: every edit
// is made, within the guard's timeout of 3 s.
func TestGuardIsHarmlessWhenDown(t *testing.T) {
	const (
		timeout = 3 * time.Second
		slack   = 6 * time.Second // of a busy machine; with a webhook's default timeout, an edit takes 10 s
		hangs   = "it does not answer"
	)
	setAWSAuth(t, map[string]string{"mapRoles": entryOf("arn:aws:iam::231144931069:role/First", "first", "system:masters")})
	s := newShell(t, awsCLIs(t)[0])
	guardAWSAuth(t, s)
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts connections, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	client, err := suite.Kubernetes()
	if err != nil {
		t.Fatal(err)
	}
	configurations := client.AdmissionregistrationV1().ValidatingWebhookConfigurations()
	addresses := map[string]string{"nothing listens": "127.0.0.1:1"}
	if suite.Info().Provider == lab.Envtest { // a node of kind does not reach the listener
		addresses[hangs] = silent.Addr().String()
	}
	for name, address := range addresses {
		configuration, err := configurations.Get(t.Context(), "authenticator", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		url := "https://" + address + "/validate"
		configuration.Webhooks[0].ClientConfig.URL = &url
		if _, err := configurations.Update(t.Context(), configuration, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
		eventually(t, watchDelay, "without a guard", func() bool {
			return s.try("kubectl -n kube-system delete configmap aws-auth --dry-run=server").err == nil
		})
		for _, roles := range []string{"- rolearn: \"" + name, lab.NodesMapping()} {
			begin := time.Now()
			putAWSAuth(t, nil, map[string]string{"mapRoles": roles})
			took := time.Since(begin)
			if took > timeout+slack {
				t.Errorf("%s: an edit takes %s", name, took)
			}
			if name == hangs && took < timeout {
				t.Errorf("%s: an edit takes %s: the guard was not asked", name, took)
			}
		}
	}
}
