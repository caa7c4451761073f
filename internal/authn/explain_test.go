package authn_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/limit"
	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

// TestExplainDecidesAsAuthenticate checks that an explanation has the decision of the
// server, for every outcome, and its trace.
func TestExplainDecidesAsAuthenticate(t *testing.T) {
	refused := &verify.RefusedError{Status: 403, Code: "SignatureDoesNotMatch"}
	for name, test := range map[string]struct {
		bearer string
		verify verify.Verifier
		mapper mapper.Mapper
		ofWhom identity.Principal
		tried  int
	}{
		"mapped":      {bearer(1), verifies(bob(), nil), tries(mapper.Match{Username: "bob", Rule: rule()}, true, nil), bob().Principal(), 1},
		"unmapped":    {bearer(1), verifies(bob(), nil), tries(mapper.Match{}, false, nil), bob().Principal(), 1},
		"no username": {bearer(1), verifies(bob(), nil), tries(mapper.Match{Rule: rule()}, true, nil), bob().Principal(), 1},
		"denied":      {bearer(1), verifies(bob(), nil), tries(mapper.Match{}, false, &mapper.DeniedError{Reason: "no", Rule: rule()}), bob().Principal(), 1},
		"undecided":   {bearer(1), verifies(bob(), nil), tries(mapper.Match{}, false, mapper.ErrNotSynced), bob().Principal(), 1},
		"refused":     {bearer(1), verifies(identity.Identity{}, refused), tries(mapper.Match{}, true, nil), identity.Principal{}, 0},
		"unreachable": {bearer(1), verifies(identity.Identity{}, &verify.UnreachableError{Err: errors.New("x")}), tries(mapper.Match{}, true, nil), identity.Principal{}, 0},
		"malformed":   {"x", verifies(bob(), nil), tries(mapper.Match{}, true, nil), identity.Principal{}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := authn.New(authn.Config{ClusterID: "kubedemy", Hosts: hosts(t), Verifier: test.verify, Mapper: test.mapper, Now: signedAt})
			if err != nil {
				t.Fatal(err)
			}
			want, got := a.Authenticate(t.Context(), test.bearer), a.Explain(t.Context(), test.bearer)
			// An explanation is not a decision: it has no ID.
			want.Reason = strings.TrimSuffix(want.Reason, " (decision "+want.ID+")")
			want.ID, want.Time = "", time.Time{}
			if diff := cmp.Diff(*want, got.Decision, cmp.AllowUnexported(identity.Identity{}), cmpopts.EquateErrors()); diff != "" {
				t.Errorf("(-decided +explained)\n%s", diff)
			}
			if !got.IsToken || got.Principal != test.ofWhom || len(got.Trace.Tried) != test.tried {
				t.Errorf("%+v", got)
			}
			if test.ofWhom.ARN == "" {
				return
			}
			asked := a.ExplainPrincipal(t.Context(), test.ofWhom)
			if asked.IsToken || asked.Principal != test.ofWhom || len(asked.Trace.Tried) != test.tried || asked.Decision.Outcome != want.Outcome || asked.Decision.Identity != (identity.Identity{}) {
				t.Errorf("asked for the principal: %+v", asked)
			}
		})
	}
}

// tries returns a mapper that adds one rule to the trace.
func tries(match mapper.Match, ok bool, err error) mapper.Mapper {
	return mapper.Func(func(_ context.Context, _ identity.Principal, trace *mapper.Trace) (mapper.Match, bool, error) {
		if trace != nil {
			trace.Tried = append(trace.Tried, mapper.Tried{Rule: match.Rule, Matched: ok})
		}
		return match, ok, err
	})
}

// TestExplainLeavesNoTrace checks that an explanation asks STS even about a cached
// token, and writes no audit line.
func TestExplainLeavesNoTrace(t *testing.T) {
	var audit bytes.Buffer
	sts := &counting{answer: func() (identity.Identity, error) { return bob(), nil }}
	a, err := authn.New(authn.Config{
		ClusterID: "kubedemy", Hosts: hosts(t), Verifier: sts, Mapper: maps(mapper.Match{Username: "bob"}, true, nil), Now: signedAt,
		Cache: authn.CacheConfig{TTL: time.Minute}, Audit: slog.New(slog.NewTextHandler(&audit, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	for calls := range 3 {
		if e := a.Explain(t.Context(), bearer(1)); e.Decision.Outcome != authn.Mapped || e.Decision.Cached || sts.asked.Load() != int32(calls+1) {
			t.Errorf("%+v after %d calls", e.Decision, sts.asked.Load())
		}
	}
	if audit.Len() > 0 {
		t.Errorf("audit: %s", audit.String())
	}
	if d := a.Authenticate(t.Context(), bearer(1)); !d.Cached {
		t.Error("the identity that STS returned is not cached")
	}
}

// BenchmarkTrace compares a decision with the same decision and its trace.
func BenchmarkTrace(b *testing.B) {
	table := mapper.NewTable([]mapper.Entry{{ARN: bob().Principal().CanonicalARN, Username: mustParse(b, "bob")}}, nil, 0)
	a, err := authn.New(authn.Config{
		ClusterID: "kubedemy", Hosts: hosts(b), Now: signedAt, Mapper: mapper.Entries(func() *mapper.Table { return table }, nil),
		Verifier: limit.New(verifies(bob(), nil)),
	})
	if err != nil {
		b.Fatal(err)
	}
	text := bearer(1)
	b.Run("off", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = a.Authenticate(b.Context(), text)
		}
	})
	b.Run("on", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_ = a.Explain(b.Context(), text)
		}
	})
}

func mustParse(t testing.TB, text string) mapper.Template {
	t.Helper()
	template, err := mapper.ParseTemplate(text)
	if err != nil {
		t.Fatal(err)
	}
	return template
}
