// Package rights evaluates RBAC: what a user may do, and which mappings of AWS
// identities may do something. It knows RBAC alone: a cluster may have other
// authorizers, such as Node or a webhook, which allow more.
package rights

import (
	"cmp"
	"slices"
	"strings"

	rbacv1 "k8s.io/api/rbac/v1"
)

// The groups that the kube-apiserver itself gives a meaning.
const (
	// GroupMasters may do everything: the kube-apiserver does not ask RBAC.
	GroupMasters = "system:masters"
	// GroupAuthenticated has every user that has signed in.
	GroupAuthenticated = "system:authenticated"
)

// A Role is a Role, or a ClusterRole if its namespace is empty. The rules of an
// aggregated ClusterRole are those that the cluster has stored.
type Role struct {
	Namespace, Name string
	Rules           []rbacv1.PolicyRule
}

// A Binding is a RoleBinding, or a ClusterRoleBinding if its namespace is empty.
type Binding struct {
	Namespace, Name string
	Role            rbacv1.RoleRef
	Subjects        []rbacv1.Subject
}

// Kind returns the kind of the binding.
func (b *Binding) Kind() string {
	if b.Namespace == "" {
		return "ClusterRoleBinding"
	}
	return "RoleBinding"
}

// A User is a Kubernetes user that has signed in.
type User struct {
	Name string
	// Groups includes system:authenticated.
	Groups []string
}

// A Policy is the RBAC of a cluster. It is immutable.
type Policy struct {
	bindings []Binding
	roles    map[roleKey][]rbacv1.PolicyRule
}

// A roleKey names a role; the namespace of a ClusterRole is empty.
type roleKey struct{ namespace, name string }

// NewPolicy returns the policy of roles and bindings. It sorts and keeps the bindings.
func NewPolicy(roles []Role, bindings []Binding) *Policy {
	p := &Policy{bindings: bindings, roles: make(map[roleKey][]rbacv1.PolicyRule, len(roles))}
	for _, role := range roles {
		p.roles[roleKey{role.Namespace, role.Name}] = role.Rules
	}
	slices.SortFunc(p.bindings, func(a, b Binding) int {
		return cmp.Or(strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name))
	})
	return p
}

// A Grant is a binding that gives a user the rules of a role.
type Grant struct {
	Binding *Binding
	// Subject is the subject of the binding that is the user or one of its groups.
	Subject rbacv1.Subject
	// Rules are the rules of the role.
	Rules []rbacv1.PolicyRule
	// Missing is set if the role does not exist: then the binding grants nothing.
	Missing bool
}

// Of returns what a user is granted, cluster-wide grants first.
func (p *Policy) Of(user User) []Grant {
	var grants []Grant
	for i := range p.bindings {
		binding := &p.bindings[i]
		j := slices.IndexFunc(binding.Subjects, func(s rbacv1.Subject) bool { return user.is(s, binding.Namespace) })
		if j >= 0 {
			grants = append(grants, p.grant(binding, binding.Subjects[j]))
		}
	}
	return grants
}

func (p *Policy) grant(binding *Binding, subject rbacv1.Subject) Grant {
	key := roleKey{name: binding.Role.Name}
	if binding.Role.Kind == "Role" {
		key.namespace = binding.Namespace
	}
	rules, found := p.roles[key]
	return Grant{Binding: binding, Subject: subject, Rules: rules, Missing: !found}
}

// is reports whether a subject of a binding in a namespace is the user or one of its
// groups.
func (u User) is(subject rbacv1.Subject, namespace string) bool {
	if subject.Kind == rbacv1.GroupKind {
		return slices.Contains(u.Groups, subject.Name)
	}
	name, ok := username(subject, namespace)
	return ok && name == u.Name
}

// username returns the username of a subject that is not a group. RBAC knows a service
// account by its username, so a mapping to that username has its rights.
func username(subject rbacv1.Subject, namespace string) (string, bool) {
	switch subject.Kind {
	case rbacv1.UserKind:
		return subject.Name, true
	case rbacv1.ServiceAccountKind:
		namespace = cmp.Or(subject.Namespace, namespace)
		return "system:serviceaccount:" + namespace + ":" + subject.Name, namespace != ""
	}
	return "", false
}
