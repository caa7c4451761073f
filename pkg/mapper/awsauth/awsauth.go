// Package awsauth reads the mappings of the ConfigMap kube-system/aws-auth, as
// EKS does: mapRoles, mapUsers and mapAccounts, each a YAML or JSON string.
//
// Reading never fails as a whole. A section that does not parse as YAML keeps its
// last good content, an invalid entry is dropped alone, and an invalid part of a valid
// entry too. Each is reported as a [mapper.Problem] with its place and its fix. A typo
// therefore locks nobody out, and every other edit still takes effect.
package awsauth

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/pkg/mapper"
)

// Options are the options of a reading.
type Options struct {
	// Source is the name of the backend, for [mapper.Rule].
	Source string
	// Partition is the partition that ARNs must be in. Empty means any.
	Partition string
	// RolePaths is the treatment of a path in rolearn. The zero value is EKS's.
	RolePaths mapper.RolePaths
	// AssumedRoles is the treatment of the ARN of an assumed role. The zero value is
	// EKS's.
	AssumedRoles AssumedRoles
	// UserIDs makes entries match by their field userid, which is then required, and by
	// their ARN too if there is one. Otherwise userid has no effect.
	UserIDs bool
	// SectionsInAnyCase reads mapRoles, mapUsers and mapAccounts of a file in any case, as
	// aws-iam-authenticator does in its DynamicFile.
	SectionsInAnyCase bool
	// NoSSO turns entries with sso off: they match nobody.
	NoSSO bool
	// EKS judges the text by the rules of EKS: what EKS does not support matches nobody,
	// and what it treats differently is a problem. It overrides the options above that
	// differ from EKS.
	EKS bool
}

// effective returns the options with those of EKS, if it judges.
func (o Options) effective() Options {
	if o.EKS {
		o.RolePaths, o.AssumedRoles, o.UserIDs = mapper.RolePathsIgnore, AssumedRolesInert, false
	}
	return o
}

// AssumedRoles is the treatment of the ARN of an assumed role in rolearn or userarn,
// such as arn:aws:sts::111122223333:assumed-role/Admin/session.
type AssumedRoles int

const (
	// AssumedRolesInert leaves such an entry without effect, as do EKS and
	// aws-iam-authenticator in backend EKSConfigMap.
	AssumedRolesInert AssumedRoles = iota
	// AssumedRolesAsRole makes such an entry match the role, as aws-iam-authenticator
	// does in its other backends. It never wins over an entry for the role itself.
	AssumedRolesAsRole
)

// Result holds the mappings that were read, and the problems in them.
type Result struct {
	// Table holds the mappings.
	Table *mapper.Table
	// Problems are the problems, in the order of their places.
	Problems []mapper.Problem

	// sections are kept for the next reading: a section that does not parse then
	// keeps its content.
	sections map[string]section
	// broken has the sections that do not parse, are not a list or exceed a limit.
	broken map[string]bool
	// parsed has the texts of sections. The next reading parses only what an edit has
	// changed in them.
	parsed map[string]*parsed
	// found counts all problems by code, including those that are not listed.
	found map[mapper.Code]int
	// ignoresUserIDs is set if an entry has a userid without effect.
	ignoresUserIDs bool
	// steps counts the values that the reading looked at.
	steps int
}

// Found reports whether the reading found a problem with a code. Problems lists at most
// the first 200.
func (r *Result) Found(code mapper.Code) bool { return r.Count(code) > 0 }

// Count returns how many problems with a code the reading found.
func (r *Result) Count(code mapper.Code) int { return r.found[code] }

// IgnoresUserIDs reports whether entries have a userid that has no effect, since they
// match by their ARN alone.
func (r *Result) IgnoresUserIDs() bool { return r.ignoresUserIDs }

// Good returns the names of the sections that were read as a whole.
func (r *Result) Good() (names []string) {
	for _, name := range sectionNames() {
		if _, ok := r.sections[name]; ok && !r.broken[name] {
			names = append(names, name)
		}
	}
	return names
}

// Broken returns the names of the sections that do not parse, are not lists or exceed a
// limit.
func (r *Result) Broken() []string { return slices.Sorted(maps.Keys(r.broken)) }

// Kept reports whether a section has the content of an earlier reading.
func (r *Result) Kept(section string) bool { return r.sections[section].kept }

// Lost returns the names of the broken sections that have no content of an earlier reading:
// nothing in them applies.
func (r *Result) Lost() []string {
	return slices.DeleteFunc(r.Broken(), r.Kept)
}

// With returns the result with the content that another has of sections that do not parse,
// and have none here. It serves as the last result of [Parse].
func (r *Result) With(other *Result) *Result {
	with := *r
	with.sections = maps.Clone(r.sections)
	for _, name := range r.Lost() {
		if section, ok := other.sections[name]; ok {
			with.sections[name] = section
		}
	}
	return &with
}

// Parse reads the data of the ConfigMap. Last, which may be nil, is the result of the
// previous reading: a section that does not parse keeps its content in it.
func Parse(data map[string]string, last *Result, opts Options) *Result {
	r := newReading(last, opts)
	r.isAWSAuth = true
	for _, name := range sectionNames() {
		if text := data[name]; !isEmpty(text) {
			r.readText(name, text, origin{})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(data)) {
		r.checkKey(name, nil)
	}
	return r.result()
}

// ParseNode reads sections that are native YAML lists in one mapping, as in the
// server's configuration file, with keys in any case. Lines are the file's. It ignores
// keys that do not resemble a section's, and converts values of other types to text
// and lists where aws-iam-authenticator does.
func ParseNode(node *yaml.Node, last *Result, opts Options) *Result {
	r := newReading(last, opts)
	r.weaklyTyped = true
	for key, value := range pairs(node) {
		if name, ok := sectionInAnyCase(key.Value); ok {
			r.readValue(name, r.convertSection(name, resolve(value)))
		} else {
			r.checkKey(key.Value, key)
		}
	}
	return r.result()
}

// isEmpty reports whether a section's text means none: blank, or an empty quoted
// string, as some tools write.
func isEmpty(text string) bool {
	switch strings.TrimSpace(text) {
	case "", `""`, "''", "``":
		return true
	}
	return false
}
