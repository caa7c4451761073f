package authn_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/limit"
	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/token"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

const signature = "5f0e3bd1a7c94c0a3f6b2d8e1a9c7b5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b"

func signedAt() time.Time { return time.Date(2026, 11, 23, 8, 24, 57, 0, time.UTC) }

// bearer returns a token that differs from others at the end of its signature.
func bearer(n int) string {
	return token.Encode("https://sts.eu-west-2.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15" +
		"&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIATLABCDEFGHIJKLM2%2F20261123%2Feu-west-2%2Fsts%2Faws4_request" +
		"&X-Amz-Date=20261123T082457Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Signature=" +
		signature[:56] + fmt.Sprintf("%08x", n))
}

func hosts(t testing.TB) token.Hosts {
	t.Helper()
	hosts, err := token.NewHosts("aws")
	if err != nil {
		t.Fatal(err)
	}
	return hosts
}

func bob() identity.Identity { return proven("bob") }

// proven returns the identity of a session of role people, as from STS.
func proven(session string) identity.Identity {
	id, err := identity.Proven(identity.Answer{
		Account: "231144931069", ARN: "arn:aws:sts::231144931069:assumed-role/people/" + session, UserID: "AROAEXAMPLE:" + session,
	}, "ASIAEXAMPLE")
	if err != nil {
		panic(err)
	}
	return id
}

func verifies(id identity.Identity, err error) verify.Verifier {
	return verify.Func(func(context.Context, string, token.Request) (identity.Identity, error) {
		return id, err
	})
}

func maps(match mapper.Match, ok bool, err error) mapper.Mapper {
	return mapper.Func(func(context.Context, identity.Principal, *mapper.Trace) (mapper.Match, bool, error) {
		return match, ok, err
	})
}

func rule() mapper.Rule { return mapper.Rule{Source: "EKSConfigMap", Section: "mapRoles", Line: 7} }

func TestDecisions(t *testing.T) {
	match := mapper.Match{Username: "bob", Groups: []string{"people"}, Rule: rule()}
	good := maps(match, true, nil)
	ec2 := errors.New("EC2 does not answer")
	for name, test := range map[string]struct {
		bearer   string
		verifier verify.Verifier
		mapper   mapper.Mapper
		want     authn.Outcome
		reason   string
	}{
		"mapped":           {bearer(1), verifies(bob(), nil), good, authn.Mapped, ""},
		"malformed":        {"k8s-aws-v1.x", nil, nil, authn.Malformed, ""},
		"expired":          {bearer(1), nil, nil, authn.Expired, ""},
		"refused":          {bearer(1), verifies(identity.Identity{}, &verify.RefusedError{Status: 403, Code: "SignatureDoesNotMatch"}), nil, authn.Refused, "AWS STS does not accept the token"},
		"throttled":        {bearer(1), verifies(identity.Identity{}, &verify.ThrottledError{Status: 400, Code: "Throttling"}), nil, authn.Throttled, ""},
		"unreachable":      {bearer(1), verifies(identity.Identity{}, &verify.UnreachableError{Err: errors.New("no route")}), nil, authn.Unreachable, ""},
		"nonsense":         {bearer(1), verifies(identity.Identity{}, &verify.AnswerError{Status: 200, Reason: "no"}), nil, authn.Unreachable, ""},
		"saturated":        {bearer(1), verifies(identity.Identity{}, limit.ErrSaturated), nil, authn.Saturated, ""},
		"unmapped":         {bearer(1), verifies(bob(), nil), maps(mapper.Match{}, false, nil), authn.Unmapped, bob().Principal().CanonicalARN + ": it is not mapped to a Kubernetes user"},
		"denied":           {bearer(1), verifies(bob(), nil), maps(mapper.Match{}, false, &mapper.DeniedError{Reason: "reserved", Rule: rule()}), authn.Denied, bob().Principal().CanonicalARN + ": reserved"},
		"no username":      {bearer(1), verifies(bob(), nil), maps(mapper.Match{Rule: rule()}, true, nil), authn.Denied, bob().Principal().CanonicalARN + ": its mapping has an empty username"},
		"not synced":       {bearer(1), verifies(bob(), nil), maps(mapper.Match{}, false, mapper.ErrNotSynced), authn.MappingUnknown, ""},
		"EC2 out of reach": {bearer(1), verifies(bob(), nil), maps(mapper.Match{}, false, ec2), authn.MappingUnknown, ""},
	} {
		t.Run(name, func(t *testing.T) {
			never := verify.Func(func(context.Context, string, token.Request) (identity.Identity, error) {
				t.Error("STS was called")
				return identity.Identity{}, nil
			})
			config := authn.Config{ClusterID: "kubedemy", Hosts: hosts(t), Verifier: never, Mapper: good, Now: signedAt}
			if test.verifier != nil {
				config.Verifier = test.verifier
			}
			if test.mapper != nil {
				config.Mapper = test.mapper
			}
			if test.want == authn.Expired {
				config.Now = func() time.Time { return signedAt().Add(time.Hour) }
			}
			var log bytes.Buffer
			config.Audit = slog.New(slog.NewTextHandler(&log, nil))
			a, err := authn.New(config)
			if err != nil {
				t.Fatal(err)
			}
			d := a.Authenticate(t.Context(), test.bearer)
			a.Record(d)
			reason, id, _ := strings.Cut(strings.TrimSuffix(d.Reason, ")"), " (decision ")
			if d.Outcome != test.want || reason != test.reason || reason != "" && id != d.ID {
				t.Errorf("%s %q, want %s %q", d.Outcome, d.Reason, test.want, test.reason)
			}
			if isID := regexp.MustCompile("^[A-Z2-7]{8}$").MatchString(d.ID); isID != (test.want != authn.Mapped) || isID != strings.Contains(log.String(), " id="+d.ID) {
				t.Errorf("ID %q, and the audit says %s", d.ID, log.String())
			}
			if (d.User.Username != "") != (test.want == authn.Mapped) || (d.Err == nil) != (test.want == authn.Mapped) {
				t.Errorf("signed in as %q, with error %v", d.User.Username, d.Err)
			}
			if strings.Count(log.String(), "\n") != 1 || !strings.Contains(log.String(), "outcome="+string(test.want)) {
				t.Errorf("the audit says %s", log.String())
			}
			if strings.Contains(log.String(), signature[:20]) {
				t.Errorf("the audit gives the token away: %s", log.String())
			}
		})
	}
}

