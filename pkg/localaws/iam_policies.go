package localaws

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode"

	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// What the inline policies of a user or role may be long in all, white space
// not counted.
const (
	maxUserPolicies = 2048
	maxRolePolicies = 10240
)

// inlinePolicies are part of one user or role, sorted by name.
type inlinePolicies []inlinePolicy

type inlinePolicy struct {
	name, text string
	document   *policy.Document
}

func (l inlinePolicies) documents() []*policy.Document {
	documents := make([]*policy.Document, len(l))
	for i, p := range l {
		documents[i] = p.document
	}
	return documents
}

func (l inlinePolicies) find(name string) (int, bool) {
	return slices.BinarySearchFunc(l, name, func(p inlinePolicy, name string) int { return strings.Compare(p.name, name) })
}

// put adds a policy or replaces the one of its name; owner is for the error.
func (l *inlinePolicies) put(name, text, owner string, limit int) *Error {
	if err := checkName("policyName", name, 128); err != nil {
		return err
	}
	document, err := policy.Parse([]byte(text))
	if err != nil {
		return malformedPolicy(err)
	}
	next := slices.Clone(*l)
	at, found := next.find(name)
	if found {
		next[at] = inlinePolicy{name, text, document}
	} else {
		next = slices.Insert(next, at, inlinePolicy{name, text, document})
	}
	size := 0
	for _, p := range next {
		for _, c := range p.text {
			if !unicode.IsSpace(c) {
				size++
			}
		}
	}
	if size > limit {
		return newError(http.StatusConflict, "LimitExceeded", fmt.Sprintf("Maximum policy size of %d bytes exceeded for %s", limit, owner))
	}
	*l = next
	return nil
}

func (l inlinePolicies) names() []string {
	names := make([]string, len(l))
	for i, p := range l {
		names[i] = p.name
	}
	return names
}

// remove a policy; kind is "user" or "role", for the error.
func (l *inlinePolicies) remove(name, kind string) *Error {
	at, found := l.find(name)
	if !found {
		return noSuchPolicy(name, kind)
	}
	*l = slices.Delete(slices.Clone(*l), at, at+1)
	return nil
}

func noSuchPolicy(name, kind string) *Error {
	return newError(http.StatusNotFound, "NoSuchEntity", "The "+kind+" policy with name "+name+" cannot be found.")
}

func putUserPolicy(_ *call, p *parameters) (any, *Error) {
	u, err := p.user()
	if err != nil {
		return nil, err
	}
	return nil, u.policies.put(p.get("PolicyName"), p.get("PolicyDocument"), "user "+u.name, maxUserPolicies)
}

func putRolePolicy(_ *call, p *parameters) (any, *Error) {
	r, err := p.role()
	if err != nil {
		return nil, err
	}
	return nil, r.policies.put(p.get("PolicyName"), p.get("PolicyDocument"), "role "+r.name, maxRolePolicies)
}

func getUserPolicy(_ *call, p *parameters) (any, *Error) {
	u, err := p.user()
	if err != nil {
		return nil, err
	}
	at, found := u.policies.find(p.get("PolicyName"))
	if !found {
		return nil, noSuchPolicy(p.get("PolicyName"), "user")
	}
	return struct{ UserName, PolicyName, PolicyDocument string }{u.name, u.policies[at].name, percentEncoded(u.policies[at].text)}, nil
}

func getRolePolicy(_ *call, p *parameters) (any, *Error) {
	r, err := p.role()
	if err != nil {
		return nil, err
	}
	at, found := r.policies.find(p.get("PolicyName"))
	if !found {
		return nil, noSuchPolicy(p.get("PolicyName"), "role")
	}
	return struct{ RoleName, PolicyName, PolicyDocument string }{r.name, r.policies[at].name, percentEncoded(r.policies[at].text)}, nil
}

func listUserPolicies(_ *call, p *parameters) (any, *Error) {
	u, err := p.user()
	if err != nil {
		return nil, err
	}
	return policyNames(p, u.policies)
}

func listRolePolicies(_ *call, p *parameters) (any, *Error) {
	r, err := p.role()
	if err != nil {
		return nil, err
	}
	return policyNames(p, r.policies)
}

func policyNames(p *parameters, policies inlinePolicies) (any, *Error) {
	items, truncated, marker, err := page(p, policies.names())
	return struct {
		PolicyNames members[string]
		IsTruncated bool
		Marker      string `xml:",omitempty"`
	}{members[string]{items}, truncated, marker}, err
}

func deleteUserPolicy(_ *call, p *parameters) (any, *Error) {
	u, err := p.user()
	if err != nil {
		return nil, err
	}
	return nil, u.policies.remove(p.get("PolicyName"), "user")
}

func deleteRolePolicy(_ *call, p *parameters) (any, *Error) {
	r, err := p.role()
	if err != nil {
		return nil, err
	}
	return nil, r.policies.remove(p.get("PolicyName"), "role")
}
