package localaws

import (
	"fmt"
	"iter"
	"maps"
	"net/http"
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
	// calls AWS, and so can have tags and a permissions boundary; a group does not.
	calls bool
	// maxInline is what the inline policies may be long in all, white space not
	// counted.
	maxInline int
	find      func(*parameters) (*entity, *Error)
	// resource is the ARN that a permission is asked for.
	resource func(*parameters) string
}

func kinds() []kind {
	return []kind{
		{"User", true, 2048, func(p *parameters) (*entity, *Error) {
			u, err := p.namedUser()
			if err != nil {
				return nil, err
			}
			return &u.entity, nil
		}, userResource},
		{"Group", false, 5120, func(p *parameters) (*entity, *Error) {
			g, err := p.group()
			if err != nil {
				return nil, err
			}
			return &g.entity, nil
		}, groupResource},
		{"Role", true, 10240, func(p *parameters) (*entity, *Error) {
			r, err := p.role()
			if err != nil {
				return nil, err
			}
			return &r.entity, nil
		}, roleResource},
	}
}

// operations that all entities of the kind have.
func (k kind) operations() map[string]operation {
	all := map[string]operation{}
	maps.Copy(all, inlinePolicyOperations(k))
	maps.Copy(all, attachmentOperations(k))
	if k.calls {
		maps.Copy(all, boundaryOperations(k))
		maps.Copy(all, tagOperations(k.name, k.name+"Name", k.resource, func(p *parameters) (*[]tag, *Error) {
			e, err := k.find(p)
			if err != nil {
				return nil, err
			}
			return &e.Tags, nil
		}))
	}
	return all
}

// entities are all groups, users and roles, each with the name of its kind; each
// kind is sorted by name.
func (s *state) entities() iter.Seq2[string, *entity] {
	return func(yield func(string, *entity) bool) {
		for _, name := range slices.Sorted(maps.Keys(s.Groups)) {
			if !yield("Group", &s.Groups[name].entity) {
				return
			}
		}
		for _, name := range slices.Sorted(maps.Keys(s.Users)) {
			if !yield("User", &s.Users[name].entity) {
				return
			}
		}
		for _, name := range slices.Sorted(maps.Keys(s.Roles)) {
			if !yield("Role", &s.Roles[name].entity) {
				return
			}
		}
	}
}

// move gives an entity, which is the value of all under its name, the new name and
// the new path that a call asks for. Noun is that of the entity's kind.
func move[T any](p *parameters, all map[string]T, e *entity, noun string, limit int) *Error {
	name, path := e.Name, e.Path
	if p.has("New" + noun + "Name") {
		name = p.get("New" + noun + "Name")
		if err := checkName("new"+noun+"Name", name, limit); err != nil {
			return err
		}
	}
	if p.has("NewPath") {
		var err *Error
		if path, err = checkPath(p.get("NewPath")); err != nil {
			return err
		}
	}
	// Whoever moves it needs the permission for where it is and for where it goes.
	arn := p.arn("iam", "", lower(noun)+path+name)
	if err := p.authorize(p.operation, arn, nil); err != nil {
		return err
	}
	moved, was, is := all[lower(e.Name)], lower(e.Name), lower(name)
	if _, taken := all[is]; taken && is != was {
		return alreadyExists(noun + " with name " + name + " already exists.")
	}
	delete(all, was)
	e.Name, e.Path, e.ARN = name, path, arn
	all[is] = moved
	return nil
}

// deletable says which policies must go before the entity can.
func (e *entity) deletable() *Error {
	switch {
	case len(e.Attached) > 0:
		return inUse("detach all policies")
	case len(e.Inline) > 0:
		return deleteConflict("policies")
	}
	return nil
}

// inUse says what must be done before an entity is deleted.
func inUse(remedy string) *Error {
	return newError(http.StatusConflict, "DeleteConflict", "Cannot delete entity, must "+remedy+" first.")
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
func (l *inlinePolicies) put(name string, document document, owner string, limit int) *Error {
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
			if err := checkName("policyName", p.get("PolicyName"), 128); err != nil {
				return nil, err
			}
			document, err := p.document("PolicyDocument")
			if err != nil {
				return nil, err
			}
			return nil, e.Inline.put(p.get("PolicyName"), document, lower(k.name)+" "+e.Name, k.maxInline)
		}, owner, "PolicyName", "PolicyDocument").with(k.boundaryKey),
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
		}, owner, "PolicyName").with(k.boundaryKey),
	}
}
