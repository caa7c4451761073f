package crd

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kube-iam/authenticator/pkg/mapper"
)

// conditionInForce is the type of the condition that says whether an object maps its
// principal.
const conditionInForce = "InForce"

// The reasons of the condition, besides the codes of problems.
const (
	reasonMapped         = "Mapped"
	reasonReserved       = "ReservedUsername"
	reasonTooManyObjects = "TooManyObjects"
)

// maxProblems is the number of problems that a snapshot lists. Every object has its own
// in its condition.
const maxProblems = 200

// verdicts are the mappings of all objects together.
type verdicts struct {
	table    *mapper.Table
	problems []mapper.Problem
	// statuses has the status that each object should have, by name.
	statuses map[string]status
}

// judge decides which objects are in force. They are sorted, the oldest first: of two
// for the same principal, the older one wins, so that nobody takes over a principal by
// creating an object.
func judge(objects []*object, paths mapper.RolePaths, reserved []string) verdicts {
	entries, owners := make([]mapper.Entry, 0, len(objects)), make([]*object, 0, len(objects))
	for _, o := range slices.Backward(objects) { // in a table, the later entry wins
		if o.parsed.kept {
			entries, owners = append(entries, o.parsed.entry), append(owners, o)
		}
	}
	v := verdicts{table: mapper.NewTable(entries, nil, paths), statuses: make(map[string]status, len(objects))}
	inForce, i := make(map[*object]bool, len(entries)), 0
	for _, applies := range v.table.Entries() {
		if applies {
			inForce[owners[i]] = true
		}
		i++
	}
	lost := map[string]mapper.Problem{}
	for entry, winner := range v.table.Overridden() {
		lost[nameOf(entry.Rule)] = overridden(entry, winner)
	}
	for _, o := range objects {
		if p, ok := reservedProblem(&o.parsed.entry, reserved); ok && inForce[o] {
			lost[o.Name] = p
		}
		s := status{o.parsed.canonicalARN, o.parsed.mapped}
		problems := o.parsed.problems
		if p, ok := lost[o.Name]; ok {
			problems = append(slices.Clip(problems), p)
			s.inForce = conclude(nil, problems)
		} else if !inForce[o] {
			s.inForce = conclude(nil, problems)
		}
		s.inForce.observedGeneration = o.Generation
		v.statuses[o.Name] = s
		v.problems = append(v.problems, problems...)
	}
	return v
}

func nameOf(rule mapper.Rule) string {
	_, name, _ := strings.Cut(rule.Section, "/")
	return name
}

// overridden returns why an entry is not in force although it is valid.
func overridden(entry, winner *mapper.Entry) mapper.Problem {
	p := mapper.Problem{
		Code: mapper.DuplicateEntry, Severity: mapper.Warning, Section: entry.Rule.Section, Line: entry.Rule.Line, Column: entry.Column, Principal: entry.ARN,
		Effect: "this object has no effect", Fix: "remove one of them",
	}
	switch {
	case winner == nil:
		p.Code, p.Severity = mapper.RolePath, mapper.Error
		p.Message, p.Effect = "another object is for a role of the same name, and AWS does not return the paths that distinguish them", "none of them applies"
		p.Fix = "keep the object of the role that exists"
	case entry.AssumedRole && !winner.AssumedRole:
		p.Message = winner.Rule.Section + " is for the role itself"
	case strings.Count(entry.ARN, "/") > strings.Count(winner.ARN, "/"):
		p.Message = winner.Rule.Section + " is for the role without a path"
	default:
		p.Message = winner.Rule.Section + " is for the same principal and wins: it is older, or as old and first by name"
	}
	return p
}

// reservedProblem reports a username that certainly starts with a reserved prefix: such
// a sign-in is denied.
func reservedProblem(entry *mapper.Entry, reserved []string) (mapper.Problem, bool) {
	literal, _, _ := strings.Cut(entry.Username.String(), "{{")
	for _, prefix := range reserved {
		if strings.HasPrefix(literal, prefix) {
			return mapper.Problem{
				Code: reasonReserved, Severity: mapper.Error, Section: entry.Rule.Section, Line: entry.Rule.Line, Column: entry.Column, Principal: entry.ARN,
				Message: fmt.Sprintf("the username starts with %q, which reservedPrefixConfig reserves", prefix),
				Effect:  "sign-ins are denied", Fix: "write another username",
			}, true
		}
	}
	return mapper.Problem{}, false
}

// conclude returns the condition of an object. Entry is its entry if that applies.
func conclude(entry *mapper.Entry, problems []mapper.Problem) condition {
	c := condition{status: "False"}
	var sentences []string
	if entry != nil {
		c.status, c.reason = "True", reasonMapped
		sentences = append(sentences, fmt.Sprintf("maps %s to %s", entry.MatchedARN(), entry.Username))
	}
	if p := gravest(problems); p != nil && (entry == nil || p.Severity == mapper.Error) {
		c.reason = string(p.Code)
	}
	for _, p := range problems {
		sentences = append(sentences, sentence(p))
	}
	c.message = clip(strings.Join(sentences, ". "))
	return c
}

// gravest returns the problem that decides about an object; nil if there is none.
func gravest(problems []mapper.Problem) *mapper.Problem {
	isDecisive := func(p mapper.Problem) bool { return p.Code == mapper.DuplicateEntry || p.Code == reasonReserved }
	isError := func(p mapper.Problem) bool { return p.Severity == mapper.Error }
	for _, is := range []func(mapper.Problem) bool{isDecisive, isError} {
		if i := slices.IndexFunc(problems, is); i >= 0 {
			return &problems[i]
		}
	}
	if len(problems) == 0 {
		return nil
	}
	return &problems[0]
}

func sentence(p mapper.Problem) string {
	text := p.Message
	if p.Effect != "" {
		text += "; " + p.Effect
	}
	return text + " (" + p.Fix + ")"
}

// first returns the first problems, and how many are not listed.
func first(problems []mapper.Problem) []mapper.Problem {
	if len(problems) <= maxProblems {
		return problems
	}
	rest := problems[maxProblems:]
	more := mapper.Problem{
		Code: mapper.MoreProblems, Severity: mapper.Warning, Section: rest[0].Section,
		Message: fmt.Sprintf("%d more problems are not listed", len(rest)), Fix: "see the conditions: kubectl get iamidentitymappings",
	}
	if slices.ContainsFunc(rest, func(p mapper.Problem) bool { return p.Severity == mapper.Error }) {
		more.Severity = mapper.Error
	}
	return append(slices.Clip(problems[:maxProblems]), more)
}

// tooMany reports the objects beyond the limits.
func tooMany(leftOut int, kept int) mapper.Problem {
	return mapper.Problem{
		Code: reasonTooManyObjects, Severity: mapper.Error, Message: fmt.Sprintf("there are too many IAMIdentityMappings: %d are read", kept),
		Effect: fmt.Sprintf("the youngest are ignored, about %d", leftOut), Fix: "remove objects",
	}
}

// tooManyStatus returns the status of an object beyond the limits.
func tooManyStatus(o *object) status {
	return status{inForce: condition{"False", reasonTooManyObjects, "there are too many IAMIdentityMappings, and this is one of the youngest (remove objects)", o.Generation}}
}

// problem reports that the objects cannot be read.
func (f failure) problem(code mapper.Code) mapper.Problem {
	return mapper.Problem{Code: code, Severity: mapper.Error, Message: f.message, Effect: "what was read before stays in force", Fix: f.fix}
}
