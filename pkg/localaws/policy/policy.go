// Package policy evaluates IAM policies: identity policies, and the trust
// policies of roles.
//
// What it does not understand it refuses to parse, so that nothing is allowed
// by a condition that nobody checked.
package policy

import (
	"maps"
	"slices"
	"strings"
)

// Decision about a request.
type Decision int

// An explicit deny beats an allow; without either, the answer is no.
const (
	ImplicitDeny Decision = iota
	ExplicitDeny
	Allow
)

// String is the decision in AWS's words.
func (d Decision) String() string {
	switch d {
	case Allow:
		return "allowed"
	case ExplicitDeny:
		return "explicitDeny"
	default:
		return "implicitDeny"
	}
}

// Request is what a caller wants to do.
type Request struct {
	// Action is service:Operation, Resource an ARN.
	Action, Resource string
	// Principal that asks; trust policies alone look at it.
	Principal Principal
	// Context holds the condition keys and their values, keys in lower case.
	Context map[string][]string
}

// Principal is who asks.
type Principal struct {
	// AccountID of the principal.
	AccountID string
	// ARNs by which policies may name it: its own, and for a session its role's.
	ARNs []string
	// Service that asks, such as ec2.amazonaws.com; empty for all others.
	Service string
	// Federated is the identity provider that vouches for who asks, by its ARN or
	// name; empty for all others.
	Federated string
}

// Document is a parsed policy.
type Document struct{ statements []statement }

// A statement allows or denies.
type statement struct {
	sid        string
	deny       bool
	principals *principals // nil in an identity policy
	actions    patterns
	resources  patterns
	conditions []condition
}

// patterns match, or if negated match all else.
type patterns struct {
	list    []string
	negated bool
}

// Evaluate decides about a request by all the policies that apply to it.
func Evaluate(request Request, documents ...*Document) Decision {
	decision := ImplicitDeny
	for _, document := range documents {
		for _, s := range document.statements {
			if !s.applies(request) {
				continue
			}
			if s.deny {
				return ExplicitDeny
			}
			decision = Allow
		}
	}
	return decision
}

// Policies are all that decide what a caller may do in its own account.
type Policies struct {
	// Identity policies: the caller's own, and those of its groups.
	Identity []*Document
	// Boundary bounds what Identity can allow. Nil means that nothing does.
	Boundary *Document
	// Session policies bound a session. Nil means that nothing does.
	Session []*Document
}

// Kind of policy, in AWS's words.
type Kind string

// The kinds of policy that a denial can be blamed on.
const (
	IdentityPolicy      Kind = "identity-based policy"
	PermissionsBoundary Kind = "permissions boundary"
	SessionPolicy       Kind = "session policy"
)

// Article is the kind with its article: an identity-based policy.
func (k Kind) Article() string {
	if k == IdentityPolicy {
		return "an " + string(k)
	}
	return "a " + string(k)
}

// Verdict is a decision and, unless it is Allow, the kind of policy by which it
// was made: one that denies, or one that is silent.
type Verdict struct {
	Decision Decision
	By       Kind
}

// ofKind are the policies of one kind.
type ofKind struct {
	kind      Kind
	documents []*Document
}

// Authorize decides about a request by the caller's policies: every kind there
// is must allow it, and none may deny it.
func Authorize(request Request, policies Policies) Verdict {
	kinds := []ofKind{{IdentityPolicy, policies.Identity}}
	if policies.Boundary != nil {
		kinds = append(kinds, ofKind{PermissionsBoundary, []*Document{policies.Boundary}})
	}
	if policies.Session != nil {
		kinds = append(kinds, ofKind{SessionPolicy, policies.Session})
	}
	verdict := Verdict{Decision: Allow}
	for _, k := range kinds {
		switch Evaluate(request, k.documents...) {
		case ExplicitDeny:
			return Verdict{ExplicitDeny, k.kind}
		case ImplicitDeny:
			if verdict.Decision == Allow {
				verdict = Verdict{ImplicitDeny, k.kind}
			}
		}
	}
	return verdict
}

