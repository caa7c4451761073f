// Package awsauth reads the mappings of the ConfigMap kube-system/aws-auth, as
// EKS does: mapRoles, mapUsers and mapAccounts, each a YAML or JSON string.
//
// Reading never fails as a whole. A section whose YAML does not parse keeps its
// last good content, an entry that is invalid is dropped alone, and each is
// reported as a [Problem] with its place and its remedy, so that a typo locks
// nobody out and every other edit still takes effect.
package awsauth

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/pkg/mapper"
)

// The keys of aws-auth.
const (
	mapRoles    = "mapRoles"
	mapUsers    = "mapUsers"
	mapAccounts = "mapAccounts"
)

func sectionNames() []string { return []string{mapRoles, mapUsers, mapAccounts} }

func isSection(key string) bool { return slices.Contains(sectionNames(), key) }

func sectionInAnyCase(key string) (string, bool) {
	i := slices.IndexFunc(sectionNames(), func(name string) bool { return strings.EqualFold(name, key) })
	if i < 0 {
		return "", false
	}
	return sectionNames()[i], true
}

// Options say what the mappings are for.
type Options struct {
	// Source is the name of the backend, for [mapper.Rule].
	Source string
	// Partition that ARNs must be of. Empty means any.
	Partition string
	// RolePaths says what a path in rolearn means. The zero value is EKS's way.
	RolePaths mapper.RolePaths
}

// Result is what was read, and what was wrong with it.
type Result struct {
	// Table holds all that is in force.
	Table *mapper.Table
	// Problems in the order of their places.
	Problems []mapper.Problem

	// sections are kept for the next reading: one that cannot be parsed then
	// keeps what it holds now.
	sections map[string]section
}

// section is the content of mapRoles, mapUsers or mapAccounts.
type section struct {
	entries  []mapper.Entry
	accounts []mapper.Account
}

// KeptSections are the sections that hold the content of an earlier reading,
// since theirs does not parse.
func (r *Result) KeptSections() []string {
	var kept []string
	for _, p := range r.Problems {
		if p.Code == mapper.SectionSyntax || p.Code == mapper.SectionNotList {
			kept = append(kept, p.Section)
		}
	}
	return kept
}

// Parse reads the data of the ConfigMap. Last, which may be nil, is the result
// of the reading before: a section that does not parse keeps its content.
func Parse(data map[string]string, last *Result, opts Options) *Result {
	r := newReading(last, opts)
	for _, name := range sectionNames() {
		if text := data[name]; !isEmpty(text) {
			r.readText(name, text)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(data)) {
		r.checkKey(name, 0, 0)
	}
	return r.result()
}

// ParseNode reads sections that are native YAML lists under one mapping, as the
// server's configuration file has them, in any case. Lines are the file's. Keys that are no
// near miss of a section's are somebody else's and left alone.
func ParseNode(node *yaml.Node, last *Result, opts Options) *Result {
	r := newReading(last, opts)
	for key, value := range pairs(node) {
		if name, ok := sectionInAnyCase(key.Value); ok {
			r.readValue(name, value)
		} else {
			r.checkKey(key.Value, key.Line, key.Column)
		}
	}
	return r.result()
}

// isEmpty reports whether a section's text means none: blank, or a quoted
// nothing, as tools write it.
func isEmpty(text string) bool {
	switch strings.TrimSpace(text) {
	case "", `""`, "''", "``":
		return true
	}
	return false
}
