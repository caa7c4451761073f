// Package lockout says whom an edit of the mappings could lock out of a cluster in a
// way that is hard to undo: the person who edits, the last administrator, the nodes.
package lockout

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// Facts are what is known about a cluster.
type Facts struct {
	// Caller is who edits; nil if that is nobody whom AWS verified.
	Caller *identity.Principal
	// Nodes are the names of the nodes that are ready.
	Nodes []string
	// NodesUnknown says why the nodes are not known; nil if they are. Then every node
	// role counts as in use.
	NodesUnknown error
}

// Dangers returns why a table should not replace another one; none if nothing is wrong
// with that.
func Dangers(from, to *mapper.Table, facts Facts) (dangers []string) {
	delta := mapper.Diff(from, to)
	if facts.Caller != nil {
		if danger := callerLoses(from, to, *facts.Caller); danger != "" {
			dangers = append(dangers, danger)
		}
	}
	if delta.LosesLastMaster {
		dangers = append(dangers, "nobody would be left in "+mapper.MastersGroup)
	}
	for _, change := range delta.Leaving(mapper.NodesGroup) {
		if why := inUse(*change.Old, facts); why != "" {
			dangers = append(dangers, fmt.Sprintf("%s would leave %s, and %s", change.For, mapper.NodesGroup, why))
		}
	}
	return dangers
}

// callerLoses says what the caller would lose; empty if it would not lose its access.
func callerLoses(from, to *mapper.Table, caller identity.Principal) string {
	was, mapped := access(from, caller)
	if !mapped {
		return "" // it signs in by another way
	}
	is, still := access(to, caller)
	switch {
	case !still:
		return fmt.Sprintf("you (%s) would lose your own access", caller.CanonicalARN)
	case slices.Contains(was.Groups, mapper.MastersGroup) && !slices.Contains(is.Groups, mapper.MastersGroup):
		return fmt.Sprintf("you (%s) would leave %s", caller.CanonicalARN, mapper.MastersGroup)
	}
	return ""
}

// access returns how a table maps a principal.
func access(table *mapper.Table, who identity.Principal) (mapper.Match, bool) {
	current := func() *mapper.Table { return table }
	chain := mapper.First(mapper.Entries(current, anyInstance{}), mapper.Accounts(current))
	match, ok, err := chain.Map(context.Background(), who, nil)
	return match, ok && err == nil
}

// anyInstance is an instance with any name: only whether there is a user counts.
type anyInstance struct{}

func (anyInstance) PrivateDNSName(context.Context, string) (string, error) { return "node", nil }

// maxNamed is the number of nodes that a danger names.
const maxNamed = 3

// inUse says that a node may sign in with a mapping; empty if none may.
func inUse(grant mapper.Grant, facts Facts) string {
	if facts.NodesUnknown != nil {
		return "the nodes that may use it are unknown: " + facts.NodesUnknown.Error()
	}
	pattern := usernames(grant.Username)
	var using []string
	for _, node := range facts.Nodes {
		if pattern.MatchString("system:node:" + node) {
			using = append(using, node)
		}
	}
	if len(using) == 0 {
		return ""
	}
	named := strings.Join(using[:min(len(using), maxNamed)], ", ")
	if more := len(using) - maxNamed; more > 0 {
		named += fmt.Sprintf(" and %d more", more)
	}
	return "these nodes are ready and may use it: " + named
}

var placeholder = regexp.MustCompile(`\\\{\\\{[^}]*\\\}\\\}`)

// usernames returns a pattern of the usernames that a template expands to.
func usernames(template string) *regexp.Regexp {
	quoted := placeholder.ReplaceAllString(regexp.QuoteMeta(template), ".+")
	pattern, err := regexp.Compile("^(?:" + quoted + ")$")
	if err != nil {
		return regexp.MustCompile("") // every node may use it
	}
	return pattern
}
