package cluster_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/cluster"
	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/token"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const account = "231144931069"

// textSource is a source that has read a text. If the text is empty, it has read
// nothing yet.
type textSource struct {
	source.InForce
	name    string
	running chan struct{}
}

func newSource(name, text string) *textSource {
	s := &textSource{name: name, running: make(chan struct{})}
	if text != "" {
		read := awsauth.Parse(map[string]string{"mapUsers": text, "mapAccounts": "- '" + account + "'"}, nil, awsauth.Options{Source: name})
		s.Swap(source.Snapshot{Table: read.Table, Problems: read.Problems})
	}
	return s
}

func (s *textSource) Name() string { return s.name }

func (s *textSource) Run(ctx context.Context) {
	close(s.running)
	<-ctx.Done()
}

func maps(user, username string) string {
	return "- userarn: arn:aws:iam::" + account + ":user/" + user + "\n  username: " + username + "\n"
}

// newCluster returns a cluster with an STS that accepts every token as the user's.
func newCluster(t *testing.T, user string, spoil func(*cluster.Config), sources ...source.Source) (*cluster.Cluster, error) {
	t.Helper()
	hosts, err := token.NewHosts("aws")
	if err != nil {
		t.Fatal(err)
	}
	owner, err := mapper.Owner("aws", "arn:aws:iam::"+account+":user/owner")
	if err != nil {
		t.Fatal(err)
	}
	config := cluster.Config{
		ID: "blue", Hosts: hosts, Owner: owner, Sources: sources,
		Verifier: verify.Func(func(_ context.Context, clusterID string, _ token.Request) (identity.Identity, error) {
			if clusterID != "blue" {
				t.Errorf("a token is verified for cluster %q", clusterID)
			}
			id, err := identity.Proven(identity.Answer{Account: account, ARN: "arn:aws:iam::" + account + ":user/" + user, UserID: "AIDAEXAMPLE"}, "AKIAEXAMPLE")
			return id, err
		}),
		ReservedPrefixes: map[string][]string{"guarded": {"system:", "arn:"}},
		Now:              func() time.Time { return time.Date(2026, 11, 23, 8, 24, 57, 0, time.UTC) },
	}
	if spoil != nil {
		spoil(&config)
	}
	return cluster.New(config)
}

func bearer() string {
	return token.Encode("https://sts.eu-west-2.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15" +
		"&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIATLABCDEFGHIJKLM2%2F20261123%2Feu-west-2%2Fsts%2Faws4_request" +
		"&X-Amz-Date=20261123T082457Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Signature=" + strings.Repeat("0", 64))
}

// TestForeign checks that an unmapped identity is foreign unless a mapping names its
// account.
func TestForeign(t *testing.T) {
	named, empty := newSource("named", ""), newSource("empty", "")
	empty.Swap(source.Snapshot{Table: mapper.NewTable(nil, nil, mapper.RolePathsIgnore)})
	named.Swap(source.Snapshot{Table: mapper.NewTable([]mapper.Entry{{ARN: "arn:aws:iam::" + account + ":user/bob"}}, nil, mapper.RolePathsIgnore)})
	for name, test := range map[string]struct {
		sources []source.Source
		foreign bool
	}{
		"no source":        {nil, true},
		"an entry's":       {[]source.Source{named}, false},
		"a later source's": {[]source.Source{empty, named}, false},
		"nobody's":         {[]source.Source{empty}, true},
	} {
		c, err := newCluster(t, "alice", nil, test.sources...)
		if err != nil {
			t.Fatal(err)
		}
		if d := c.Authenticate(t.Context(), bearer()); d.Outcome != authn.Unmapped || d.Foreign != test.foreign {
			t.Errorf("%s: %s, foreign: %v", name, d.Outcome, d.Foreign)
		}
	}
}

// reporting is a source that notes the unmapped identities.
type reporting struct {
	*textSource
	unmapped []string
}

func (r *reporting) Unmapped(arn string) { r.unmapped = append(r.unmapped, arn) }

// TestUnmappedAreReported checks that sources learn of identities of the cluster's
// accounts alone, and never of scrubbed ones.
func TestUnmappedAreReported(t *testing.T) {
	for name, test := range map[string]struct {
		user, named string
		scrubbed    []string
		want        string
	}{
		"unmapped": {"alice", account, nil, "arn:aws:iam::" + account + ":user/alice"},
		"mapped":   {"bob", account, nil, ""},
		"foreign":  {"alice", "111122223333", nil, ""},
		"scrubbed": {"alice", account, []string{account}, ""},
	} {
		s := &reporting{textSource: newSource("reporting", "")}
		s.Swap(source.Snapshot{Table: mapper.NewTable([]mapper.Entry{{ARN: "arn:aws:iam::" + test.named + ":user/bob", Username: username(t)}}, nil, mapper.RolePathsIgnore)})
		c, err := newCluster(t, test.user, func(c *cluster.Config) { c.ScrubbedAccounts = test.scrubbed }, s)
		if err != nil {
			t.Fatal(err)
		}
		d := c.Authenticate(t.Context(), bearer())
		c.Record(d)
		if got := strings.Join(s.unmapped, " "); got != test.want {
			t.Errorf("%s: %s, reported %q, want %q", name, d.Outcome, got, test.want)
		}
	}
}

