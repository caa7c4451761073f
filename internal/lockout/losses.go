package lockout

import (
	"fmt"
	"strings"

	"github.com/kube-iam/authenticator/pkg/mapper"
)

// The codes of what an edit takes away and a cluster cannot do without.
const (
	NodesLost  mapper.Code = "NodesLost"  // a mapping to system:nodes
	AdminsLost mapper.Code = "AdminsLost" // the last mapping to system:masters
)

// A Loss is a group that an edit takes away from those who need it.
type Loss struct {
	Group   string
	Problem mapper.Problem
}

// Losses returns what the cluster loses if a new table replaces an old one. Where names
// the source in words, and fix says how to undo an edit of it.
func Losses(before, after *mapper.Table, where, fix string) (losses []Loss) {
	loss := func(group string, code mapper.Code, changes []mapper.Change, effect string) Loss {
		return Loss{group, mapper.Problem{
			Code: code, Severity: mapper.Error, Section: changes[0].Old.Rule.Section,
			Message: "no longer in " + group + ": " + names(changes), Effect: effect, Fix: fix,
		}}
	}
	delta := mapper.Diff(before, after)
	if nodes := delta.Leaving(mapper.NodesGroup); len(nodes) > 0 {
		losses = append(losses, loss(mapper.NodesGroup, NodesLost, nodes, "nodes that sign in that way lose the cluster within 3 minutes"))
	}
	if masters := delta.Leaving(mapper.MastersGroup); delta.LosesLastMaster && len(masters) > 0 {
		losses = append(losses, loss(mapper.MastersGroup, AdminsLost, masters,
			where+" maps nobody to that group any more: only cluster owners and client certificates are administrators"))
	}
	return losses
}

// Groups returns the groups of losses.
func Groups(losses []Loss) (groups []string) {
	for _, loss := range losses {
		groups = append(groups, loss.Group)
	}
	return groups
}

// names names whom changes are for, but not very many.
func names(changes []mapper.Change) string {
	const most = 5
	var targets []string
	for _, change := range changes[:min(len(changes), most)] {
		targets = append(targets, change.For.String())
	}
	text := strings.Join(targets, "; ")
	if more := len(changes) - len(targets); more > 0 {
		text += fmt.Sprintf("; and %d more", more)
	}
	return text
}
