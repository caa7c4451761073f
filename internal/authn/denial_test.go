package authn_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/token"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

// TestClaim checks that a refused token shows what it claims, also from the cache, and
// no key that may be of a scrubbed account.
func TestClaim(t *testing.T) {
	for name, test := range map[string]struct {
		verifier verify.Verifier
		scrubbed []string
		want     *authn.Claim
	}{
		"refused":               {verifies(identity.Identity{}, &verify.RefusedError{Status: 403, Code: "SignatureDoesNotMatch"}), nil, &authn.Claim{AccessKeyID: "AKIATLABCDEFGHIJKLM2", Region: "eu-west-2", Host: "sts.eu-west-2.amazonaws.com"}},
		"throttled":             {verifies(identity.Identity{}, &verify.ThrottledError{Status: 400, Code: "Throttling"}), nil, &authn.Claim{AccessKeyID: "AKIATLABCDEFGHIJKLM2", Region: "eu-west-2", Host: "sts.eu-west-2.amazonaws.com"}},
		"with scrubbed account": {verifies(identity.Identity{}, &verify.RefusedError{Status: 403, Code: "SignatureDoesNotMatch"}), []string{"111122223333"}, &authn.Claim{Region: "eu-west-2", Host: "sts.eu-west-2.amazonaws.com"}},
		"verified":              {verifies(bob(), nil), nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var log bytes.Buffer
			a, err := authn.New(authn.Config{
				ClusterID: "kubedemy", Hosts: hosts(t), Now: signedAt, Verifier: test.verifier, Mapper: maps(mapper.Match{}, false, nil),
				Cache: authn.CacheConfig{TTL: time.Minute}, ScrubbedAccounts: test.scrubbed, Audit: slog.New(slog.NewTextHandler(&log, nil)),
			})
			if err != nil {
				t.Fatal(err)
			}
			for range 2 {
				d := a.Authenticate(t.Context(), bearer(1))
				a.Record(d)
				if diff := cmp.Diff(test.want, d.Claim); diff != "" {
					t.Errorf("cached: %v (-want +got)\n%s", d.Cached, diff)
				}
			}
			if want := test.want != nil; strings.Contains(log.String(), "unverified.host=sts.eu-west-2.amazonaws.com") != want {
				t.Errorf("the audit says %s", log.String())
			}
			if want := test.want != nil && test.want.AccessKeyID != ""; strings.Contains(log.String(), "unverified.accessKeyID=AKIATLABCDEFGHIJKLM2") != want {
				t.Errorf("the audit says %s", log.String())
			}
		})
	}
}

// TestQuota floods the audit log: lines about tokens that anybody can send are bounded
// and the others counted; those about people of the cluster have more room.
func TestQuota(t *testing.T) {
	const flood = 1000
	for name, test := range map[string]struct {
		bearer  string
		mapped  bool
		foreign bool
		bounded authn.Outcome
	}{
		"malformed":                   {"k8s-aws-v1.x", true, false, authn.Malformed},
		"unmapped, foreign account":   {bearer(1), false, true, authn.Unmapped},
		"unmapped, a mapping's names": {bearer(1), false, false, ""},
		"mapped":                      {bearer(1), true, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log lockedBuffer
				suppressed, started := 0, time.Now()
				a, err := authn.New(authn.Config{
					ClusterID: "kubedemy", Hosts: hosts(t), Mapper: maps(mapper.Match{Username: "bob"}, test.mapped, nil),
					Verifier:     verify.Func(func(context.Context, string, token.Request) (identity.Identity, error) { return bob(), nil }),
					NamesAccount: func(account string) bool { return !test.foreign },
					Audit:        slog.New(slog.NewTextHandler(&log, nil)),
					Suppressed:   func() { suppressed++ },
					Now:          func() time.Time { return signedAt().Add(time.Since(started)) },
				})
				if err != nil {
					t.Fatal(err)
				}
				for range flood {
					a.Record(a.Authenticate(t.Context(), test.bearer))
				}
				if test.bounded == "" {
					if lines := strings.Count(log.String(), "\n"); lines != flood || suppressed > 0 {
						t.Errorf("%d lines, %d suppressed, want all %d", lines, suppressed, flood)
					}
					return
				}
				if lines := strings.Count(log.String(), "\n"); lines != 100 || suppressed != flood-100 {
					t.Errorf("%d lines, %d suppressed, want the first 100", lines, suppressed)
				}
				time.Sleep(9 * time.Second)
				synctest.Wait()
				if strings.Contains(log.String(), "not all were logged") {
					t.Error("a summary is logged before its time")
				}
				time.Sleep(2 * time.Second)
				synctest.Wait()
				if want := `msg="too many decisions: not all were logged" ` + string(test.bounded) + "=900\n"; strings.Count(log.String(), want) != 1 {
					t.Errorf("the audit ends with %s, want %s", log.String(), want)
				}
				// After 11 s there is room again; Flush does not wait for the timer.
				log.Reset()
				for range 150 {
					a.Record(a.Authenticate(t.Context(), test.bearer))
				}
				a.Flush()
				a.Flush()
				if strings.Count(log.String(), "\n") != 101 || !strings.HasSuffix(log.String(), string(test.bounded)+"=50\n") {
					t.Errorf("%d lines: %s", strings.Count(log.String(), "\n"), log.String())
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if strings.Count(log.String(), "\n") != 101 {
					t.Error("a summary is logged twice")
				}
			})
		})
	}
}

// TestQuotaOfTheCluster checks that denials of the cluster's own identities are bounded
// too: a leaked key that is denied could fill the disk.
func TestQuotaOfTheCluster(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lockedBuffer
		suppressed := 0
		a, err := authn.New(authn.Config{
			ClusterID: "kubedemy", Hosts: hosts(t), Now: signedAt,
			Mapper:     maps(mapper.Match{}, false, &mapper.DeniedError{Reason: "no"}),
			Verifier:   verify.Func(func(context.Context, string, token.Request) (identity.Identity, error) { return bob(), nil }),
			Audit:      slog.New(slog.NewTextHandler(&log, nil)),
			Suppressed: func() { suppressed++ },
		})
		if err != nil {
			t.Fatal(err)
		}
		for range 1500 {
			a.Record(a.Authenticate(t.Context(), bearer(1)))
		}
		if lines := strings.Count(log.String(), "\n"); lines != 1000 || suppressed != 500 {
			t.Errorf("%d lines, %d suppressed, want 1000 and 500", lines, suppressed)
		}
		a.Flush()
		if !strings.HasSuffix(log.String(), "denied=500\n") {
			t.Error("the summary does not count the denials")
		}
	})
}

// A lockedBuffer is a buffer that a timer may write to.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *lockedBuffer) Reset() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.b.Reset()
}
