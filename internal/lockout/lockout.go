// Package lockout says whom an edit of the mappings could lock out of a cluster in a
// way that is hard to undo: the person who edits, the last administrator, the nodes.
package lockout

import (
	"context"
	"fmt"
	"slices"

	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// Facts are what is known about a cluster.
type Facts struct {
	// Caller is who edits; nil if that is nobody whom AWS verified.
	Caller *identity.Principal
	// Mapper returns what maps in the cluster with a table in place of the mappings that are
	// edited: its owners and other sources too, in their order. With nil, nothing but the
	// table maps.
	Mapper func(table *mapper.Table) mapper.Mapper
	// OtherMasters is set if other mappings map somebody to system:masters.
	OtherMasters bool
	// Reserved are the prefixes that usernames must not have.
	Reserved []string
	// Nodes are the nodes of the cluster. Nil means that it has none.
	Nodes Nodes
}

// Dangers returns why a table should not replace another one; none if nothing is wrong
// with that. Delta is their difference.
func Dangers(from, to *mapper.Table, delta mapper.Delta, facts Facts) (dangers []string) {
	if facts.Caller != nil {
		if danger := facts.callerLoses(from, to, *facts.Caller); danger != "" {
			dangers = append(dangers, danger)
		}
	}
	if delta.LosesLastMaster && !facts.OtherMasters {
		dangers = append(dangers, "nobody would be left in "+mapper.MastersGroup)
	}
	if facts.Nodes == nil {
		return dangers
	}
	for _, change := range delta.Leaving(mapper.NodesGroup) {
		if why := facts.Nodes.using(from, *change.Old); why != "" {
			dangers = append(dangers, fmt.Sprintf("%s would leave %s, and %s", change.For, mapper.NodesGroup, why))
		}
	}
	return dangers
}

// callerLoses says what the caller would lose; empty if it would not lose its access.
func (f Facts) callerLoses(from, to *mapper.Table, caller identity.Principal) string {
	was, mapped := f.access(from, caller)
	if !mapped {
		return "" // it signs in by another way
	}
	is, still := f.access(to, caller)
	masters := func(m mapper.Match) bool { return slices.Contains(m.Groups, mapper.MastersGroup) }
	switch {
	case !still:
		return fmt.Sprintf("you (%s) would lose your own access", caller.CanonicalARN)
	case masters(was) && !masters(is):
		return fmt.Sprintf("you (%s) would leave %s", caller.CanonicalARN, mapper.MastersGroup)
	}
	return ""
}

// access returns how the cluster maps a principal with a table.
func (f Facts) access(table *mapper.Table, who identity.Principal) (mapper.Match, bool) {
	if f.Mapper == nil {
		return access(table, who, f.Reserved)
	}
	match, ok, err := f.Mapper(table).Map(context.Background(), who, nil)
	return match, ok && err == nil
}

// access returns how a table maps a principal.
func access(table *mapper.Table, who identity.Principal, reserved []string) (mapper.Match, bool) {
	current := func() *mapper.Table { return table }
	chain := mapper.Reserve(mapper.First(mapper.Entries(current, AnyInstance{}), mapper.Accounts(current)), reserved)
	match, ok, err := chain.Map(context.Background(), who, nil)
	return match, ok && err == nil
}

// AnyInstance is an instance with any name: only whether there is a user counts.
type AnyInstance struct{}

// PrivateDNSName implements [mapper.InstanceNames].
func (AnyInstance) PrivateDNSName(context.Context, string) (string, error) { return "node", nil }
