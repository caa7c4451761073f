package iam

import (
	"fmt"
	"iter"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

// An entity is what users, groups and roles have in common: a name and policies.
type entity struct {
	Name    string         `json:"name"`
	Path    string         `json:"path"`
	ID      string         `json:"id"`
	ARN     string         `json:"arn"`
	Created time.Time      `json:"created"`
	Tags    []tag          `json:"tags,omitempty"`
	Inline  inlinePolicies `json:"inlinePolicies,omitempty"`
	// Attached holds the ARNs of attached managed policies, in the order of their
	// attachment.
	Attached []string `json:"attachedPolicies,omitempty"`
	// Boundary is the ARN of the managed policy that is its permissions boundary;
	// empty without one. A group has none.
	Boundary string `json:"permissionsBoundary,omitempty"`
	// Accessed holds the last calls to each service. A group makes none.
	Accessed map[string]access `json:"accessed,omitempty"`
}

// A kind is a kind of entity. Code that is the same for all three uses it.
type kind struct {
	// name is User, Group or Role.
	name string
	// calls reports that the entity can call AWS, and so can have tags and a
	// permissions boundary; a group cannot.
	calls bool
	// maxInline bounds the length of all inline policies together, without white
	// space.
	maxInline int
	find      func(*call) (*entity, error)
	// resource returns the ARN that needs permission.
	resource func(*call) string
}

func kinds() []kind {
	return []kind{
		{"User", true, 2048, func(c *call) (*entity, error) {
			u, err := c.namedUser()
			if err != nil {
				return nil, err
			}
			return &u.entity, nil
		}, userResource},
		{"Group", false, 5120, func(c *call) (*entity, error) {
			g, err := c.group()
			if err != nil {
				return nil, err
			}
			return &g.entity, nil
		}, groupResource},
		{"Role", true, 10240, func(c *call) (*entity, error) {
			r, err := c.role()
			if err != nil {
				return nil, err
			}
			return &r.entity, nil
		}, roleResource},
	}
}

// operations returns the operations that every kind of entity has.
func (k kind) operations() map[string]operation {
	all := map[string]operation{}
	maps.Copy(all, inlinePolicyOperations(k))
	maps.Copy(all, attachmentOperations(k))
	if k.calls {
		maps.Copy(all, boundaryOperations(k))
		maps.Copy(all, tagOperations(k.name, k.name+"Name", k.resource, func(c *call) (*[]tag, error) {
			e, err := k.find(c)
			if err != nil {
				return nil, err
			}
			return &e.Tags, nil
		}))
	}
	return all
}

// entities returns all groups, users and roles, each with the name of its kind and
// each kind sorted by name.
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

// move renames an entity, the value under its name in all, to the new name and path
// that a call asks for. Noun is the name of its kind.
func move[T any](c *call, all map[string]T, e *entity, noun string, limit int) error {
	name, path := e.Name, e.Path
	if c.Has("New" + noun + "Name") {
		name = c.Get("New" + noun + "Name")
		if err := checkName("new"+noun+"Name", name, limit); err != nil {
			return err
		}
	}
	if c.Has("NewPath") {
		var err error
		if path, err = checkPath(c.Get("NewPath")); err != nil {
			return err
		}
	}
	// A move needs permission for the old name and for the new one.
	arn := strings.TrimSuffix(e.ARN, e.Path+e.Name) + path + name
	if err := c.Authorize(c.Action(), arn, nil); err != nil {
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

// deletable returns an error that names the policies to remove before deletion.
func (e *entity) deletable() error {
	switch {
	case len(e.Attached) > 0:
		return inUse("detach all policies")
	case len(e.Inline) > 0:
		return deleteConflict("policies")
	}
	return nil
}

// inUse returns the error for an entity that needs something done before deletion.
func inUse(remedy string) error {
	return newError(http.StatusConflict, "DeleteConflict", "Cannot delete entity, must "+remedy+" first.")
}

// inlinePolicies are the inline policies of one entity, sorted by name.
type inlinePolicies []inlinePolicy

type inlinePolicy struct {
	Name     string   `json:"name"`
	Document document `json:"document"`
}

func (l inlinePolicies) find(name string) (int, bool) {
	return slices.BinarySearchFunc(l, name, func(p inlinePolicy, name string) int { return strings.Compare(p.Name, name) })
}

// put adds a policy or replaces the one with its name; owner is for the error.
func (l *inlinePolicies) put(name string, document document, owner string, limit int) error {
	next := slices.Clone(*l)
	at, found := next.find(name)
	if found {
		next[at] = inlinePolicy{name, document}
	} else {
		next = slices.Insert(next, at, inlinePolicy{name, document})
	}
	size := 0
	for _, p := range next {
		size += lengthOf(p.Document.Text)
	}
	if size > limit {
		return limitExceeded(fmt.Sprintf("Maximum policy size of %d bytes exceeded for %s", limit, owner))
	}
	*l = next
	return nil
}

// lengthOf returns the length of a policy as quotas count it: without white space.
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

// inlinePolicyOperations returns the operations on the inline policies of a kind of
// entity.
func inlinePolicyOperations(k kind) map[string]operation {
	owner := k.name + "Name"
	// inline returns the index of the policy that a call names.
	inline := func(c *call, e *entity) (int, error) {
		name := c.Get("PolicyName")
		if err := checkName("policyName", name, 128); err != nil {
			return 0, err
		}
		at, found := e.Inline.find(name)
		if !found {
			return 0, noSuchEntity("The " + lower(k.name) + " policy with name " + name + " cannot be found.")
		}
		return at, nil
	}
	return map[string]operation{
		"Put" + k.name + "Policy": with(write(k.resource, func(c *call) (any, error) {
			e, err := k.find(c)
			if err != nil {
				return nil, err
			}
			if err := checkName("policyName", c.Get("PolicyName"), 128); err != nil {
				return nil, err
			}
			document, err := c.document("PolicyDocument", policy.Parse)
			if err != nil {
				return nil, err
			}
			return nil, e.Inline.put(c.Get("PolicyName"), document, lower(k.name)+" "+e.Name, k.maxInline)
		}, owner, "PolicyName", "PolicyDocument"), k.boundaryKey),
		"Get" + k.name + "Policy": read(k.resource, func(c *call) (any, error) {
			e, err := k.find(c)
			if err != nil {
				return nil, err
			}
			at, err := inline(c, e)
			if err != nil {
				return nil, err
			}
			return fields{element(owner, e.Name), element("PolicyName", e.Inline[at].Name), element("PolicyDocument", percentEncoded(e.Inline[at].Document.Text))}, nil
		}, owner, "PolicyName"),
		"List" + k.name + "Policies": read(k.resource, func(c *call) (any, error) {
			e, err := k.find(c)
			if err != nil {
				return nil, err
			}
			return paged(c, "PolicyNames", e.Inline.names())
		}, owner, "MaxItems", "Marker"),
		"Delete" + k.name + "Policy": with(write(k.resource, func(c *call) (any, error) {
			e, err := k.find(c)
			if err != nil {
				return nil, err
			}
			at, err := inline(c, e)
			if err != nil {
				return nil, err
			}
			e.Inline = slices.Delete(slices.Clone(e.Inline), at, at+1)
			return nil, nil
		}, owner, "PolicyName"), k.boundaryKey),
	}
}
