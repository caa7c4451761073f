package mapper

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
)

// Code names a kind of problem. Codes are stable: Events, logs and metrics contain
// them.
type Code string

// A section with one of these problems keeps its last good content.
const (
	SectionSyntax   Code = "SectionSyntax"   // the section's YAML does not parse
	SectionNotList  Code = "SectionNotList"  // the section is not a list
	SectionTooLarge Code = "SectionTooLarge" // the section exceeds a limit
)

// An entry with one of these problems is dropped, alone.
const (
	EntryNotMap      Code = "EntryNotMap"
	EntryInGroups    Code = "EntryInGroups" // indented into the groups of the entry above
	EntryNoARN       Code = "EntryNoARN"
	EntryWrongField  Code = "EntryWrongField"  // rolearn under mapUsers, or userarn under mapRoles
	EntryInvalidARN  Code = "EntryInvalidARN"  // not the ARN of a principal; aws-iam-authenticator rejects it in its configuration file
	ARNMatchesNobody Code = "ARNMatchesNobody" // has the form of a principal's ARN, but AWS never returns it
	AssumedRole      Code = "AssumedRole"      // an assumed role's ARN; a warning where it matches the role
	EntryPartition   Code = "EntryPartition"   // an ARN of another partition
	EntryWrongType   Code = "EntryWrongType"
	EntryTooLong     Code = "EntryTooLong"
	EntryTemplate    Code = "EntryTemplate" // an unknown {{placeholder}}
	EntryInvalidSSO  Code = "EntryInvalidSSO"
	EntryNoUserID    Code = "EntryNoUserID"    // no userid, although entries match by it
	EntryWrongUserID Code = "EntryWrongUserID" // not the unique ID of a principal
	SSOOff           Code = "SSOOff"           // entries with sso are turned off
	InvalidAccountID Code = "InvalidAccountID"
	MergeKey         Code = "MergeKey" // YAML's <<
	RolePath         Code = "RolePath" // matches nobody; a warning without --role-paths=strip, as on EKS
)

// A group with one of these problems is dropped; its entry and the other groups still
// apply.
const (
	GroupsNotList  Code = "GroupsNotList"
	GroupNotText   Code = "GroupNotText"
	GroupEmpty     Code = "GroupEmpty"
	GroupTooLong   Code = "GroupTooLong"
	GroupTemplate  Code = "GroupTemplate"  // an unknown {{placeholder}}
	GroupOutdented Code = "GroupOutdented" // indented like an entry
	GroupsFolded   Code = "GroupsFolded"   // the line groups: is missing, so the list became part of the value above
)

// With one of these problems an entry applies, or another entry instead of it.
const (
	DuplicateEntry     Code = "DuplicateEntry" // the entry has no effect: another is for the same principal
	RepeatedField      Code = "RepeatedField"
	ValueConverted     Code = "ValueConverted" // in the configuration file: a value of another type, converted to text or a list as by aws-iam-authenticator
	NoUsername         Code = "NoUsername"
	WrongSection       Code = "WrongSection" // a user's ARN in mapRoles, or a role's in mapUsers
	UnknownField       Code = "UnknownField"
	WrongField         Code = "WrongField" // a field of the other section, beside the entry's own ARN
	SharedUsername     Code = "SharedUsername"
	NodeNameOnUserRole Code = "NodeNameOnUserRole"
	SystemGroup        Code = "SystemGroup"
	SSOSuffix          Code = "SSOSuffix"    // a name like that of a role of IAM Identity Center, without its 16 digits
	Unfilled           Code = "Unfilled"     // a placeholder of another tool that was not filled in
	Wildcard           Code = "Wildcard"     // a *, which is literal
	OddCharacter       Code = "OddCharacter" // a character that is hardly intended in a name
)

