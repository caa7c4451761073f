package authn_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/skew"
	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/token"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

// TestClocks makes, checks and verifies a token by three clocks: the decision, its line in
// the log and the explanation say whose is wrong.
func TestClocks(t *testing.T) {
	const agree = "; the clock of the server is right"
	for name, test := range map[string]struct {
		server, client time.Duration // ahead of STS
		outcome        authn.Outcome
		clocks         string
	}{
		"all are right":                 {0, 0, authn.Mapped, ""},
		"the server 2 minutes ahead":    {2 * time.Minute, 0, authn.Mapped, ""},
		"the server 14 minutes behind":  {-14 * time.Minute, 0, authn.Mapped, ""},
		"the server 16 minutes ahead":   {16 * time.Minute, 0, authn.Expired, "the clock of the server is 16m0s ahead of that of AWS STS"},
		"the server 16 minutes behind":  {-16 * time.Minute, 0, authn.Malformed, "the clock of the server is 16m0s behind that of AWS STS"},
		"the server hours ahead":        {5 * time.Hour, 0, authn.Expired, "the clock of the server is 5h0m0s ahead of that of AWS STS"},
		"the server hours behind":       {-5 * time.Hour, 0, authn.Malformed, "the clock of the server is 5h0m0s behind that of AWS STS"},
		"the client 16 minutes ahead":   {0, 16 * time.Minute, authn.Malformed, "the clock of the machine that made the token is at least 16m0s ahead of that of AWS STS" + agree},
		"the client hours behind":       {0, -5 * time.Hour, authn.Expired, "the token was signed 5h0m0s ago, or the clock of the machine that made it is up to 5h0m0s behind that of AWS STS" + agree},
		"both an hour ahead":            {time.Hour, time.Hour, authn.Refused, "the clock of the server is 1h0m0s ahead of that of AWS STS, and the clock of the machine that made the token is at least 1h0m0s ahead of it"},
		"both an hour behind":           {-time.Hour, -time.Hour, authn.Refused, "the clock of the server is 1h0m0s behind that of AWS STS; by the clock of AWS STS, the token was signed 1h0m0s ago"},
		"the client only a little late": {0, -14 * time.Minute, authn.Mapped, ""},
	} {
		t.Run(name, func(t *testing.T) {
			sts := signedAt().Add(-test.client)
			now := func() time.Time { return sts.Add(test.server) }
			clocks := skew.New(skew.Config{Machine: "the server", Now: now, Date: func(_ context.Context, origin string) (time.Time, error) {
				if origin != "https://sts.eu-west-2.amazonaws.com" {
					t.Errorf("asked %q", origin)
				}
				return sts, nil
			}})
			verifier := verify.Func(func(_ context.Context, _ string, req token.Request) (identity.Identity, error) {
				if sts.Sub(req.Time()).Abs() > 15*time.Minute {
					return identity.Identity{}, &verify.RefusedError{Status: 403, Code: "SignatureDoesNotMatch", Date: sts}
				}
				return bob(), nil
			})
			var log bytes.Buffer
			a, err := authn.New(authn.Config{
				ClusterID: "kubedemy", Hosts: hosts(t), Verifier: verifier, Mapper: maps(mapper.Match{Username: "bob", Rule: rule()}, true, nil),
				Cache: authn.CacheConfig{TTL: time.Minute}, Clocks: clocks, Now: now, Audit: slog.New(slog.NewTextHandler(&log, nil)),
			})
			if err != nil {
				t.Fatal(err)
			}
			explained := a.Explain(t.Context(), bearer(1)) // compares the clocks
			for range 2 {                                  // the second refusal is cached
				log.Reset()
				d := a.Authenticate(t.Context(), bearer(1))
				a.Record(d)
				if d.Outcome != test.outcome || explained.Decision.Outcome != test.outcome || (d.Clocks != nil) != (test.clocks != "") {
					t.Fatalf("%s, %+v, explained as %s", d.Outcome, d.Clocks, explained.Decision.Outcome)
				}
				if test.clocks == "" {
					continue
				}
				if d.Clocks.String() != test.clocks || !strings.HasSuffix(d.Err.Error(), ": "+test.clocks) || explained.Clocks.String() != test.clocks {
					t.Errorf("%s\n%v\nexplained as %s\nwant %s", d.Clocks, d.Err, explained.Clocks, test.clocks)
				}
				if d.Claim == nil || d.Claim.AccessKeyID != "AKIATLABCDEFGHIJKLM2" || d.Claim.Host != "sts.eu-west-2.amazonaws.com" {
					t.Errorf("the claim is %+v", d.Claim)
				}
				if !strings.Contains(log.String(), test.clocks) || !strings.Contains(log.String(), "unverified.accessKeyID=AKIATLABCDEFGHIJKLM2") || strings.Contains(log.String(), signature[:20]) {
					t.Errorf("the log: %s", log.String())
				}
			}
		})
	}
}

// TestRefusedForItsSignature checks that no clock is blamed for a token whose time is valid.
func TestRefusedForItsSignature(t *testing.T) {
	refused := &verify.RefusedError{Status: 403, Code: "SignatureDoesNotMatch", Date: signedAt()}
	a, err := authn.New(authn.Config{ClusterID: "kubedemy", Hosts: hosts(t), Verifier: verifies(identity.Identity{}, refused), Mapper: maps(mapper.Match{}, false, nil), Now: signedAt})
	if err != nil {
		t.Fatal(err)
	}
	if d := a.Authenticate(t.Context(), bearer(1)); d.Outcome != authn.Refused || d.Clocks != nil || d.Err.Error() != refused.Error() {
		t.Errorf("%s: %+v, %v", d.Outcome, d.Clocks, d.Err)
	}
}

// TestExplainHarmlessClock checks that an explanation shows a clock that is wrong, although
// the token is still accepted.
func TestExplainHarmlessClock(t *testing.T) {
	for ahead, want := range map[time.Duration]string{
		0:               "",
		5 * time.Minute: "the clock of this machine is 5m0s ahead of that of AWS STS",
	} {
		now := func() time.Time { return signedAt().Add(ahead) }
		clocks := skew.New(skew.Config{Now: now})
		verifier := verify.Func(func(context.Context, string, token.Request) (identity.Identity, error) {
			clocks.Observe(verify.Observation{Status: 200, Date: signedAt()})
			return bob(), nil
		})
		a, err := authn.New(authn.Config{ClusterID: "kubedemy", Hosts: hosts(t), Verifier: verifier, Mapper: maps(mapper.Match{Username: "bob"}, true, nil), Clocks: clocks, Now: now})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if e := a.Explain(t.Context(), bearer(1)); e.Clocks != nil {
			got = e.Clocks.String()
		}
		if got != want {
			t.Errorf("%s ahead: %q, want %q", ahead, got, want)
		}
	}
}
