package access

import (
	"testing"

	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/rights"
)

// TestGrantCommand checks the command that allows an action. TestRights in e2e runs it.
func TestGrantCommand(t *testing.T) {
	t.Parallel()
	kubectl := &kube.Kubectl{Context: "my cluster"}
	for name, test := range map[string]struct {
		action   rights.Action
		username string
		want     string
	}{
		"in a namespace": {
			rights.Action{Verb: "get", Resource: "pods", Subresource: "log", Name: "web", Namespaced: true, Namespace: "dev"}, "bob",
			"kubectl --context 'my cluster' create role get-pods-log-web-bob --verb get --resource pods/log --resource-name web --namespace dev && " +
				"kubectl --context 'my cluster' create rolebinding get-pods-log-web-bob --role get-pods-log-web-bob --user bob --namespace dev",
		},
		"in all namespaces": {
			rights.Action{Verb: "list", Group: "apps", Resource: "deployments", Namespaced: true}, "arn:aws:iam::111122223333:user/bob",
			"kubectl --context 'my cluster' create clusterrole list-deployments-arn:aws:iam::111122223333:user-bob --verb list --resource deployments.apps && " +
				"kubectl --context 'my cluster' create clusterrolebinding list-deployments-arn:aws:iam::111122223333:user-bob --clusterrole list-deployments-arn:aws:iam::111122223333:user-bob --user arn:aws:iam::111122223333:user/bob",
		},
		"a path": {
			rights.Action{Verb: "get", Path: "/metrics"}, "$(id)",
			"kubectl --context 'my cluster' create clusterrole get---id- --verb get --non-resource-url /metrics && " +
				"kubectl --context 'my cluster' create clusterrolebinding get---id- --clusterrole get---id- --user '$(id)'",
		},
		"every verb": {
			rights.Action{Verb: "*", Resource: "nodes"}, "bob",
			"kubectl --context 'my cluster' create clusterrole nodes-bob --verb '*' --resource nodes && " +
				"kubectl --context 'my cluster' create clusterrolebinding nodes-bob --clusterrole nodes-bob --user bob",
		},
		"everything": {rights.Action{Verb: "*", Resource: "*"}, "bob", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := grantCommand(kubectl, test.action, test.username); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}