// The problems of a file or ConfigMap as a whole.
const (
	UnknownSection Code = "UnknownSection" // a near miss of mapRoles, mapUsers or mapAccounts
	SectionCase    Code = "SectionCase"    // the key of a section in another case, which is read all the same
	NoSections     Code = "NoSections"     // no mapRoles, mapUsers or mapAccounts
	NoKind         Code = "NoKind"         // data without kind: ConfigMap
	OtherConfigMap Code = "OtherConfigMap" // the manifest has another name or namespace
	SectionNotText Code = "SectionNotText" // a list in the manifest of a ConfigMap, which has only text
	SecondDocument Code = "SecondDocument" // only the first YAML document is read
	NotOnEKS       Code = "NotOnEKS"       // EKS treats it differently; reported only by EKS's rules
	MoreProblems   Code = "MoreProblems"   // there are more than are listed
)

// Severity is the severity of a problem.
type Severity string

// An error means that something intended does not apply; a warning does not.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Problem is a mistake in a source of mappings. It names the place and the fix, and is
// comparable.
type Problem struct {
	Code     Code
	Severity Severity
	// Section is mapRoles, mapUsers or mapAccounts, or an unknown key; empty for a
	// problem of the file.
	Section string
	// Principal is the ARN or account ID that the entry has, as it is written, or
	// [Entry.MatchedARN] of its permission set; empty if the problem is not one of an entry
	// with any of these.
	Principal string
	// Line and Column count from 1: in the section's text for a ConfigMap, in
	// the file for a file. Column is 0 if only the line is known, and both
	// are 0 for a key of a ConfigMap.
	Line, Column int
	// Message describes the mistake.
	Message string
	// Effect is the consequence, such as that the entry is ignored; empty if there is
	// none, or if Message describes it.
	Effect string
	// OnEKS is what EKS does with the mistake instead, such as that the entry is not
	// ignored; empty if it does the same, or if that is not known.
	OnEKS string
	// Fix says what to write instead.
	Fix string
	// Excerpt is the line of an error in syntax or indentation and the lines around
	// it, numbered; empty for other problems.
	Excerpt string
	// Edit is the change of the text that Fix describes; zero if a person has to decide.
	Edit Edit
}

// An Edit is a change at a place in the text of a problem. What it does to access is not
// known until the changed text is read: see [Diff].
type Edit struct {
	Kind EditKind
	// Line and Column count like those of the problem. If Column is 0, the place is the
	// first character of the line that is not a space.
	Line, Column int
	// Old is the value or key that is at the place; not set for Insert and Remove.
	Old string
	// New is the value or key to write instead, or the lines to insert.
	New string
}

// EditKind is the kind of an edit.
type EditKind string

// The kinds of edit.
const (
	Replace EditKind = "replace" // a value by text
	List    EditKind = "list"    // a value by a list of that text
	Rename  EditKind = "rename"  // a key
	Remove  EditKind = "remove"  // an entry, a field or a group
	Insert  EditKind = "insert"  // lines before the line
)

// Count returns how many of the problems have a severity.
func Count(problems []Problem, severity Severity) (n int) {
	for _, problem := range problems {
		if problem.Severity == severity {
			n++
		}
	}
	return n
}

// String returns the problem in one line.
func (p Problem) String() string {
	place := p.Section
	if p.Line > 0 {
		place = strings.TrimSpace(fmt.Sprintf("%s line %d", p.Section, p.Line))
	}
	message := p.Message
	if p.Effect != "" {
		message += "; " + p.Effect
	}
	return fmt.Sprintf("%s: %s (%s)", place, message, p.Fix)
}

// Log writes the problem to a log, at the level of its severity.
func (p Problem) Log(log *slog.Logger, message string) {
	level := slog.LevelWarn
	if p.Severity == Error {
		level = slog.LevelError
	}
	attributes := []any{"code", string(p.Code), "section", p.Section, "line", p.Line, "column", p.Column, "problem", p.Message}
	if p.Effect != "" {
		attributes = append(attributes, "effect", p.Effect)
	}
	attributes = append(attributes, "fix", p.Fix)
	if p.Excerpt != "" {
		attributes = append(attributes, "excerpt", p.Excerpt)
	}
	log.Log(context.Background(), level, message, attributes...)
}
