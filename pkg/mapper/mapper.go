// Package mapper turns an AWS principal into a Kubernetes username and groups.
//
// A source of mappings (the aws-auth ConfigMap, a file) parses what it reads
// into an immutable [Table]. A table has two mappers, one for its explicit entries
// and one for its accounts, so that [First] can try every source's entries before any
// account:
//
//	mapper.First(owner, Entries(a), Entries(b), Accounts(a), Accounts(b))
package mapper

import (
	"context"
	"fmt"

	"github.com/kube-iam/authenticator/pkg/identity"
)

// A Mapper finds the Kubernetes user that a principal maps to.
//
// There are three results: (match, true, nil) is a match; (_, false, nil) means that
// no mapping matches; an error ends the chain. A [*DeniedError] is a denial with a
// reason; any other error means that the mapper could not decide.
//
// If the trace is not nil, it collects every rule tried. A nil trace costs nothing.
type Mapper interface {
	Map(ctx context.Context, principal identity.Principal, trace *Trace) (Match, bool, error)
}

// Func adapts a function to a [Mapper].
type Func func(ctx context.Context, principal identity.Principal, trace *Trace) (Match, bool, error)

// Map calls f.
func (f Func) Map(ctx context.Context, principal identity.Principal, trace *Trace) (Match, bool, error) {
	return f(ctx, principal, trace)
}

// Match is the Kubernetes user an identity maps to, and why.
type Match struct {
	Username string
	// Groups are shared with the table that made the match: read only.
	Groups []string
	Rule   Rule
}

// Rule is the place of a mapping in its source.
type Rule struct {
	// Source is the name of the source, such as "EKSConfigMap", or "cluster owner".
	Source string
	// Section is "mapRoles", "mapUsers" or "mapAccounts"; empty for the owner.
	Section string
	// Line is the line of the rule, counted from 1: in the section's text for a
	// ConfigMap, in the file for a file. It is 0 if the source has no lines.
	Line int
}

func (r Rule) place() string {
	switch {
	case r.Section == "":
		return r.Source
	case r.Line == 0:
		return r.Section
	default:
		return fmt.Sprintf("%s line %d", r.Section, r.Line)
	}
}

// InstanceNames looks up the private DNS name of an EC2 instance, for
// {{EC2PrivateDNSName}}. It never returns an empty name without an error.
type InstanceNames interface {
	PrivateDNSName(ctx context.Context, instanceID string) (string, error)
}
