package lockout

import (
	"fmt"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

const (
	// memory is how long a node counts as in use after it signed in. A kubelet signs in
	// every few minutes, when its token expires in the kube-apiserver's cache.
	memory = 30 * time.Minute
	// maxSeen bounds the roles that are remembered. A cluster has a few.
	maxSeen = 1000
)

// SeenNodes are the node roles that signed in within the last 30 minutes. Until they are
// complete, every node role counts as in use: for the first 30 minutes, and for as long
// after more roles signed in than are remembered.
type SeenNodes struct {
	now func() time.Time

	mu       sync.Mutex
	complete time.Time
	seen     map[string]sighting // by canonical ARN
}

// A sighting is the last sign-in of a node with a role.
type sighting struct {
	role     identity.Principal
	username string
	time     time.Time
}

// NewSeenNodes returns the nodes of a server that starts now.
func NewSeenNodes(now func() time.Time) *SeenNodes {
	return &SeenNodes{now: now, complete: now().Add(memory), seen: map[string]sighting{}}
}

// SignedIn remembers that a principal signed in as a node.
func (n *SeenNodes) SignedIn(who identity.Principal, username string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	if _, known := n.seen[who.CanonicalARN]; !known && len(n.seen) >= maxSeen {
		maps.DeleteFunc(n.seen, func(_ string, s sighting) bool { return now.Sub(s.time) > memory })
		if len(n.seen) >= maxSeen {
			n.complete = now.Add(memory)
			return
		}
	}
	n.seen[who.CanonicalARN] = sighting{who, username, now}
}

func (n *SeenNodes) using(from *mapper.Table, grant mapper.Grant) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	for _, s := range n.seen {
		if now.Sub(s.time) > memory {
			continue
		}
		if match, ok := access(from, s.role, nil); ok && match.Rule == grant.Rule {
			return fmt.Sprintf("node %s signed in with it in the last %d minutes", strings.TrimPrefix(s.username, nodePrefix), int(memory.Minutes()))
		}
	}
	if now.Before(n.complete) {
		return fmt.Sprintf("nodes may use it: whether one signed in within the last %d minutes is not known yet", int(memory.Minutes()))
	}
	return ""
}