// A Statement is one of a document's, told apart by its place; its Sid may be
// empty.
type Statement struct {
	Sid  string
	Deny bool
	// Index of the statement in its document, from 0.
	Index int
}

// Matching are the statements that decide about a request, in their order.
func (d *Document) Matching(r Request) []Statement {
	var matching []Statement
	for i := range d.statements {
		if s := &d.statements[i]; s.applies(r) {
			matching = append(matching, Statement{s.sid, s.deny, i})
		}
	}
	return matching
}

// ContextKeys are the keys that the conditions and the variables of the policy
// name, sorted, and spelt as the policy spells them.
func (d *Document) ContextKeys() []string {
	spelling := map[string]string{}
	add := func(name string) {
		if key := strings.ToLower(name); spelling[key] == "" {
			spelling[key] = name
		}
	}
	for _, s := range d.statements {
		for _, resource := range s.resources.list {
			variables(resource, add)
		}
		for _, c := range s.conditions {
			add(c.name)
			for _, value := range c.values {
				variables(value, add)
			}
		}
	}
	return slices.SortedFunc(maps.Values(spelling), func(a, b string) int {
		return strings.Compare(strings.ToLower(a), strings.ToLower(b))
	})
}

// variables are handed the names of the policy variables in a pattern.
func variables(pattern string, found func(name string)) {
	for {
		_, after, ok := strings.Cut(pattern, "${")
		if !ok {
			return
		}
		name, rest, closed := strings.Cut(after, "}")
		if closed && name != "*" && name != "?" && name != "$" {
			found(name)
		}
		pattern = rest
	}
}

func (s *statement) applies(r Request) bool {
	if s.principals != nil && !s.principals.match(r.Principal) {
		return false
	}
	if !s.actions.match(r.Action, true, r.Context) || !s.resources.match(r.Resource, false, r.Context) {
		return false
	}
	for _, condition := range s.conditions {
		if !condition.holds(r.Context) {
			return false
		}
	}
	return true
}

func (p patterns) match(text string, foldCase bool, context map[string][]string) bool {
	for _, pattern := range p.list {
		pattern, ok := substitute(pattern, context)
		if !ok && p.negated {
			return false // "all but nobody knows what" is nothing
		}
		if !ok {
			continue
		}
		if foldCase {
			pattern, text = strings.ToLower(pattern), strings.ToLower(text)
		}
		if wildcard(pattern, text) {
			return !p.negated
		}
	}
	return p.negated
}

// literal marks the characters * and ? that a variable brought: they stand for
// themselves.
const literal = '\x00'

// substitute puts the values of policy variables, like ${aws:username}, into a
// pattern. A variable that has no single value makes the pattern match nothing.
func substitute(pattern string, context map[string][]string) (string, bool) {
	if !strings.Contains(pattern, "${") {
		return pattern, true
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(pattern, "${")
		b.WriteString(before)
		if !found {
			return b.String(), true
		}
		name, rest, closed := strings.Cut(after, "}")
		if !closed {
			return "", false
		}
		var value string
		switch name {
		case "*", "?", "$":
			value = name
		default:
			values := context[strings.ToLower(name)]
			if len(values) != 1 {
				return "", false
			}
			value = values[0]
		}
		for _, c := range value {
			if c == '*' || c == '?' {
				b.WriteRune(literal)
			}
			b.WriteRune(c)
		}
		pattern = rest
	}
}

// wildcard matches * (any run of characters) and ? (any one), in linear space
// and without recursion: policies come from users.
func wildcard(pattern, text string) bool {
	p, t := 0, 0
	star, mark := -1, 0
	for t < len(text) {
		switch {
		case p+1 < len(pattern) && pattern[p] == literal && pattern[p+1] == text[t]:
			p, t = p+2, t+1
		case p < len(pattern) && pattern[p] == '*':
			star, mark = p, t
			p++
		case p < len(pattern) && pattern[p] != literal && (pattern[p] == '?' || pattern[p] == text[t]):
			p, t = p+1, t+1
		case star >= 0:
			mark++
			p, t = star+1, mark
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
