// Package policy evaluates IAM policies: identity policies, and the trust
// policies of roles.
//
// What it does not understand it refuses to parse, so that nothing is allowed
// by a condition that nobody checked.
package policy

import (
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
}

// Document is a parsed policy.
type Document struct{ statements []statement }

// A statement allows or denies.
type statement struct {
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
