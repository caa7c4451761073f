// Package awsauth reads the mappings of the ConfigMap kube-system/aws-auth, as
// EKS does: mapRoles, mapUsers and mapAccounts, each a YAML or JSON string.
//
// Reading never fails as a whole. A section whose YAML does not parse keeps its
// last good content, an invalid entry is dropped alone, and of a valid entry
// only what is wrong in it. Each is reported as a [mapper.Problem] with its
// place and its remedy, so that a typo locks nobody out and every other edit
// still takes effect.
package awsauth

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kube-iam/authenticator/pkg/mapper"
)

// Options say what the mappings are for.
type Options struct {
	// Source is the name of the backend, for [mapper.Rule].
	Source string
	// Partition that ARNs must be of. Empty means any.
	Partition string
	// RolePaths says what a path in rolearn means. The zero value is EKS's way.
	RolePaths mapper.RolePaths
	// AssumedRoles says what the ARN of an assumed role means. The zero value
	// is EKS's way.
	AssumedRoles AssumedRoles
	// NoSSO turns entries with sso off: they match nobody.
	NoSSO bool
}

// AssumedRoles says what the ARN of an assumed role means as rolearn or userarn:
// arn:aws:sts::111122223333:assumed-role/Admin/session.
type AssumedRoles int

const (
	// AssumedRolesInert leaves such an entry without effect, as EKS does and
	// aws-iam-authenticator in backend EKSConfigMap.
	AssumedRolesInert AssumedRoles = iota
	// AssumedRolesAsRole takes it for the role, as aws-iam-authenticator does in
	// its other backends. It never wins over an entry for the role itself.
	AssumedRolesAsRole
)

// Result is what was read, and what was wrong with it.
type Result struct {
	// Table holds all that is in force.
	Table *mapper.Table
	// Problems in the order of their places.
	Problems []mapper.Problem

	// sections are kept for the next reading: one that does not parse then keeps
	// what it holds now.
	sections map[string]section
	// found are the codes of all problems, those that are not listed too.
	found map[mapper.Code]bool
	// steps counts the values that the reading looked at.
	steps int
}

// Found reports whether the reading found a problem of a code. Problems lists no more
// than the first 200.
func (r *Result) Found(code mapper.Code) bool { return r.found[code] }

// Parse reads the data of the ConfigMap. Last, which may be nil, is the result
// of the reading before: a section that does not parse keeps its content.
func Parse(data map[string]string, last *Result, opts Options) *Result {
	r := newReading(last, opts)
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

// ParseNode reads sections that are native YAML lists under one mapping, as the
// server's configuration file has them, with keys in any case. Lines are the
// file's. It ignores keys that are no near miss of a section's, and takes values of
// other types for text and lists where aws-iam-authenticator does.
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

// isEmpty reports whether a section's text means none: blank, or a quoted
// nothing, as tools write it.
func isEmpty(text string) bool {
	switch strings.TrimSpace(text) {
	case "", `""`, "''", "``":
		return true
	}
	return false
}
