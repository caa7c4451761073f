package localaws

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
)

// An entity is what users, groups and roles have in common: who they are, and
// the policies that say what they may do.
type entity struct {
	Name    string         `json:"name"`
	Path    string         `json:"path"`
	ID      string         `json:"id"`
	ARN     string         `json:"arn"`
	Created time.Time      `json:"created"`
	Tags    []tag          `json:"tags,omitempty"`
	Inline  inlinePolicies `json:"inlinePolicies,omitempty"`
	// Attached are the ARNs of managed policies, in the order in which they were
	// attached.
	Attached []string `json:"attachedPolicies,omitempty"`
	// Boundary is the ARN of the managed policy that bounds all others; empty
	// without one. A group has none.
	Boundary string `json:"permissionsBoundary,omitempty"`
}

// A kind of entity, as the names of operations and parameters have it: what goes
// for all three is written once.
type kind struct {
	// name is User, Group or Role.
	name string
	// maxInline is what the inline policies may be long in all, white space not
	// counted.
	maxInline int
	find      func(*parameters) (*entity, *Error)
	// resource is the ARN that a permission is asked for.
	resource func(*parameters) string
}

func kinds() []kind {
	return []kind{
		{"User", 2048, func(p *parameters) (*entity, *Error) {
			u, err := p.user()
			if err != nil {
				return nil, err
			}
			return &u.entity, nil
		}, userResource},
		{"Group", 5120, func(p *parameters) (*entity, *Error) {
			g, err := p.group()
			if err != nil {
				return nil, err
			}
			return &g.entity, nil
		}, groupResource},
		{"Role", 10240, func(p *parameters) (*entity, *Error) {
			r, err := p.role()
			if err != nil {
				return nil, err
			}
			return &r.entity, nil
		}, roleResource},
	}
}

// boundary is the permissions boundary that a call names: the ARN of a managed
// policy. It is empty without one.
func (p *parameters) boundary() (string, *Error) {
	arn := p.get("PermissionsBoundary")
	if arn != "" && p.policyDocument(arn) == nil {
		return "", noSuchEntity("Scope ARN: " + arn + " does not exist or is not attachable.")
	}
	return arn, nil
}

// inlinePolicies are part of one entity, sorted by name.
type inlinePolicies []inlinePolicy

type inlinePolicy struct {
	Name     string   `json:"name"`
	Document document `json:"document"`
}

func (l inlinePolicies) find(name string) (int, bool) {
	return slices.BinarySearchFunc(l, name, func(p inlinePolicy, name string) int { return strings.Compare(p.Name, name) })
}

// put adds a policy or replaces the one of its name; owner is for the error.
func (l *inlinePolicies) put(name, text, owner string, limit int) *Error {
	if err := checkName("policyName", name, 128); err != nil {
		return err
	}
	document, err := parseDocument(text)
	if err != nil {
		return err
	}
	next := slices.Clone(*l)
	at, found := next.find(name)
	if found {
		next[at] = inlinePolicy{name, document}
	} else {
		next = slices.Insert(next, at, inlinePolicy{name, document})
	}
	size := 0
	for _, p := range next {
		size += lengthOf(p.Document.text)
	}
	if size > limit {
		return limitExceeded(fmt.Sprintf("Maximum policy size of %d bytes exceeded for %s", limit, owner))
	}
	*l = next
	return nil
}

// lengthOf a policy as quotas count it: without white space.
func lengthOf(text string) (n int) {
	for _, c := range text {
		if !unicode.IsSpace(c) {
			n++
		}
	}
	return n
}

func (l inlinePolicies) names() []string {
	names := make([]string, len(l))
	for i, p := range l {
		names[i] = p.Name
	}
	return names
}

// inlinePolicyOperations are those of the inline policies of a kind of entity.
func inlinePolicyOperations(k kind) map[string]operation {
	owner := k.name + "Name"
	noSuchPolicy := func(name string) *Error {
		return noSuchEntity("The " + lower(k.name) + " policy with name " + name + " cannot be found.")
	}
	return map[string]operation{
		"Put" + k.name + "Policy": write(k.resource, func(_ *call, p *parameters) (any, *Error) {
			e, err := k.find(p)
			if err != nil {
				return nil, err
			}
			return nil, e.Inline.put(p.get("PolicyName"), p.get("PolicyDocument"), lower(k.name)+" "+e.Name, k.maxInline)
		}, owner, "PolicyName", "PolicyDocument"),
		"Get" + k.name + "Policy": read(k.resource, func(_ *call, p *parameters) (any, *Error) {
			e, err := k.find(p)
			if err != nil {
				return nil, err
			}
			at, found := e.Inline.find(p.get("PolicyName"))
			if !found {
				return nil, noSuchPolicy(p.get("PolicyName"))
			}
			return fields{{owner, e.Name}, {"PolicyName", e.Inline[at].Name}, {"PolicyDocument", percentEncoded(e.Inline[at].Document.text)}}, nil
		}, owner, "PolicyName"),
		"List" + k.name + "Policies": read(k.resource, func(_ *call, p *parameters) (any, *Error) {
			e, err := k.find(p)
			if err != nil {
				return nil, err
			}
			return paged(p, "PolicyNames", e.Inline.names())
		}, owner, "MaxItems", "Marker"),
		"Delete" + k.name + "Policy": write(k.resource, func(_ *call, p *parameters) (any, *Error) {
			e, err := k.find(p)
			if err != nil {
				return nil, err
			}
			at, found := e.Inline.find(p.get("PolicyName"))
			if !found {
				return nil, noSuchPolicy(p.get("PolicyName"))
			}
			e.Inline = slices.Delete(slices.Clone(e.Inline), at, at+1)
			return nil, nil
		}, owner, "PolicyName"),
	}
}