func username(t *testing.T) mapper.Template {
	t.Helper()
	template, err := mapper.ParseTemplate("bob")
	if err != nil {
		t.Fatal(err)
	}
	return template
}

// TestOrder checks the precedence: the owner, every source's entries, the accounts.
func TestOrder(t *testing.T) {
	first, second := newSource("first", maps("alice", "alice-of-first")), newSource("second", maps("alice", "alice-of-second")+maps("bob", "bob-of-second"))
	guarded, unread := newSource("guarded", maps("alice", "system:admin")), newSource("unread", "")
	for name, test := range map[string]struct {
		user     string
		sources  []source.Source
		outcome  authn.Outcome
		username string
	}{
		"the owner comes first, even with unread sources": {"owner", []source.Source{unread}, authn.Mapped, "kubernetes-admin"},
		"the first source that matches":                   {"alice", []source.Source{first, second}, authn.Mapped, "alice-of-first"},
		"a later source before an account":                {"bob", []source.Source{first, second}, authn.Mapped, "bob-of-second"},
		"an account comes last":                           {"carol", []source.Source{first, second}, authn.Mapped, "arn:aws:iam::" + account + ":user/carol"},
		"nothing":                                         {"carol", nil, authn.Unmapped, ""},
		"an unread source may have an earlier entry":      {"alice", []source.Source{unread, first}, authn.MappingUnknown, ""},
		"a source before an unread one decides":           {"alice", []source.Source{first, unread}, authn.Mapped, "alice-of-first"},
		"reserved prefixes guard entries":                 {"alice", []source.Source{guarded, first}, authn.Denied, ""},
		"reserved prefixes guard accounts":                {"carol", []source.Source{guarded}, authn.Denied, ""},
	} {
		signedIn := false
		c, err := newCluster(t, test.user, func(c *cluster.Config) {
			c.SignedIn = func(string, token.Request) { signedIn = true }
		}, test.sources...)
		if err != nil {
			t.Fatal(err)
		}
		if d := c.Authenticate(t.Context(), bearer()); d.Outcome != test.outcome || d.User.Username != test.username {
			t.Errorf("%s: %s %q (%v), want %s %q", name, d.Outcome, d.User.Username, d.Err, test.outcome, test.username)
		}
		if want := test.outcome == authn.Mapped; signedIn != want {
			t.Errorf("%s: SignedIn is called: %v, want %v", name, signedIn, want)
		}
	}
}

// TestDenyFile checks that a denied principal is refused although a mapping, or the
// cluster owner's flag, maps it and its identity is cached.
func TestDenyFile(t *testing.T) {
	for _, user := range []string{"owner", "alice", "carol"} {
		var denied atomic.Bool
		c, err := newCluster(t, user, func(c *cluster.Config) {
			c.Cache.TTL = time.Minute
			c.Denies = func(p identity.Principal) (mapper.Rule, bool) {
				return mapper.Rule{Source: "deny file", Line: 3}, denied.Load() && p.AccessKeyID == "AKIAEXAMPLE"
			}
		}, newSource("first", maps("alice", "alice")))
		if err != nil {
			t.Fatal(err)
		}
		if d := c.Authenticate(t.Context(), bearer()); d.Outcome != authn.Mapped {
			t.Errorf("%s: %s (%v) before the denial", user, d.Outcome, d.Err)
		}
		denied.Store(true)
		d := c.Authenticate(t.Context(), bearer())
		if d.Outcome != authn.Denied || !d.Cached || d.Rule.Line != 3 || d.User.Username != "" || !strings.Contains(d.Reason, ":user/"+user+": it is denied by the deny file") {
			t.Errorf("%s: %s, cached: %v, %+v, reason %q", user, d.Outcome, d.Cached, d.Rule, d.Reason)
		}
	}
}

func TestReadyAndRun(t *testing.T) {
	read, unread := newSource("read", maps("bob", "bob")), newSource("unread", "")
	c, err := newCluster(t, "bob", nil, read, unread)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Ready(); err == nil || !strings.Contains(err.Error(), "source unread is not read yet") || strings.Contains(err.Error(), "source read") {
		t.Errorf("with an unread source: %v", err)
	}
	unread.Swap(read.Current())
	if err := c.Ready(); err != nil {
		t.Error(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { c.Run(ctx) })
	<-read.running
	<-unread.running
	stop()
	running.Wait()
}

func TestNewRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*cluster.Config){
		"no ID":       func(c *cluster.Config) { c.ID = "" },
		"no hosts":    func(c *cluster.Config) { c.Hosts = token.Hosts{} },
		"no verifier": func(c *cluster.Config) { c.Verifier = nil },
		"no owner":    func(c *cluster.Config) { c.Owner = nil },
	} {
		if _, err := newCluster(t, "bob", spoil); err == nil {
			t.Errorf("%s: New accepts it", name)
		}
	}
}
