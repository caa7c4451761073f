// Package policy evaluates IAM policies: identity policies and those that limit them,
// the trust policies of roles, and the policies of other resources.
//
// It refuses to parse what it does not support, so that an unchecked condition
// never allows anything.
package policy

import (
	"maps"
	"slices"
	"strings"
)

// Decision is the result of evaluating a request.
type Decision int

// An explicit deny overrides an allow; without either, the result is a deny.
const (
	ImplicitDeny Decision = iota
	ExplicitDeny
	Allow
)

// String returns AWS's name of the decision.
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

// Request describes what a caller wants to do.
type Request struct {
	// Action is service:Operation, Resource an ARN.
	Action, Resource string
	// Principal is the caller; only resource policies use it.
	Principal Principal
	// Account is the ID of the account that owns the resource; empty for the caller's
	// own.
	Account string
	// Context holds the condition keys and their values, keys in lower case.
	Context map[string][]string
}

// crossesAccounts reports that the resource belongs to another account than the
// caller. Services and federated callers belong to none.
func (r *Request) crossesAccounts() bool {
	who := &r.Principal
	return r.Account != "" && r.Account != who.AccountID && who.Service == "" && who.Federated == ""
}

// Document is a parsed policy.
type Document struct {
	// kind is the kind of a resource policy, for denials; empty for others, which
	// can serve as several kinds.
	kind       Kind
	statements []statement
}

// A statement allows or denies.
type statement struct {
	sid        string
	start, end Position
	deny       bool
	principals *principals // nil in an identity policy
	actions    patterns
	resources  patterns
	conditions []condition
}

// patterns match, or do not match if negated.
type patterns struct {
	list    []text
	negated bool
}

// Evaluate evaluates a request with all the policies that apply to it.
func Evaluate(request Request, documents ...*Document) Decision {
	decision := ImplicitDeny
	for _, document := range documents {
		for i := range document.statements {
			s := &document.statements[i]
			if !s.deny && decision == Allow || !s.applies(&request) {
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

// A Statement is a statement of a document, identified by its index; its Sid may be
// empty.
type Statement struct {
	Sid  string
	Deny bool
	// Index of the statement in its document, from 0.
	Index int
	// Start and End are where AWS says that the statement is: Start is right behind
	// what precedes it, End behind its last brace.
	Start, End Position
}

// A Position is a place in the text of a document. Lines and columns, in characters,
// count from 1.
type Position struct{ Line, Column int }

// Len returns the number of statements.
func (d *Document) Len() int { return len(d.statements) }

// Grants reports whether a statement allows an action of a service, such as "s3",
// whatever its resources and conditions.
func (d *Document) Grants(service string) bool {
	service = strings.ToLower(service)
	every := func(action text) bool { return action.literal == "*" || action.literal == service+":*" }
	some := func(action text) bool { return every(action) || strings.HasPrefix(action.literal, service+":") }
	return slices.ContainsFunc(d.statements, func(s statement) bool {
		if s.actions.negated {
			return !s.deny && !slices.ContainsFunc(s.actions.list, every)
		}
		return !s.deny && slices.ContainsFunc(s.actions.list, some)
	})
}

// Services returns the services that allowed actions name, in lower case. "*" and
// NotAction name none.
func (d *Document) Services() []string {
	var services []string
	for _, s := range d.statements {
		for _, action := range s.actions.list {
			if service, _, named := strings.Cut(action.literal, ":"); named && !s.deny && !s.actions.negated {
				services = append(services, service)
			}
		}
	}
	slices.Sort(services)
	return slices.Compact(services)
}

// Matching returns the statements that match a request, in their order.
func (d *Document) Matching(r Request) []Statement {
	var matching []Statement
	for i := range d.statements {
		if s := &d.statements[i]; s.applies(&r) {
			matching = append(matching, Statement{s.sid, s.deny, i, s.start, s.end})
		}
	}
	return matching
}

// ContextKeys returns the keys in the conditions and variables of policies, sorted, as the
// policies first spell them.
func ContextKeys(documents ...*Document) []string {
	spelling := map[string]string{}
	add := func(name string) {
		if key := strings.ToLower(name); spelling[key] == "" {
			spelling[key] = name
		}
	}
	for _, d := range documents {
		for _, s := range d.statements {
			s.keys(add)
		}
	}
	return slices.SortedFunc(maps.Values(spelling), func(a, b string) int {
		return strings.Compare(strings.ToLower(a), strings.ToLower(b))
	})
}

// keys calls found with each key in the statement's conditions and variables.
func (s *statement) keys(found func(name string)) {
	for _, resource := range s.resources.list {
		resource.names(found)
	}
	for _, c := range s.conditions {
		found(c.name)
		for _, value := range c.texts {
			value.names(found)
		}
	}
}

func (s *statement) applies(r *Request) bool {
	if s.principals != nil && !s.principals.match(r.Principal) {
		return false
	}
	if !s.actions.match(r.Action, true, r.Context) || !s.resources.match(r.Resource, false, r.Context) {
		return false
	}
	for i := range s.conditions {
		if !s.conditions[i].holds(r.Context) {
			return false
		}
	}
	return true
}

func (p patterns) match(value string, foldCase bool, context map[string][]string) bool {
	for _, t := range p.list {
		if pattern, ok := t.expand(context, escaped); ok && wildcard(pattern, value, foldCase) {
			return !p.negated
		}
	}
	return p.negated
}
