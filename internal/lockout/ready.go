package lockout

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/kube-iam/authenticator/pkg/mapper"
)

// Nodes are what is known about the nodes of a cluster: [ReadyNodes], [UnknownNodes] or
// [SeenNodes].
type Nodes interface {
	// using says that a node may sign in with a grant of a table; empty if none may.
	using(from *mapper.Table, grant mapper.Grant) string
}

// ReadyNodes are the names of the nodes that are ready.
type ReadyNodes []string

// maxNamed is the number of nodes that a danger names.
const maxNamed = 3

func (n ReadyNodes) using(_ *mapper.Table, grant mapper.Grant) string {
	pattern := usernames(grant.Username)
	var using []string
	for _, node := range n {
		if pattern.MatchString(nodePrefix + node) {
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

// nodePrefix begins the username of a node.
const nodePrefix = "system:node:"

var placeholder = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\\\{\\\{[^}]*\\\}\\\}`) })

// usernames returns a pattern of the usernames that a template expands to.
func usernames(template string) *regexp.Regexp {
	quoted := placeholder().ReplaceAllString(regexp.QuoteMeta(template), ".+")
	pattern, err := regexp.Compile("^(?:" + quoted + ")$")
	if err != nil {
		return regexp.MustCompile("") // every node may use it
	}
	return pattern
}

// UnknownNodes are nodes that are not known, and why. Every node role counts as in use.
type UnknownNodes struct{ Reason error }

func (n UnknownNodes) using(*mapper.Table, mapper.Grant) string {
	return "the nodes that may use it are unknown: " + n.Reason.Error()
}