// TestSignedIn checks that SignedIn is called for a token that was just verified and
// mapped, but not for one that is unmapped or cached.
func TestSignedIn(t *testing.T) {
	good := maps(mapper.Match{Username: "bob", Rule: rule()}, true, nil)
	for name, test := range map[string]struct {
		err    error
		mapper mapper.Mapper
		want   int
	}{
		"mapped":      {nil, good, 1},
		"refused":     {&verify.RefusedError{Status: 403}, good, 0},
		"unmapped":    {nil, maps(mapper.Match{}, false, nil), 0},
		"denied":      {nil, maps(mapper.Match{}, false, &mapper.DeniedError{Reason: "reserved", Rule: rule()}), 0},
		"no username": {nil, maps(mapper.Match{Rule: rule()}, true, nil), 0},
		"not synced":  {nil, maps(mapper.Match{}, false, mapper.ErrNotSynced), 0},
	} {
		calls := 0
		a, err := authn.New(authn.Config{
			ClusterID: "kubedemy", Hosts: hosts(t), Mapper: test.mapper, Now: signedAt,
			Verifier: verifies(bob(), test.err), Cache: authn.CacheConfig{TTL: time.Minute},
			SignedIn: func(clusterID string, req token.Request) {
				calls++
				if clusterID != "kubedemy" || req.AccessKeyID() != "AKIATLABCDEFGHIJKLM2" {
					t.Errorf("%s: called with cluster %q and key %s", name, clusterID, req.AccessKeyID())
				}
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 3 { // the second and the third come from the cache
			a.Authenticate(t.Context(), bearer(1))
		}
		if calls != test.want {
			t.Errorf("%s: called %d times, want %d", name, calls, test.want)
		}
	}
}

func TestUser(t *testing.T) {
	match := mapper.Match{Username: "bob", Groups: []string{"people"}, Rule: rule()} // a username may be an ARN
	for name, test := range map[string]struct {
		scrubbed []string
		want     authn.User
	}{
		"as aws-iam-authenticator": {nil, authn.User{
			Username: "bob", UID: "aws-iam-authenticator:231144931069:AROAEXAMPLE", Groups: []string{"people"},
			Extra: []authn.Extra{
				{"accessKeyId", "ASIAEXAMPLE"}, {"arn", bob().Principal().ARN}, {"canonicalArn", bob().Principal().CanonicalARN},
				{"principalId", "AROAEXAMPLE"}, {"sessionName", "bob"}, {"sigs.k8s.io/aws-iam-authenticator/principalId", "AROAEXAMPLE"},
			},
		}},
		"scrubbed": {[]string{"231144931069"}, authn.User{
			Username: "bob", UID: "aws-iam-authenticator:administrative:bob", Groups: []string{"people"},
		}},
	} {
		var log bytes.Buffer
		a, err := authn.New(authn.Config{
			ClusterID: "kubedemy", Hosts: hosts(t), Verifier: verifies(bob(), nil), Mapper: maps(match, true, nil), ScrubbedAccounts: test.scrubbed, Now: signedAt,
			Audit: slog.New(slog.NewTextHandler(&log, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		d := a.Authenticate(t.Context(), bearer(1))
		a.Record(d)
		if diff := cmp.Diff(test.want, d.User); diff != "" {
			t.Errorf("%s (-want +got)\n%s", name, diff)
		}
		for _, part := range []string{"assumed-role", "bob", "people", "ASIAEXAMPLE", "AROAEXAMPLE"} {
			if strings.Contains(log.String(), part) != (test.scrubbed == nil) {
				t.Errorf("%s: the audit line is %s, and should contain %s: %v", name, log.String(), part, test.scrubbed == nil)
			}
		}
	}
}

// counting counts the calls, and returns answer's results.
type counting struct {
	asked  atomic.Int32
	answer func() (identity.Identity, error)
}

func (c *counting) Verify(context.Context, string, token.Request) (identity.Identity, error) {
	c.asked.Add(1)
	id, err := c.answer()
	return id, err
}

// remembers returns an authenticator of cluster kubedemy that maps every identity.
func remembers(t testing.TB, verifier verify.Verifier, config authn.CacheConfig, now func() time.Time) *authn.Authenticator {
	t.Helper()
	return remembersFor(t, "kubedemy", verifier, config, now)
}

func remembersFor(t testing.TB, clusterID string, verifier verify.Verifier, config authn.CacheConfig, now func() time.Time) *authn.Authenticator {
	t.Helper()
	a, err := authn.New(authn.Config{
		ClusterID: clusterID, Hosts: hosts(t), Verifier: verifier, Mapper: maps(mapper.Match{Username: "bob"}, true, nil), Cache: config, Now: now,
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestCache(t *testing.T) {
	refusal := &verify.RefusedError{Status: 403, Code: "SignatureDoesNotMatch"}
	for name, test := range map[string]struct {
		err  error
		ttl  time.Duration
		wait time.Duration // after the first request
		want int32
	}{
		"an identity":                         {nil, time.Minute, 59 * time.Second, 1},
		"an identity after its TTL":           {nil, time.Minute, 61 * time.Second, 2},
		"an identity until its token expires": {nil, time.Hour, 15*time.Minute - time.Second, 1},
		"no cache":                            {nil, 0, 0, 2},
		"a refusal":                           {refusal, time.Minute, 4 * time.Second, 1},
		"a refusal after 5 s":                 {refusal, time.Minute, 6 * time.Second, 2},
		"a refusal after a shorter TTL":       {refusal, time.Second, 2 * time.Second, 2},
		"an unreachable host is not cached":   {&verify.UnreachableError{Err: errors.New("x")}, time.Minute, 0, 2},
		"throttling is not cached":            {&verify.ThrottledError{}, time.Minute, 0, 2},
	} {
		now := signedAt()
		sts := &counting{answer: func() (identity.Identity, error) { return bob(), test.err }}
		a := remembers(t, sts, authn.CacheConfig{TTL: test.ttl}, func() time.Time { return now })
		first := a.Authenticate(t.Context(), bearer(1))
		now = now.Add(test.wait)
		second := a.Authenticate(t.Context(), bearer(1))
		if sts.asked.Load() != test.want || !errors.Is(first.Err, test.err) || !errors.Is(second.Err, test.err) {
			t.Errorf("%s: asked %d times, want %d (%v, %v)", name, sts.asked.Load(), test.want, first.Err, second.Err)
		}
		if first.Cached || second.Cached != (test.want == 1) {
			t.Errorf("%s: cached %v, then %v", name, first.Cached, second.Cached)
		}
		if d := a.Authenticate(t.Context(), bearer(2)); sts.asked.Load() != test.want+1 || !errors.Is(d.Err, test.err) {
			t.Errorf("%s: another token of the same key comes from the cache", name)
		}
	}
}

// TestCacheForgetsExpiredTokens checks that an identity leaves the cache when its
// token expires, even if the TTL is longer.
func TestCacheForgetsExpiredTokens(t *testing.T) {
	now := signedAt()
	a := remembers(t, verifies(bob(), nil), authn.CacheConfig{TTL: time.Hour}, func() time.Time { return now })
	if d := a.Authenticate(t.Context(), bearer(1)); d.Outcome != authn.Mapped {
		t.Fatal(d.Outcome, d.Err)
	}
	now = now.Add(15*time.Minute + time.Second)
	if d := a.Authenticate(t.Context(), bearer(1)); d.Outcome != authn.Expired {
		t.Errorf("an expired token is %s", d.Outcome)
	}
}

// TestClustersShareNothing checks that two clusters with one verifier do not share
// its results.
func TestClustersShareNothing(t *testing.T) {
	for _, ttl := range []time.Duration{time.Minute, 0} {
		synctest.Test(t, func(t *testing.T) {
			release := make(chan struct{})
			sts := verify.Func(func(_ context.Context, clusterID string, _ token.Request) (identity.Identity, error) {
				<-release
				if clusterID == "green" {
					return bob(), nil
				}
				return identity.Identity{}, &verify.RefusedError{Status: 403, Code: "SignatureDoesNotMatch"}
			})
			green := remembersFor(t, "green", sts, authn.CacheConfig{TTL: ttl}, signedAt)
			black := remembersFor(t, "black", sts, authn.CacheConfig{TTL: ttl}, signedAt)
			var all sync.WaitGroup
			all.Go(func() {
				if d := green.Authenticate(t.Context(), bearer(1)); d.Outcome != authn.Mapped {
					t.Error(d.Outcome, d.Err)
				}
			})
			synctest.Wait()
			all.Go(func() {
				if d := black.Authenticate(t.Context(), bearer(1)); d.Outcome != authn.Refused {
					t.Errorf("a token for another cluster is %s", d.Outcome)
				}
			})
			synctest.Wait()
			close(release)
			all.Wait()
			if d := black.Authenticate(t.Context(), bearer(1)); d.Outcome != authn.Refused {
				t.Errorf("afterwards a token for another cluster is %s", d.Outcome)
			}
		})
	}
}

// TestVerdicts checks the verdict of every outcome.
func TestVerdicts(t *testing.T) {
	verdicts := map[authn.Outcome]authn.Verdict{
		authn.Malformed: authn.No, authn.Expired: authn.No, authn.Refused: authn.No, authn.Unmapped: authn.No, authn.Denied: authn.No,
		authn.Throttled: authn.Undecided, authn.Unreachable: authn.Undecided, authn.Saturated: authn.Undecided, authn.MappingUnknown: authn.Undecided,
		authn.Mapped: authn.Yes, "unheard of": authn.Undecided,
	}
	for _, outcome := range append(authn.Outcomes(), "unheard of") {
		want, known := verdicts[outcome]
		if got := outcome.Verdict(); !known || got != want {
			t.Errorf("%s: %v, want %v", outcome, got, want)
		}
	}
}

// TestFloodOfRefusals checks that refusals evict no identity from the cache.
func TestFloodOfRefusals(t *testing.T) {
	sts := &counting{answer: func() (identity.Identity, error) { return bob(), nil }}
	a := remembers(t, sts, authn.CacheConfig{TTL: time.Minute, Size: 8}, signedAt)
	if d := a.Authenticate(t.Context(), bearer(0)); d.Outcome != authn.Mapped {
		t.Fatal(d.Outcome, d.Err)
	}
	sts.answer = func() (identity.Identity, error) { return identity.Identity{}, &verify.RefusedError{} }
	for n := range 100 {
		_ = a.Authenticate(t.Context(), bearer(n+1))
	}
	if d := a.Authenticate(t.Context(), bearer(0)); d.Outcome != authn.Mapped {
		t.Errorf("it is evicted: %v", d.Err)
	}
}

func TestCoalesce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		asked := 0
		a := remembers(t, verify.Func(func(ctx context.Context, _ string, _ token.Request) (identity.Identity, error) {
			asked++
			select {
			case <-release:
				return bob(), nil
			case <-ctx.Done():
				return identity.Identity{}, &verify.UnreachableError{Err: ctx.Err()}
			}
		}), authn.CacheConfig{}, signedAt)
		quitting, quit := context.WithCancel(t.Context())
		var all sync.WaitGroup
		ask := func(ctx context.Context) {
			all.Go(func() {
				if d := a.Authenticate(ctx, bearer(1)); d.Err != nil || d.Identity != bob() {
					t.Errorf("%v, %v", d.Identity, d.Err)
				}
			})
			synctest.Wait()
		}
		ask(quitting) // the others wait for the first one's verification
		for range 100 {
			ask(t.Context())
		}
		left := make(chan error)
		go func() {
			left <- a.Authenticate(quitting, bearer(1)).Err
		}()
		synctest.Wait()
		quit()
		// A follower returns at once. Its end is not an outage of STS.
		if err := <-left; !errors.Is(err, limit.ErrSaturated) || !errors.Is(err, context.Canceled) {
			t.Errorf("the error of a follower who hangs up is %v", err)
		}
		close(release)
		all.Wait()
		if asked != 1 {
			t.Errorf("101 requests for one token ask STS %d times", asked)
		}
		if d := a.Authenticate(t.Context(), bearer(1)); d.Err != nil || asked != 2 {
			t.Errorf("without a TTL the next request gets %v, and STS is asked %d times", d.Err, asked)
		}
	})
}

// TestFollowersAreBounded sends a few tokens many times while STS does not answer, and
// checks how many requests wait.
func TestFollowersAreBounded(t *testing.T) {
	for _, test := range []struct{ tokens, least, most int }{
		{1, 64, 256},    // 1 MiB, at 4 KiB and more for each
		{20, 500, 1100}, // 4 MiB
	} {
		synctest.Test(t, func(t *testing.T) {
			var release chan struct{}
			a := remembers(t, &counting{answer: func() (identity.Identity, error) { <-release; return bob(), nil }}, authn.CacheConfig{}, signedAt)
			for range 2 { // the second time like the first
				release = make(chan struct{})
				const requests = 2000
				results := make(chan error, requests)
				for n := range requests {
					go func() { results <- a.Authenticate(t.Context(), bearer(n%test.tokens)).Err }()
				}
				synctest.Wait()
				refused := len(results) // at once
				if waiting := requests - refused; waiting < test.least || waiting > test.most {
					t.Errorf("%d of %d requests for %d tokens wait, want %d to %d", waiting, requests, test.tokens, test.least, test.most)
				}
				// Another token is verified all the same.
				other := make(chan error, 1)
				go func() { other <- a.Authenticate(t.Context(), bearer(requests)).Err }()
				synctest.Wait()
				close(release)
				for n := range requests {
					if err := <-results; (n < refused) != errors.Is(err, limit.ErrSaturated) {
						t.Fatalf("result %d (%d came at once): %v", n, refused, err)
					}
				}
				if err := <-other; err != nil {
					t.Errorf("another token: %v", err)
				}
				synctest.Wait()
			}
		})
	}
}

// TestPanic checks that when a verification panics, which net/http recovers from,
// followers get an error, and the next request verifies.
func TestPanic(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		sts := &counting{answer: func() (identity.Identity, error) { <-release; panic("a bug") }}
		a := remembers(t, sts, authn.CacheConfig{TTL: time.Minute}, signedAt)
		var all sync.WaitGroup
		all.Go(func() {
			defer func() { _ = recover() }()
			_ = a.Authenticate(t.Context(), bearer(1))
		})
		synctest.Wait()
		all.Go(func() {
			if d := a.Authenticate(t.Context(), bearer(1)); d.Err == nil {
				t.Error("a follower signs in")
			}
		})
		synctest.Wait()
		close(release)
		all.Wait()
		sts.answer = func() (identity.Identity, error) { return bob(), nil }
		if d := a.Authenticate(t.Context(), bearer(1)); d.Outcome != authn.Mapped {
			t.Error(d.Err)
		}
	})
}

func TestNewRefuses(t *testing.T) {
	good := authn.Config{ClusterID: "kubedemy", Hosts: hosts(t), Verifier: verifies(bob(), nil), Mapper: maps(mapper.Match{}, false, nil)}
	for name, spoil := range map[string]func(*authn.Config){
		"no cluster":  func(c *authn.Config) { c.ClusterID = "" },
		"no hosts":    func(c *authn.Config) { c.Hosts = token.Hosts{} },
		"no verifier": func(c *authn.Config) { c.Verifier = nil },
		"no mapper":   func(c *authn.Config) { c.Mapper = nil },
	} {
		config := good
		spoil(&config)
		if _, err := authn.New(config); err == nil {
			t.Errorf("%s: New accepts it", name)
		}
	}
}

func BenchmarkAuthenticate(b *testing.B) {
	for name, ttl := range map[string]time.Duration{"cached": time.Minute, "verified": 0} {
		a, err := authn.New(authn.Config{
			ClusterID: "kubedemy", Hosts: hosts(b), Now: signedAt, Mapper: maps(mapper.Match{Username: "bob"}, true, nil),
			Verifier: limit.New(verifies(bob(), nil)), Cache: authn.CacheConfig{TTL: ttl},
		})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			text := bearer(1)
			b.ReportAllocs()
			for b.Loop() {
				if d := a.Authenticate(b.Context(), text); d.Outcome != authn.Mapped {
					b.Fatal(d.Outcome)
				}
			}
		})
	}
}
