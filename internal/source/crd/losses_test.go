package crd_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/internal/source/sourcetest"
)

// TestLosses checks that a change that takes away what the cluster needs is an error in
// the log, an Event, and counted.
func TestLosses(t *testing.T) {
	s := newAPIServer(t)
	node := mapping{name: "node", arn: account + "role/Node", username: "system:node:{{EC2PrivateDNSName}}", groups: []string{"system:nodes"}}
	admin := mapping{name: "admin", arn: account + "role/Admin", username: "admin:{{SessionName}}", groups: []string{"system:masters"}}
	bob := mapping{name: "bob", arn: account + "user/bob", username: "bob"}
	s.apply(node, admin, bob)
	log := &buffer{}
	edits := make(chan string, 16)
	c := config(s.url)
	c.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelError}))
	c.OnEdit = func(lost []string) { edits <- strings.Join(lost, " ") }
	followed := newSource(t, c)
	sourcetest.Follow(t, followed)
	eventually(t, "read", func() bool { return followed.Current().Table != nil })
	expect := func(want string) {
		t.Helper()
		select {
		case got := <-edits:
			if got != want {
				t.Errorf("lost are %q, want %q", got, want)
			}
		case <-time.After(time.Minute):
			t.Fatalf("no edit is reported, want the loss of %q", want)
		}
	}
	s.remove("bob")
	expect("")
	s.remove("node")
	expect("system:nodes")
	admin.groups = []string{"viewers"}
	s.apply(admin)
	expect("system:masters")
	for i, want := range []string{"node NodesLost", "admin AdminsLost"} {
		eventually(t, "Event", func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			if len(s.reported) <= i {
				return false
			}
			event := s.reported[i]
			about, _ := event["involvedObject"].(map[string]any)
			if got := fmt.Sprint(about["name"], " ", event["reason"]); got != want || about["kind"] != "IAMIdentityMapping" || about["namespace"] != nil || (about["uid"] != nil) != (i == 1) {
				t.Errorf("Event %v, want %s", event, want)
			}
			return true
		})
	}
	for _, want := range []string{
		`code=NodesLost section=iamidentitymapping/node line=0 column=0 problem="no longer in system:nodes: role Node of account 231144931069"`,
		`code=AdminsLost section=iamidentitymapping/admin`,
		`fix="if that was not intended, apply the object again"`,
	} {
		if !log.contains(want) {
			t.Errorf("the log has no %s", want)
		}
	}
}
