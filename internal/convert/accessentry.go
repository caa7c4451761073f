package convert

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kube-iam/authenticator/internal/shell"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// accessEntry writes the commands that create an access entry.
func (c *conversion) accessEntry(entry *mapper.Entry, clusterName string) {
	arn, username, groups := entry.ARN, entry.Username.String(), groupsOf(entry)
	if arn == "" {
		c.lose("unique ID %s: an access entry needs the ARN of its principal", entry.UserID)
		return
	}
	_, resource, _ := cutARN(arn)
	if !strings.HasPrefix(resource, "role/") && !strings.HasPrefix(resource, "user/") {
		c.lose("%s: access entries are for users and roles", arn)
		return
	}
	create := "aws eks create-access-entry --cluster-name " + shell.Quote(clusterName) + " --principal-arn " + shell.Quote(arn)
	if kind := nodeType(username, groups); kind != "" && strings.HasPrefix(resource, "role/") {
		fmt.Fprintf(c, "%s --type %s\n", create, kind)
		return
	}
	if why := reservedUsername(username); why != "" {
		c.lose("the username %s of %s: %s; the access entry gets the default", username, arn, why)
	} else {
		create += " --username " + shell.Quote(username)
	}
	var kept []string
	for _, group := range groups {
		switch {
		case group == mapper.MastersGroup: // a policy, below
		case strings.Contains(group, "{{"):
			c.lose("the group %s of %s: access entries have no placeholders in groups", group, arn)
		case hasReservedPrefix(group):
			c.lose("the group %s of %s: access entries have no groups that start with system:, eks:, aws:, amazon: or iam:", group, arn)
		default:
			kept = append(kept, shell.Quote(group))
		}
	}
	if len(kept) > 0 {
		create += " --kubernetes-groups " + strings.Join(kept, " ")
	}
	fmt.Fprintln(c, create)
	if slices.Contains(groups, mapper.MastersGroup) {
		partition, _, _ := cutARN(arn)
		fmt.Fprintf(c, "aws eks associate-access-policy --cluster-name %s --principal-arn %s --policy-arn arn:%s:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy --access-scope type=cluster\n",
			shell.Quote(clusterName), shell.Quote(arn), partition)
	}
}

// nodeType returns the type of the access entry of a node role; empty for others.
func nodeType(username string, groups []string) string {
	switch {
	case !slices.Contains(groups, mapper.NodesGroup):
		return ""
	case strings.Contains(username, "{{SessionName}}"):
		return "FARGATE_LINUX"
	case slices.Contains(groups, "eks:kube-proxy-windows"):
		return "EC2_WINDOWS"
	case strings.Contains(username, "{{EC2PrivateDNSName}}"):
		return "EC2_LINUX"
	}
	return ""
}

func hasReservedPrefix(name string) bool {
	return slices.ContainsFunc([]string{"system:", "eks:", "aws:", "amazon:", "iam:"}, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// reservedUsername says why an access entry cannot have a username; empty if it can.
func reservedUsername(username string) string {
	if hasReservedPrefix(username) {
		return "access entries have no usernames that start with system:, eks:, aws:, amazon: or iam:"
	}
	for rest := username; ; {
		before, after, found := strings.Cut(rest, "{{")
		if !found {
			return ""
		}
		name, tail, _ := strings.Cut(after, "}}")
		switch {
		case name != "SessionName" && name != "SessionNameRaw":
			return "access entries have no {{" + name + "}}"
		case !strings.Contains(username[:len(username)-len(rest)]+before, ":"):
			return "in access entries, a colon must come before {{" + name + "}}"
		}
		rest = tail
	}
}

// cutARN returns the partition, resource and account of an ARN.
func cutARN(arn string) (partition, resource, account string) {
	parts := strings.SplitN(arn, ":", 6)
	if len(parts) < 6 {
		return "", "", ""
	}
	return parts[1], parts[5], parts[4]
}
