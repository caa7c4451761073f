package configmap

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// The codes of what an edit takes away and a cluster cannot do without.
const (
	NodesLost  mapper.Code = "NodesLost"  // a mapping to system:nodes
	AdminsLost mapper.Code = "AdminsLost" // the last mapping to system:masters
	Deleted    mapper.Code = "Deleted"    // aws-auth itself
)

const rollback = "if that was not intended, run: authenticator map rollback"

// A Loss is a group that an edit takes away from those who need it.
type Loss struct {
	Group   string
	Problem mapper.Problem
}

// Losses returns what the cluster loses if a new table replaces an old one.
func Losses(before, after *mapper.Table) (losses []Loss) {
	delta := mapper.Diff(before, after)
	if nodes := delta.Leaving(mapper.NodesGroup); len(nodes) > 0 {
		losses = append(losses, loss(mapper.NodesGroup, NodesLost, nodes, "nodes that sign in that way lose the cluster within 3 minutes"))
	}
	if masters := delta.Leaving(mapper.MastersGroup); delta.LosesLastMaster && len(masters) > 0 {
		losses = append(losses, loss(mapper.MastersGroup, AdminsLost, masters,
			"aws-auth maps nobody to that group any more: only cluster owners and client certificates are administrators"))
	}
	return losses
}

func loss(group string, code mapper.Code, changes []mapper.Change, effect string) Loss {
	return Loss{group, mapper.Problem{
		Code: code, Severity: mapper.Error, Section: changes[0].Old.Rule.Section,
		Message: "no longer in " + group + ": " + names(changes), Effect: effect, Fix: rollback,
	}}
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

func deletion() mapper.Problem {
	return mapper.Problem{
		Code: Deleted, Severity: mapper.Error, Section: kube.AWSAuth,
		Message: "it was deleted", Effect: "nobody whom it mapped can sign in", Fix: "create it again; " + rollback,
	}
}

// reportLosses reports what an edit takes away.
func (c *ConfigMap) reportLosses(configMap *unstructured.Unstructured, losses []Loss) {
	var groups []string
	for _, loss := range losses {
		groups = append(groups, loss.Group)
		loss.Problem.Log(c.config.Log, "an edit of aws-auth takes away what the cluster needs")
		c.events.Warn(configMap, string(loss.Problem.Code), loss.Problem.String())
	}
	c.config.OnEdit(groups)
}
