package rights

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/kube-iam/authenticator/internal/spelling"
)

// A Resource is a resource of an API server.
type Resource struct {
	Group, Name, Singular    string
	ShortNames, Subresources []string
	Namespaced               bool
}

// An UnknownResourceError means that the API server has no such resource.
type UnknownResourceError struct {
	Resource string
	// Nearest is the resource that was probably meant; empty if there is none.
	Nearest string
}

func (e *UnknownResourceError) Error() string {
	return fmt.Sprintf("the cluster has no resource %q", e.Resource)
}

// ParseAction returns the action of a verb on a target. The target is written as for
// kubectl auth can-i:
//
//	pods  po  deployments.apps  pods/web  /healthz
//
// and with a subresource as in a role: pods/log, or pods/web/log for one object. After
// one slash, the name of a subresource that the API server has means the subresource.
// The namespace is dropped where it has no meaning.
func ParseAction(verb, target, namespace string, known []Resource) (Action, error) {
	if verb == "" {
		return Action{}, fmt.Errorf("the verb is empty (expected a verb such as get, list or create)")
	}
	if strings.HasPrefix(target, "/") {
		return Action{Verb: verb, Path: target}, nil
	}
	parts := strings.Split(target, "/")
	if len(parts) > 3 || slices.Contains(parts, "") {
		return Action{}, fmt.Errorf("resource %q: expected RESOURCE[.GROUP][/NAME][/SUBRESOURCE] or a URL path that starts with /", target)
	}
	resource, err := find(parts[0], known)
	if err != nil {
		return Action{}, err
	}
	action := Action{Verb: verb, Group: resource.Group, Resource: resource.Name, Namespaced: resource.Namespaced}
	if resource.Namespaced {
		action.Namespace = namespace
	}
	switch {
	case len(parts) == 3:
		action.Name, action.Subresource = parts[1], parts[2]
	case len(parts) == 2 && (parts[1] == "*" || slices.Contains(resource.Subresources, parts[1])):
		action.Subresource = parts[1]
	case len(parts) == 2:
		action.Name = parts[1]
	}
	return action, nil
}

// version matches the version in a name such as deployments.v1.apps.
var version = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^v[0-9]+((alpha|beta)[0-9]+)?$`) })

// find returns the resource with a name, which is its plural, its singular or a short
// name, with or without its group.
func find(text string, known []Resource) (Resource, error) {
	name, group, hasGroup := strings.Cut(strings.ToLower(text), ".")
	if first, rest, _ := strings.Cut(group, "."); version().MatchString(first) {
		group = rest
	}
	if name == "*" {
		if !hasGroup {
			group = "*"
		}
		return Resource{Group: group, Name: "*", Namespaced: true}, nil
	}
	for _, is := range []func(r Resource) bool{
		func(r Resource) bool { return r.Name == name },
		func(r Resource) bool { return r.Singular == name },
		func(r Resource) bool { return slices.Contains(r.ShortNames, name) },
	} {
		i := slices.IndexFunc(known, func(r Resource) bool { return is(r) && (!hasGroup || r.Group == group) })
		if i >= 0 {
			return known[i], nil
		}
	}
	// RBAC also has rules for names that are not resources of an API.
	if !hasGroup && slices.Contains([]string{"users", "groups"}, name) {
		return Resource{Name: name}, nil
	}
	if hasGroup && slices.ContainsFunc([]string{"signers.certificates.k8s.io", "userextras.authentication.k8s.io", "uids.authentication.k8s.io"}, func(n string) bool { return n == name+"."+group }) {
		return Resource{Group: group, Name: name}, nil
	}
	return Resource{}, &UnknownResourceError{Resource: text, Nearest: spelling.Nearest(text, namesOf(known))}
}

func namesOf(known []Resource) []string {
	var names []string
	for _, r := range known {
		names = append(names, r.Name)
		if r.Group != "" {
			names = append(names, r.Name+"."+r.Group)
		}
	}
	return names
}
