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
	// Otherwise maps without the mappings that are edited, such as the cluster's owners.
	// Nil maps nobody.
	Otherwise mapper.Mapper
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
	var otherwise mapper.Match
	var elsewhere bool
	if f.Otherwise != nil {
		match, mapped, err := f.Otherwise.Map(context.Background(), caller, nil)
		otherwise, elsewhere = match, mapped && err == nil
	}
	was, mapped := access(from, caller, f.Reserved)
	if !mapped {
		return "" // it signs in by another way
	}
	is, still := access(to, caller, f.Reserved)
	masters := func(m mapper.Match) bool { return slices.Contains(m.Groups, mapper.MastersGroup) }
	switch {
	case !still && !elsewhere:
		return fmt.Sprintf("you (%s) would lose your own access", caller.CanonicalARN)
	case masters(was) && !masters(is) && !masters(otherwise):
		return fmt.Sprintf("you (%s) would leave %s", caller.CanonicalARN, mapper.MastersGroup)
	}
	return ""
}

// access returns how a table maps a principal.
func access(table *mapper.Table, who identity.Principal, reserved []string) (mapper.Match, bool) {
	current := func() *mapper.Table { return table }
	chain := mapper.Reserve(mapper.First(mapper.Entries(current, anyInstance{}), mapper.Accounts(current)), reserved)
	match, ok, err := chain.Map(context.Background(), who, nil)
	return match, ok && err == nil
}

// anyInstance is an instance with any name: only whether there is a user counts.
type anyInstance struct{}

func (anyInstance) PrivateDNSName(context.Context, string) (string, error) { return "node", nil }
