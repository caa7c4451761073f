package rights

import (
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/component-helpers/auth/rbac/validation"
)

// An Action is what somebody wants to do: a verb on objects of a resource, or on a URL
// path that is not one of a resource.
type Action struct {
	Verb string
	// Path is the path of a URL such as /healthz; then the fields below are empty.
	Path string

	Group, Resource, Subresource string
	// Name is the name of one object; empty means all objects.
	Name string
	// Namespaced is set if the objects are in namespaces. Namespace is theirs; empty
	// means all namespaces.
	Namespaced bool
	Namespace  string
}

// String returns the action as kubectl auth can-i writes it.
func (a Action) String() string {
	if a.Path != "" {
		return a.Verb + " " + a.Path
	}
	text := a.Verb + " " + a.Resource
	if a.Group != "" {
		text += "." + a.Group
	}
	if a.Name != "" {
		text += "/" + a.Name
	}
	if a.Subresource != "" {
		text += "/" + a.Subresource
	}
	switch {
	case a.Namespace != "":
		return text + " in namespace " + a.Namespace
	case a.Namespaced:
		return text + " in all namespaces"
	default:
		return text
	}
}

// rule returns the rule that allows the action and nothing else.
func (a Action) rule() rbacv1.PolicyRule {
	rule := rbacv1.PolicyRule{Verbs: []string{a.Verb}}
	if a.Path != "" {
		rule.NonResourceURLs = []string{a.Path}
		return rule
	}
	rule.APIGroups = []string{a.Group}
	rule.Resources = []string{a.Resource}
	if a.Subresource != "" {
		rule.Resources[0] += "/" + a.Subresource
	}
	if a.Name != "" {
		rule.ResourceNames = []string{a.Name}
	}
	return rule
}

// Allows reports whether a grant allows an action.
func (g Grant) Allows(a Action) bool {
	if g.Binding.Namespace != "" && (a.Path != "" || a.Namespace != g.Binding.Namespace) {
		return false
	}
	return allows(g.Rules, a)
}

func allows(rules []rbacv1.PolicyRule, a Action) bool {
	covered, _ := validation.Covers(rules, []rbacv1.PolicyRule{a.rule()})
	return covered
}

// Granting returns the grants that allow an action, one for each subject of a binding.
// Without a namespace, it also returns those that allow the action in one namespace.
func (p *Policy) Granting(a Action) []Grant {
	var grants []Grant
	for i := range p.bindings {
		binding := &p.bindings[i]
		here := a
		if here.Namespace == "" {
			here.Namespace = binding.Namespace
		}
		grant := p.grant(binding, rbacv1.Subject{})
		if !grant.Allows(here) {
			continue
		}
		for _, subject := range binding.Subjects {
			grant.Subject = subject
			grants = append(grants, grant)
		}
	}
	return slices.Clip(grants)
}

// Targets returns what a rule is about, each as kubectl writes it: pods,
// deployments.apps, pods/log, secrets/NAME or /healthz. An asterisk means all.
func Targets(rule rbacv1.PolicyRule) []string {
	targets := slices.Clone(rule.NonResourceURLs)
	for _, resource := range rule.Resources {
		for _, group := range rule.APIGroups {
			target, subresource, _ := strings.Cut(resource, "/")
			if group != "" {
				target += "." + group
			}
			if subresource != "" {
				subresource = "/" + subresource
			}
			if len(rule.ResourceNames) == 0 {
				targets = append(targets, target+subresource)
			}
			for _, name := range rule.ResourceNames {
				targets = append(targets, target+"/"+name+subresource)
			}
		}
	}
	return targets
}
