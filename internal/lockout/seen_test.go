package lockout_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-iam/authenticator/internal/lockout"
	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// clock is a clock that stands still between steps.
type clock struct{ time.Time }

func (c *clock) now() time.Time { return c.Time }

func nodeRole(name string) identity.Principal {
	return identity.Principal{CanonicalARN: "arn:aws:iam::111122223333:role/" + name, Partition: "aws", AccountID: "111122223333", SessionName: "i-0123456789abcdef0"}
}

func TestSeenNodes(t *testing.T) {
	t.Parallel()
	const unknown = "role Node of account 111122223333 would leave system:nodes, and nodes may use it: whether one signed in within the last 30 minutes is not known yet"
	otherNode := strings.Replace(node, "role/Node", "role/Other", 1)
	const inUse = "role Node of account 111122223333 would leave system:nodes, and node ip-1 signed in with it in the last 30 minutes"
	for _, test := range []struct {
		name string
		// seen is how long ago whom a node signed in with did so; 0 if none did.
		role string
		ago  time.Duration
		up   time.Duration
		want []string
	}{
		{"a server that has just started", "", 0, 0, []string{unknown}},
		{"just before all is known", "", 0, 30*time.Minute - 1, []string{unknown}},
		{"once all is known", "", 0, 30 * time.Minute, nil},
		{"in use", "Node", 30 * time.Minute, time.Hour, []string{inUse}},
		{"no longer in use", "Node", 30*time.Minute + 1, time.Hour, nil},
		{"another role for the same nodes", "Other", time.Minute, time.Hour, nil},
		{"in use, of a server that has just started", "Node", time.Second, time.Second, []string{inUse}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c := &clock{time.Unix(1e9, 0)}
			nodes := lockout.NewSeenNodes(c.now)
			c.Time = c.Add(test.up - test.ago)
			if test.role != "" {
				nodes.SignedIn(nodeRole(test.role), "system:node:ip-1")
			}
			c.Time = c.Add(test.ago)
			if diff := cmp.Diff(test.want, lockout.Dangers(table(node+otherNode), table(otherNode), mapper.Diff(table(node+otherNode), table(otherNode)), lockout.Facts{Nodes: nodes})); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestSeenNodesAreBounded signs more roles in than are remembered: then none counts as
// unused until a time in which they all would have signed in again.
func TestSeenNodesAreBounded(t *testing.T) {
	t.Parallel()
	c := &clock{time.Unix(1e9, 0)}
	nodes := lockout.NewSeenNodes(c.now)
	c.Time = c.Add(time.Hour)
	dangers := func() int {
		return len(lockout.Dangers(table(node), table("[]"), mapper.Diff(table(node), table("[]")), lockout.Facts{Nodes: nodes}))
	}
	for i := range 1000 {
		nodes.SignedIn(nodeRole(fmt.Sprint("R", i)), "system:node:x")
	}
	if dangers() != 0 {
		t.Error("at the limit, an unused role counts as in use")
	}
	nodes.SignedIn(nodeRole("Node"), "system:node:ip-1")
	if dangers() != 1 {
		t.Error("beyond the limit, a role that is not remembered counts as unused")
	}
	c.Time = c.Add(31 * time.Minute)
	nodes.SignedIn(nodeRole("Last"), "system:node:x") // makes room
	nodes.SignedIn(nodeRole("Node"), "system:node:ip-1")
	c.Time = c.Add(30 * time.Minute)
	if dangers() != 1 {
		t.Error("a role that signed in after there was room is not remembered")
	}
	c.Time = c.Add(time.Minute)
	if dangers() != 0 {
		t.Error("an unused role counts as in use for ever")
	}
}

func TestCaller(t *testing.T) {
	t.Parallel()
	arn := "arn:aws:iam::111122223333:role/Admin"
	for name, test := range map[string]struct {
		extra map[string][]string
		want  *identity.Principal
	}{
		"nobody of AWS": {nil, nil},
		"no ARN":        {map[string][]string{"canonicalArn": {"admin"}}, nil},
		"a role":        {map[string][]string{"canonicalArn": {arn}, "sessionName": {"ann"}}, &identity.Principal{CanonicalARN: arn, Partition: "aws", AccountID: "111122223333", SessionName: "ann"}},
	} {
		if diff := cmp.Diff(test.want, lockout.Caller(test.extra)); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", name, diff)
		}
	}
}
