package access

import (
	"slices"
	"strings"

	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/rights"
)

// maxName is the length of the longest name, as for most objects of Kubernetes.
const maxName = 253

// grantCommand returns the command with which an administrator allows a user an action and
// nothing else; empty for all resources, which nobody should be given in passing.
func grantCommand(kubectl *kube.Kubectl, a rights.Action, username string) string {
	if a.Resource == "*" || a.Group == "*" {
		return ""
	}
	role, binding := "clusterrole", "clusterrolebinding"
	var namespace []string
	if a.Namespace != "" {
		role, binding = "role", "rolebinding"
		namespace = []string{"--namespace", a.Namespace}
	}
	rule := []string{"--verb", a.Verb, "--non-resource-url", a.Path}
	if a.Path == "" {
		rule = []string{"--verb", a.Verb, "--resource", resourceOf(a)}
	}
	if a.Name != "" {
		rule = append(rule, "--resource-name", a.Name)
	}
	name := nameOf(a, username)
	create := slices.Concat([]string{"create", role, name}, rule, namespace)
	bind := slices.Concat([]string{"create", binding, name, "--" + role, name, "--user", username}, namespace)
	return kubectl.Command(create...) + " && " + kubectl.Command(bind...)
}

// resourceOf returns the resource of an action as kubectl create role takes it.
func resourceOf(a rights.Action) string {
	text := a.Resource
	if a.Group != "" {
		text += "." + a.Group
	}
	if a.Subresource != "" {
		text += "/" + a.Subresource
	}
	return text
}

// nameOf returns a name for a role. It has no slash, and is no flag.
func nameOf(a rights.Action, username string) string {
	parts := []string{a.Verb, a.Resource, a.Subresource, a.Name, username}
	parts = slices.DeleteFunc(parts, func(part string) bool { return part == "" })
	name := strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune(":.@_", r) {
			return r
		}
		return '-'
	}, strings.Join(parts, "-"))
	name = strings.TrimLeft(name, "-")
	return name[:min(len(name), maxName)]
}
