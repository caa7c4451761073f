package lint_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-iam/authenticator/internal/lint"
)

// kubeconfig returns a kubeconfig with a user of a context with a cluster, whose exec
// stanza starts in line 9.
func kubeconfig(exec string) string {
	return `apiVersion: v1
kind: Config
contexts:
- {name: c, context: {cluster: "arn:aws:eks:eu-west-2:111122223333:cluster/prod", user: u}}
users:
- name: u
  user:
    exec:
      ` + strings.ReplaceAll(strings.TrimSpace(exec), "\n", "\n      ") + "\n"
}

func TestKubeconfig(t *testing.T) {
	const (
		v1beta1 = "apiVersion: client.authentication.k8s.io/v1beta1\n"
		profile = "\nenv: [{name: AWS_PROFILE, value: p}]"
	)
	for _, test := range []struct {
		name, exec string
		want       []string
		text       string // part of the message or fix of the first problem
	}{
		{"aws eks", v1beta1 + "command: aws\nargs: [--region, eu-west-2, eks, get-token, --cluster-name, prod]" + profile, nil, ""},
		{"aws eks of another version", v1beta1 + "command: /usr/bin/aws\nargs: [eks, get-token, --cluster-name=prod, --profile, p]", nil, ""},
		{"authenticator", "apiVersion: client.authentication.k8s.io/v1\ninteractiveMode: IfAvailable\ncommand: authenticator\nargs: [token, -i, prod, -r, '" + role + "A']", nil, ""},
		{"the ID in the environment", v1beta1 + "command: aws-iam-authenticator\nargs: [token]\nenv: [{name: KUBERNETES_AWS_AUTHENTICATOR_CLUSTER_ID, value: prod}, {name: AWS_PROFILE, value: p}]", nil, ""},
		{"the ID in a configuration file", v1beta1 + "command: authenticator\nargs: [token, -c, config.yaml]", nil, ""},
		{"another plugin", v1beta1 + "command: gke-gcloud-auth-plugin", nil, ""},

		{"v1alpha1", "apiVersion: client.authentication.k8s.io/v1alpha1\ncommand: x", []string{"9:19 error ExecAPIVersion"}, "write client.authentication.k8s.io/v1beta1"},
		{"no version", "command: x", []string{"9:7 error ExecAPIVersion"}, "add apiVersion"},
		{"an unknown version", "apiVersion: v1\ncommand: x", []string{"9:19 error ExecAPIVersion"}, `unknown apiVersion "v1"`},
		{"v1 without interactiveMode", "apiVersion: client.authentication.k8s.io/v1\ncommand: x", []string{"9:7 error ExecInteractiveMode"}, "add interactiveMode: IfAvailable"},
		{"an unknown interactiveMode", v1beta1 + "command: x\ninteractiveMode: yes", []string{"11:24 error ExecInteractiveMode"}, "supported: Never, IfAvailable, Always"},
		{"no command", v1beta1 + "args: [x]", []string{"9:7 error ExecCommand"}, "no command"},
		{"a command that is not installed", v1beta1 + "command: missing", []string{"10:16 warning ExecCommand"}, `"missing" was not found on this machine: no such command`},
		{"aws without get-token", v1beta1 + "command: aws\nargs: [eks]", []string{"9:7 error ExecCommand"}, "get-token"},
		{"authenticator without token", v1beta1 + "command: authenticator\nargs: [-i, prod]", []string{"9:7 error ExecCommand"}, "token"},
		{"an argument that is a number", v1beta1 + "command: x\nargs: [5]", []string{"11:14 error ExecNotText"}, "quotes"},
		{"a cluster ID that is a number", v1beta1 + "command: authenticator\nargs: [token, -i, 5]" + profile, []string{"11:25 error ExecNotText", "11:25 warning ExecOtherCluster"}, "quotes"},
		{"only the flag of the other plugin", v1beta1 + "command: aws\nargs: [eks, get-token, -i, prod]" + profile, []string{"11:30 error ExecFlag"}, "write --cluster-name"},
		{"no cluster", v1beta1 + "command: aws\nargs: [eks, get-token]" + profile, []string{"9:7 error ExecNoCluster"}, "add --cluster-name"},
		{"a flag without its value", v1beta1 + "command: aws\nargs: [eks, get-token, --cluster-name]" + profile, []string{"9:7 error ExecNoCluster"}, "add --cluster-name"},
		{"a flag instead of the value", v1beta1 + "command: authenticator\nargs: [token, -i, --token-only]" + profile, []string{"9:7 error ExecNoCluster"}, "add --cluster-id"},
		{"another cluster than the context's", v1beta1 + "command: aws\nargs: [eks, get-token, --cluster-name, dev]" + profile, []string{"11:46 warning ExecOtherCluster"}, "write prod"},
		{"the flag of the other plugin", v1beta1 + "command: aws\nargs: [eks, get-token, -i, prod, --cluster-name, prod]" + profile, []string{"11:30 error ExecFlag"}, "write --cluster-name"},
		{"the role's flag of the other plugin", v1beta1 + "command: aws\nargs: [eks, get-token, --cluster-name, prod, -r, x]" + profile, []string{"11:52 error ExecFlag"}, "write --role-arn"},
		{"aws's flag", v1beta1 + "command: authenticator\nargs: [token, --cluster-name, prod]" + profile, []string{"11:21 error ExecFlag"}, "write --cluster-id"},
		{"aws's flag of a role", v1beta1 + "command: aws-iam-authenticator\nargs: [token, -i, prod, --role-arn=x]" + profile, []string{"11:31 error ExecFlag"}, "write --role"},
		{"a user as role", v1beta1 + "command: authenticator\nargs: [token, -i, prod, -r, 'arn:aws:iam::111122223333:user/x']", []string{"11:35 error ExecRole"}, "not the ARN of a role"},
		{"a session as role", v1beta1 + "command: aws\nargs: [eks, get-token, --cluster-name, prod, --role-arn, 'arn:aws:sts::111122223333:assumed-role/x/y']", []string{"11:64 error ExecRole"}, "write arn:aws:iam::111122223333:role/x"},
		{"no profile", v1beta1 + "command: aws\nargs: [eks, get-token, --cluster-name, prod]", []string{"9:7 warning ExecNoProfile"}, "add AWS_PROFILE to env, or --profile to args"},
		{"a variable without a name", v1beta1 + "command: x\nenv: [{value: x}]", []string{"11:13 error ExecNotText"}, "no name"},
		{"a variable without a value", v1beta1 + "command: x\nenv: [{name: x}]", []string{"11:13 warning ExecNotText"}, "no value"},
		{"a variable that is a number", v1beta1 + "command: x\nenv: [{name: AWS_SECRET_ACCESS_KEY, value: 98765}]", []string{"11:50 error ExecNotText"}, "AWS_SECRET_ACCESS_KEY is not text"},
	} {
		t.Run(test.name, func(t *testing.T) {
			opts := options()
			opts.FindCommand = func(name string) error {
				if name == "missing" {
					return errors.New("no such command")
				}
				return nil
			}
			report := check(t, kubeconfig(test.exec), opts)
			if diff := cmp.Diff(test.want, places(report)); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
			if len(report.Problems) > 0 && !strings.Contains(report.Problems[0].String(), test.text) {
				t.Errorf("%s: want %q", report.Problems[0], test.text)
			}
			if text := (lint.Checked{Name: "x", Report: report}).Text(); strings.Contains(text, "98765") {
				t.Errorf("the secret is printed:\n%s", text)
			}
		})
	}
}

func TestKubeconfigOfAnotherCluster(t *testing.T) {
	const exec = "apiVersion: client.authentication.k8s.io/v1beta1\ncommand: authenticator\nargs: [token, -i, dev]\nenv: [{name: AWS_PROFILE, value: p}]"
	for id, want := range map[string][]string{
		"":    {"11:25 warning ExecOtherCluster"}, // the context names another one
		"dev": nil,
		"c":   {"11:25 error ExecOtherCluster"},
	} {
		opts := options()
		opts.ClusterID = id
		if diff := cmp.Diff(want, places(check(t, kubeconfig(exec), opts))); diff != "" {
			t.Errorf("cluster %q (-want +got)\n%s", id, diff)
		}
	}
}
