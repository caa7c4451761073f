package mapper

import (
	"context"
	"fmt"
	"log/slog"
)

// Code names a kind of problem. Codes are stable: Events, logs and metrics
// carry them.
type Code string

// The problems by which a section keeps its last good content.
const (
	SectionSyntax  Code = "SectionSyntax"  // the section's YAML does not parse
	SectionNotList Code = "SectionNotList" // the section is not a list
)

// The problems by which an entry is dropped, alone.
const (
	EntryNotMap      Code = "EntryNotMap"
	EntryNoARN       Code = "EntryNoARN"
	EntryWrongField  Code = "EntryWrongField" // rolearn under mapUsers, or userarn under mapRoles
	EntryInvalidARN  Code = "EntryInvalidARN"
	EntryPartition   Code = "EntryPartition" // an ARN of another partition
	EntryWrongType   Code = "EntryWrongType"
	EntryTemplate    Code = "EntryTemplate" // an unknown {{placeholder}}
	EntryInvalidSSO  Code = "EntryInvalidSSO"
	InvalidAccountID Code = "InvalidAccountID"
	MergeKey         Code = "MergeKey" // YAML's <<
	RolePath         Code = "RolePath" // acts for nobody; without --role-paths=strip a warning, as on EKS
)

// The problems that only warn: the entry acts.
const (
	DuplicateEntry     Code = "DuplicateEntry"
	RepeatedField      Code = "RepeatedField"
	NoUsername         Code = "NoUsername"
	WrongSection       Code = "WrongSection" // a user's ARN in mapRoles, or a role's in mapUsers
	UnknownField       Code = "UnknownField"
	UnknownSection     Code = "UnknownSection" // a near miss of mapRoles, mapUsers or mapAccounts
	SharedUsername     Code = "SharedUsername"
	NodeNameOnUserRole Code = "NodeNameOnUserRole"
	SystemGroup        Code = "SystemGroup"
	SecondDocument     Code = "SecondDocument"
)

// Severity of a problem.
type Severity string

// An error costs something that was meant to act; a warning does not.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Problem is something wrong in a source of mappings. It names the place and
// the remedy.
type Problem struct {
	Code     Code
	Severity Severity
	// Section is mapRoles, mapUsers or mapAccounts, or the key that is none of
	// them.
	Section string
	// Line and Column count from 1: in the section's text for a ConfigMap, in
	// the file for a file. 0 means that there is no place.
	Line, Column int
	// Message is a sentence that says what is wrong and what comes of it.
	Message string
	// Fix says what to write instead.
	Fix string
}

// Count returns how many of the problems have a severity.
func Count(problems []Problem, severity Severity) (n int) {
	for _, problem := range problems {
		if problem.Severity == severity {
			n++
		}
	}
	return n
}

// String is the problem in one line.
func (p Problem) String() string {
	place := p.Section
	if p.Line > 0 {
		place = fmt.Sprintf("%s line %d", p.Section, p.Line)
	}
	return fmt.Sprintf("%s: %s (%s)", place, p.Message, p.Fix)
}

// Log writes the problem to a log, at the level of its severity.
func (p Problem) Log(log *slog.Logger, message string) {
	level := slog.LevelWarn
	if p.Severity == Error {
		level = slog.LevelError
	}
	log.Log(context.Background(), level, message,
		"code", string(p.Code), "section", p.Section, "line", p.Line, "column", p.Column, "problem", p.Message, "fix", p.Fix)
}
