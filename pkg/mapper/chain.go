package mapper

import (
	"context"
	"fmt"
	"strings"

	"github.com/kube-iam/authenticator/pkg/identity"
)

// First returns a mapper that tries mappers in order and returns the first match. An
// error ends the search: otherwise a later source could grant what the failed one
// would have decided differently.
func First(mappers ...Mapper) Mapper {
	return Func(func(ctx context.Context, principal identity.Principal, trace *Trace) (Match, bool, error) {
		for _, m := range mappers {
			if match, ok, err := m.Map(ctx, principal, trace); ok || err != nil {
				return match, ok, err
			}
		}
		return Match{}, false, nil
	})
}

// The cluster owner's Kubernetes user.
const (
	OwnerUsername = "kubernetes-admin"
	OwnerGroup    = "system:masters"
	ownerSource   = "cluster owner"
)

// Owner returns a mapper that maps the cluster's owners, users and roles, to its
// administrator. They are the way back in when a source is broken or deleted, so an
// owner that could never match is an error.
func Owner(partition string, arns ...string) (Mapper, error) {
	username, err := ParseTemplate(OwnerUsername)
	if err != nil {
		return nil, err
	}
	group, err := ParseTemplate(OwnerGroup)
	if err != nil {
		return nil, err
	}
	var entries []Entry
	for _, arn := range arns {
		canonical, kind, err := identity.Canonicalize(arn)
		if err != nil {
			return nil, fmt.Errorf("reading the cluster owner: %w", err)
		}
		if _, has := withoutPath(canonical); has && kind == identity.KindRole {
			return nil, fmt.Errorf("reading the cluster owner: %q has a role path, which AWS never returns, so it would match nobody (omit the path)", arn)
		}
		if strings.ContainsAny(canonical, "*?") {
			return nil, fmt.Errorf("reading the cluster owner: %q has a wildcard, but ARNs match as a whole (name each owner)", arn)
		}
		if p := strings.Split(canonical, ":")[1]; p != partition {
			return nil, fmt.Errorf("reading the cluster owner: %q is in partition %s, but this cluster is in %s", arn, p, partition)
		}
		entries = append(entries, Entry{ARN: canonical, Username: username, Groups: []Template{group}, Rule: Rule{Source: ownerSource}})
	}
	table := NewTable(entries, nil, RolePathsIgnore)
	return Entries(func() *Table { return table }, nil), nil
}

// Reserve returns a mapper that denies the matches of m with a username that starts
// with a reserved prefix.
func Reserve(m Mapper, prefixes []string) Mapper {
	if len(prefixes) == 0 {
		return m
	}
	return Func(func(ctx context.Context, principal identity.Principal, trace *Trace) (Match, bool, error) {
		match, ok, err := m.Map(ctx, principal, trace)
		if !ok || err != nil {
			return match, ok, err
		}
		for _, prefix := range prefixes {
			if strings.HasPrefix(match.Username, prefix) {
				err := &DeniedError{Reason: "its username starts with a reserved prefix", Rule: match.Rule}
				trace.refuse(match.Rule, MissReserved, err)
				return Match{}, false, err
			}
		}
		return match, true, nil
	})
}
