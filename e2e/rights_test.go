//go:build e2e

package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

const rightsRBAC = `
apiVersion: v1
kind: Namespace
metadata: {name: rights}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: deployer, namespace: rights}
rules:
- {apiGroups: [apps], resources: [deployments, deployments/scale], verbs: ["*"]}
- {apiGroups: [""], resources: [secrets], resourceNames: [tls], verbs: [get]}
- {apiGroups: [""], resources: [pods, "*/log"], verbs: [get, list]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: deployers, namespace: rights}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: deployer}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: deployers}
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: "team:alice"}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: rights-view}
rules:
- {apiGroups: ["", apps], resources: [pods, pods/log, nodes, secrets, deployments], verbs: [get, list]}
- {nonResourceURLs: ["/metrics*"], verbs: [get]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: rights-viewers}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: rights-view}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: viewer}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: rights-dangling}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: no-such-role}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: viewer}
`

const rightsMappings = `
- rolearn: arn:aws:iam::231144931069:role/Team
  username: team:{{SessionName}}
- rolearn: arn:aws:iam::231144931069:role/Deploy
  username: deploy
  groups: [deployers]
`

// TestRights compares what explain says about rights with the API server's answers.
func TestRights(t *testing.T) {
	caller := newUser(t, "rights-viewer")
	setAWSAuth(t, map[string]string{
		"mapRoles": rightsMappings,
		"mapUsers": `
- userarn: arn:aws:iam::231144931069:user/rights-viewer
  username: viewer
- userarn: arn:aws:iam::231144931069:user/rights-admin
  username: admin
  groups: [system:masters]
`,
	})
	s := newShell(t, awsCLIs(t)[0])
	kubectl := "kubectl --context administrator "
	s.write("rbac.yaml", rightsRBAC)
	s.run(kubectl + "apply -f rbac.yaml")
	t.Cleanup(func() { s.try(kubectl + "delete --wait=false -f rbac.yaml") })
	// RBAC follows its objects through a watch.
	eventually(t, watchDelay, "a viewer", func() bool { return s.try(kubectl+"auth can-i list pods -A --as viewer").err == nil })

	const account = "arn:aws:iam::231144931069:"
	explain := suite.Info().Authenticator + " explain --context administrator "
	for _, action := range []struct{ verb, ours, kubectl string }{
		{"get", "pods -n rights", "pods -n rights"},
		{"get", "pods -n default", "pods -n default"},
		{"list", "po -n rights", "po -n rights"},
		{"get", "pods/log -n rights", "pods -n rights --subresource log"},
		{"get", "pods/web/log -n rights", "pods/web -n rights --subresource log"},
		{"get", "pods/exec -n rights", "pods -n rights --subresource exec"},
		{"delete", "deployments.apps -n rights", "deployments.apps -n rights"},
		{"delete", "deployments", "deployments --all-namespaces"},
		{"update", "deployments/scale -n rights", "deployments -n rights --subresource scale"},
		{"get", "secrets -n rights", "secrets -n rights"},
		{"get", "secrets/tls -n rights", "secrets/tls -n rights"},
		{"list", "nodes", "nodes"},
		{"impersonate", "users", "users"},
		{"get", "/healthz", "/healthz"},
		{"get", "/metrics", "/metrics"},
	} {
		holders := s.who(explain + "-o json --who " + action.verb + " " + action.ours)
		for _, who := range []struct{ arn, session, as string }{
			{account + "user/rights-viewer", "", "--as viewer"},
			{account + "user/rights-admin", "", "--as admin --as-group system:masters"},
			{account + "role/Team", "alice", "--as team:alice"},
			{account + "role/Team", "mallory", "--as team:mallory"},
			{account + "role/Deploy", "ci", "--as deploy --as-group deployers"},
		} {
			name := who.as + " " + action.verb + " " + action.ours
			asked := s.try(kubectl + "auth can-i " + action.verb + " " + action.kubectl + " " + who.as + " --as-group system:authenticated")
			answer, _, _ := strings.Cut(strings.TrimSpace(asked.stdout), " ") // a reason may follow
			want := answer == "yes"
			if !want && answer != "no" {
				t.Fatalf("%s: kubectl printed %q, %q", name, asked.stdout, asked.stderr)
			}
			arn := "--arn " + who.arn
			if who.session != "" {
				arn += " --session " + who.session
			}
			if got := s.canI(explain + "-o json " + arn + " --can-i " + action.verb + " " + action.ours); got != want {
				t.Errorf("%s: --can-i says %v, kubectl %v", name, got, want)
			}
			if got := slices.ContainsFunc(holders, func(h holder) bool {
				// Without -n, there are holders for one namespace too.
				isPart := h.Grant != nil && h.Grant.Binding.Namespace != "" && !strings.Contains(action.ours, "-n ")
				return h.Who == who.arn && !isPart && (len(h.If) == 0 || h.If["SessionName"] == who.session)
			}); got != want {
				t.Errorf("%s: --who says %v, kubectl %v: %+v", name, got, want, holders)
			}
		}
	}

	shown := s.run(explain + "--rights --arn " + account + "user/rights-viewer")
	for _, want := range []string{"ClusterRoleBinding rights-viewers", "ClusterRole rights-view", "pods/log", "mapUsers line 2", "ClusterRole no-such-role does not exist"} {
		if !strings.Contains(shown, want) {
			t.Errorf("--rights does not show %q:\n%s", want, shown)
		}
	}
	if shown = s.run(explain + "--rights --arn " + account + "user/rights-admin"); !strings.Contains(shown, "system:masters may do everything") {
		t.Errorf("--rights of an administrator:\n%s", shown)
	}
	if shown = s.run(explain + "--who delete deployments.apps -n rights"); !strings.Contains(shown, "the session is alice") {
		t.Errorf("--who:\n%s", shown)
	}

	t.Run("the command that allows an action", func(t *testing.T) {
		t.Cleanup(func() { s.try(kubectl + "delete clusterrole,clusterrolebinding get-viewer delete-nodes-viewer") })
		for _, action := range []string{"delete secrets -n rights", "update deployments/scale -n rights", "delete pods/web -n rights", "get /debug/pprof", "delete nodes"} {
			typed := explain + "-o json --arn " + account + "user/rights-viewer --can-i " + action
			if s.canI(typed) {
				t.Fatalf("--can-i %s: it is allowed already", action)
			}
			var answer struct{ CanI struct{ Command string } }
			if err := json.Unmarshal([]byte(s.try(typed).stdout), &answer); err != nil {
				t.Fatal(err)
			}
			s.run(answer.CanI.Command)
			eventually(t, watchDelay, action, func() bool { return s.canI(typed) })
		}
	})

	t.Run("a caller who may not read RBAC", func(t *testing.T) {
		limited := signIn(t, "")
		caller.configure(limited)
		becomes(t, limited, "viewer")
		limited.write("aws-auth.yaml", "mapRoles:"+strings.ReplaceAll(rightsMappings, "\n", "\n  ")+"\n")
		deploy := suite.Info().Authenticator + " explain -f aws-auth.yaml --session ci --arn " + account + "role/Deploy "
		limited.fails(deploy+"--rights", "you may not list clusterroles.rbac.authorization.k8s.io")
		limited.fails(deploy+"--can-i get pods", "you may not create subjectaccessreviews.authorization.k8s.io")
	})
}

// canI runs a command with --can-i and returns the answer.
func (s *shell) canI(typed string) bool {
	s.t.Helper()
	var answer struct{ CanI *struct{ Allowed bool } }
	r := s.try(typed)
	if err := json.Unmarshal([]byte(r.stdout), &answer); err != nil || answer.CanI == nil {
		s.t.Fatalf("$ %s\n%s%s\n%v", typed, r.stdout, r.stderr, err)
	}
	if (r.err == nil) != answer.CanI.Allowed {
		s.t.Errorf("$ %s\nexits with %v and answers %v", typed, r.err, answer.CanI.Allowed)
	}
	return answer.CanI.Allowed
}

// A holder is a mapping in the answer of --who.
type holder struct {
	Who   string
	If    map[string]string
	Grant *struct{ Binding struct{ Namespace string } }
}

// who runs a command with --who and returns the answer.
func (s *shell) who(typed string) []holder {
	s.t.Helper()
	var answer struct{ Holders []holder }
	s.decode(typed, &answer)
	return answer.Holders
}
