package rights_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/kube-iam/authenticator/internal/rights"
)

// rule returns a rule of verbs, API groups between commas, and resources.
func rule(verbs, groups, resources string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{Verbs: strings.Fields(verbs), APIGroups: strings.Split(groups, ","), Resources: strings.Fields(resources)}
}

func pathRule(verbs, paths string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{Verbs: strings.Fields(verbs), NonResourceURLs: strings.Fields(paths)}
}

// binding returns a binding of a role, "ClusterRole NAME" or "Role NAME", to subjects:
// user:NAME, group:NAME or sa:NAMESPACE/NAME.
func binding(namespace, name, role string, to ...string) rights.Binding {
	kind, roleName, _ := strings.Cut(role, " ")
	b := rights.Binding{Namespace: namespace, Name: name, Role: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: kind, Name: roleName}}
	for _, text := range to {
		kind, name, _ := strings.Cut(text, ":")
		switch kind {
		case "user":
			b.Subjects = append(b.Subjects, rbacv1.Subject{Kind: rbacv1.UserKind, Name: name})
		case "group":
			b.Subjects = append(b.Subjects, rbacv1.Subject{Kind: rbacv1.GroupKind, Name: name})
		default:
			namespace, name, _ := strings.Cut(name, "/")
			b.Subjects = append(b.Subjects, rbacv1.Subject{Kind: rbacv1.ServiceAccountKind, Namespace: namespace, Name: name})
		}
	}
	return b
}

// example is the policy that most tests share.
func example() *rights.Policy {
	return rights.NewPolicy([]rights.Role{
		{Name: "view", Rules: []rbacv1.PolicyRule{rule("get list", "", "pods pods/log")}},
		{Name: "cluster-admin", Rules: []rbacv1.PolicyRule{rule("*", "*", "*"), pathRule("*", "*")}},
		{Name: "discovery", Rules: []rbacv1.PolicyRule{pathRule("get", "/healthz /api/*")}},
		{Namespace: "dev", Name: "edit", Rules: []rbacv1.PolicyRule{rule("*", "", "configmaps"), {
			Verbs: []string{"get"}, APIGroups: []string{""}, Resources: []string{"secrets"}, ResourceNames: []string{"tls"},
		}}},
	}, []rights.Binding{
		binding("", "viewers", "ClusterRole view", "user:other", "group:readers"),
		binding("", "gone", "ClusterRole deleted", "user:alice"),
		binding("", "discovery", "ClusterRole discovery", "group:system:authenticated"),
		binding("", "masters", "ClusterRole cluster-admin", "group:system:masters"),
		binding("dev", "editors", "Role edit", "user:alice", "group:readers"),
		binding("ops", "alice", "ClusterRole view", "user:alice"),
		binding("ops", "edit", "Role edit", "user:alice"), // dev has that Role, ops has not
		binding("ops", "robot", "ClusterRole view", "sa:/robot"),
	})
}

func TestOf(t *testing.T) {
	for _, test := range []struct {
		user rights.User
		want string
	}{
		{rights.User{Name: "nobody", Groups: []string{"system:authenticated"}}, "discovery"},
		{rights.User{Name: "nobody"}, ""},
		{rights.User{Name: "alice"}, "gone(missing) dev/editors ops/alice ops/edit(missing)"},
		{rights.User{Name: "bob", Groups: []string{"readers"}}, "viewers dev/editors"},
		{rights.User{Name: "readers", Groups: []string{"alice"}}, ""}, // a user is not a group
		{rights.User{Name: "system:serviceaccount:ops:robot"}, "ops/robot"},
		{rights.User{Name: "system:serviceaccount:dev:robot"}, ""},
	} {
		var got []string
		for _, grant := range example().Of(test.user) {
			got = append(got, nameOf(grant))
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%v: %s, want %s", test.user, got, test.want)
		}
	}
}

func nameOf(grant rights.Grant) string {
	if grant.Binding == nil {
		return "all"
	}
	name := strings.TrimPrefix(grant.Binding.Namespace+"/"+grant.Binding.Name, "/")
	if grant.Missing {
		name += "(missing)"
	}
	return name
}

func TestGranting(t *testing.T) {
	core := func(verb, resource, namespace string) rights.Action {
		return rights.Action{Verb: verb, Resource: resource, Namespace: namespace}
	}
	named := core("get", "secrets", "dev")
	named.Name = "tls"
	log := core("get", "pods", "ops")
	log.Subresource = "log"
	exec := core("get", "pods", "ops")
	exec.Subresource = "exec"
	for _, test := range []struct {
		action rights.Action
		want   string
	}{
		{core("get", "pods", ""), "masters viewers viewers ops/alice ops/robot"},
		{core("get", "pods", "ops"), "masters viewers viewers ops/alice ops/robot"},
		{core("get", "pods", "dev"), "masters viewers viewers"},
		{core("delete", "pods", "ops"), "masters"},
		{log, "masters viewers viewers ops/alice ops/robot"},
		{exec, "masters"},
		{named, "masters dev/editors dev/editors"},
		{core("get", "secrets", "dev"), "masters"},
		{core("escalate", "configmaps", "dev"), "masters dev/editors dev/editors"},
		{rights.Action{Verb: "get", Group: "apps", Resource: "pods"}, "masters"},
		{rights.Action{Verb: "get", Path: "/healthz"}, "discovery masters"},
		{rights.Action{Verb: "get", Path: "/api/v1"}, "discovery masters"},
		{rights.Action{Verb: "get", Path: "/apis"}, "masters"},
		{rights.Action{Verb: "post", Path: "/healthz"}, "masters"},
	} {
		var got []string
		for _, grant := range example().Granting(test.action) {
			got = append(got, nameOf(grant))
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: %s, want %s", test.action, got, test.want)
		}
	}
}

// TestRoleBindingDoesNotGrantPaths: RBAC asks ClusterRoleBindings alone about them.
func TestRoleBindingDoesNotGrantPaths(t *testing.T) {
	p := rights.NewPolicy([]rights.Role{{Name: "all", Rules: []rbacv1.PolicyRule{pathRule("*", "*")}}},
		[]rights.Binding{binding("dev", "b", "ClusterRole all", "user:alice")})
	if grants := p.Granting(rights.Action{Verb: "get", Path: "/healthz"}); len(grants) > 0 {
		t.Error(grants)
	}
}

func TestTargets(t *testing.T) {
	rule := rbacv1.PolicyRule{APIGroups: []string{"", "apps"}, Resources: []string{"pods", "x/log"}, ResourceNames: []string{"a"}, NonResourceURLs: []string{"/healthz"}}
	if got := fmt.Sprint(rights.Targets(rule)); got != "[/healthz pods/a pods.apps/a x/a/log x.apps/a/log]" {
		t.Error(got)
	}
	rule.ResourceNames = nil
	if got := rights.Targets(rule); !slices.Contains(got, "x.apps/log") || !slices.Contains(got, "pods") {
		t.Error(got)
	}
	all := rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}}
	if got := fmt.Sprint(rights.Targets(all)); got != "[*.*]" {
		t.Error(got)
	}
}
