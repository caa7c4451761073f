//go:build e2e

package e2e

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-iam/authenticator/pkg/lab"
)

// oddRoles is text that only an edit by lines leaves as it is.
const oddRoles = `# Owned by the platform team.
- groups: [people]   # odd order
  username: "first"
  rolearn: arn:aws:iam::231144931069:role/First
  note: an unknown key
# The next one is for CI.
- rolearn: 'arn:aws:iam::231144931069:role/Second'

  username: second:{{SessionName}}
`

// An edition is an edit in the output of `authenticator map history`.
type edition struct {
	Number          int
	Who             string
	ResourceVersion string
	Changes         []string
}

// history returns the edits of aws-auth.
func (s *shell) history() []edition {
	s.t.Helper()
	var editions []edition
	s.decode("authenticator map history -o json --context administrator", &editions)
	return editions
}

// TestMapEditsAWSAuth adds, changes and removes a mapping, and rolls back. All else in
// aws-auth stays byte for byte, and each edit is in the history with who made it.
func TestMapEditsAWSAuth(t *testing.T) {
	setAWSAuth(t, map[string]string{"mapRoles": oddRoles, "mapUsers": "[]  # nobody yet\n", "notes": "not a section\n"})
	s := withAuthenticator(newShell(t, awsCLIs(t)[0]))
	const flags = " --context administrator"
	get := func() *corev1.ConfigMap {
		t.Helper()
		found, err := awsAuth(t).Get(t.Context(), "aws-auth", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	before := get()
	var begin edition
	// The edits of earlier tests may wait to be recorded.
	eventually(t, watchDelay+eventDelay, "the server's entry in the history", func() bool {
		history := s.history()
		if len(history) == 0 {
			return false
		}
		begin = history[len(history)-1]
		return begin.ResourceVersion == before.ResourceVersion
	})
	if !strings.HasPrefix(begin.Who, "unknown (field manager ") {
		t.Errorf("who edits without the command is %q in the history", begin.Who)
	}
	// hasRoles says that mapRoles is this, and that all else is as before.
	hasRoles := func(roles string) {
		t.Helper()
		want := maps.Clone(before.Data)
		want["mapRoles"] = roles
		if got := get().Data; !maps.Equal(got, want) {
			t.Errorf("aws-auth is\n%q, want\n%q", got, want)
		}
	}

	const add = "authenticator map add role --rolearn arn:aws:iam::231144931069:role/Third --username third --groups people" + flags
	s.run(add)
	roles := before.Data["mapRoles"]
	added := get()
	inserted, ok := insertion(roles, added.Data["mapRoles"])
	if !ok || !strings.Contains(inserted, "role/Third") {
		t.Fatalf("add changes other lines: mapRoles was\n%s\nand is\n%s", roles, added.Data["mapRoles"])
	}
	hasRoles(added.Data["mapRoles"])
	if said := s.run(add); !strings.Contains(said, "unchanged") || get().ResourceVersion != added.ResourceVersion {
		t.Errorf("adding twice edits aws-auth: %s", said)
	}

	const set = "authenticator map add role --rolearn arn:aws:iam::231144931069:role/First --username first --groups people,oncall" + flags
	if asked := s.try(set); asked.exitCode() != 2 || !strings.Contains(asked.stderr, "--yes") {
		t.Errorf("a change of access without a terminal exits with %v: %s", asked.err, asked.stderr)
	}
	s.run(set + " --yes")
	hasRoles(strings.Replace(added.Data["mapRoles"], "[people]", "[people, oncall]", 1))

	s.run("authenticator map remove arn:aws:iam::231144931069:role/Third --yes" + flags)
	removed := strings.Replace(roles, "[people]", "[people, oncall]", 1)
	hasRoles(removed)

	s.run("authenticator map rollback --yes" + flags)
	hasRoles(strings.Replace(added.Data["mapRoles"], "[people]", "[people, oncall]", 1))
	s.run("authenticator map rollback --yes" + flags + " " + strconv.Itoa(begin.Number))
	hasRoles(roles)

	who := strings.TrimSpace(s.run("kubectl auth whoami --context administrator --output jsonpath={.status.userInfo.username}"))
	edits := slices.DeleteFunc(s.history(), func(e edition) bool { return e.Number <= begin.Number })
	wants := []string{"role Third", "role First", "role Third", "role Third", "role Third"}
	if len(edits) != len(wants) {
		t.Fatalf("the history has %d edits, want %d: %+v", len(edits), len(wants), edits)
	}
	for i, want := range wants {
		if e := edits[i]; !strings.Contains(e.Who, who) || !strings.Contains(strings.Join(e.Changes, "; "), want) {
			t.Errorf("the history has %+v, want an edit of %s by %s", e, want, who)
		}
	}
}

// insertion returns what was inserted into a text; false if it changed otherwise.
func insertion(before, after string) (string, bool) {
	at := 0
	for at < min(len(before), len(after)) && before[at] == after[at] {
		at++
	}
	return strings.CutSuffix(after[at:], before[at:])
}

// TestServersKeepOneHistory edits aws-auth under the eyes of two servers: each edit is in
// the history once.
func TestServersKeepOneHistory(t *testing.T) {
	s := withAuthenticator(newShell(t, awsCLIs(t)[0]))
	keepAWSAuth(t)
	beside := serve(s, "server", "--cluster-id=kubedemy", "--backend-mode=EKSConfigMap", "--kubeconfig="+accountOfTheManifests(s))
	edit := func(username string) string {
		t.Helper()
		putAWSAuth(t, nil, map[string]string{"mapRoles": lab.NodesMapping(), "mapUsers": "- userarn: arn:aws:iam::231144931069:user/one\n  username: " + username + "\n"})
		found, err := awsAuth(t).Get(t.Context(), "aws-auth", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return found.ResourceVersion
	}
	entries := func(version string) (n int) {
		for _, e := range s.history() {
			if e.ResourceVersion == version {
				n++
			}
		}
		return n
	}
	seen := beside.metric("aws_auth_edits_total")
	const edits = 5
	var versions []string
	for i := range edits {
		versions = append(versions, edit("both"+strconv.Itoa(i)))
		eventually(t, watchDelay, "in the history", func() bool { return entries(versions[i]) > 0 })
	}
	eventually(t, watchDelay, "all edits seen by the other server", func() bool { return beside.metric("aws_auth_edits_total") == seen+edits })

	// The lab's server may not write any more: so the other one wrote what is there now.
	if err := suite.DenyAWSAuth(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := suite.AllowAWSAuth(context.Background()); err != nil {
			t.Error(err)
		}
		if err := suite.RestartAuthenticator(context.Background(), true); err != nil {
			t.Error(err)
		}
	})
	versions = append(versions, edit("alone"))
	eventually(t, watchDelay, "in the history by the other server", func() bool { return entries(versions[edits]) > 0 })
	for i, version := range versions {
		if n := entries(version); n != 1 {
			t.Errorf("edit %d is in the history %d times: %+v", i, n, s.history())
		}
	}
}
