package limit_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kube-iam/authenticator/internal/limit"
	"github.com/kube-iam/authenticator/pkg/token"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

// TestCircuitOpens checks that only failures in a row, of several keys, open the
// circuit.
func TestCircuitOpens(t *testing.T) {
	refused, throttled, nonsense := &verify.RefusedError{Status: 403}, &verify.ThrottledError{Status: 400}, &verify.AnswerError{Status: 500}
	down := unanswered()
	type try struct {
		key int
		err error
	}
	for name, test := range map[string]struct {
		tries []try
		opens bool
	}{
		"5 failures of 3 keys":   {[]try{{1, down}, {2, down}, {3, down}, {1, down}, {2, down}}, true},
		"5 failures of 5 keys":   {[]try{{1, down}, {2, down}, {3, down}, {4, down}, {5, down}}, true},
		"4 failures of 4 keys":   {[]try{{1, down}, {2, down}, {3, down}, {4, down}}, false},
		"8 failures of 2 keys":   {[]try{{1, down}, {2, down}, {1, down}, {2, down}, {1, down}, {2, down}, {1, down}, {2, down}}, false},
		"finally of a third key": {[]try{{1, down}, {2, down}, {1, down}, {2, down}, {1, down}, {2, down}, {3, down}}, true},
		"a success in between":   {[]try{{1, down}, {2, down}, {3, down}, {4, nil}, {4, down}, {5, down}}, false},
		"a refusal in between":   {[]try{{1, down}, {2, down}, {3, down}, {4, refused}, {4, down}, {5, down}}, false},
		"throttled in between":   {[]try{{1, down}, {2, down}, {3, down}, {4, throttled}, {4, down}, {5, down}}, false},
		"HTTP 500 in between":    {[]try{{1, down}, {2, down}, {3, down}, {4, nonsense}, {4, down}, {5, down}}, false},
		"refusals":               {[]try{{1, refused}, {2, refused}, {3, refused}, {4, refused}, {5, refused}}, false},
		"HTTP 500":               {[]try{{1, nonsense}, {2, nonsense}, {3, nonsense}, {4, nonsense}, {5, nonsense}}, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			var err error
			s := newSTS(t, func(context.Context, token.Request) error { return err })
			l := limit.New(s)
			for _, try := range test.tries {
				err = try.err
				if _, got := l.Verify(t.Context(), "kubedemy", request(t, own, try.key, 0)); !errors.Is(got, try.err) {
					t.Fatalf("%s: %v, want %v", name, got, try.err)
				}
			}
			if got := l.Status()[0].CircuitOpen; got != test.opens {
				t.Errorf("%s: open: %v, want %v", name, got, test.opens)
			}
			asked := s.asked
			err = nil
			_, got := l.Verify(t.Context(), "kubedemy", request(t, own, 9, 0))
			_, unreachable := errors.AsType[*verify.UnreachableError](got)
			if errors.Is(got, limit.ErrCircuitOpen) != test.opens || unreachable != test.opens || (s.asked == asked) != test.opens {
				t.Errorf("%s: the next error is %v, STS is called: %v", name, got, s.asked > asked)
			}
			// Another host has its own circuit.
			signIn(t, l, dead, 9)
		})
	}
}

// open fails until the circuit of own is open.
func open(t *testing.T, l *limit.Limiter) {
	t.Helper()
	for key := range 5 {
		_, _ = l.Verify(t.Context(), "kubedemy", request(t, own, 100+key, 0))
	}
	if !l.Status()[0].CircuitOpen {
		t.Fatal("the circuit is not open")
	}
}

// TestProbes checks that probes become rarer while a host does not answer, and that
// any answer ends them.
func TestProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := unanswered()
		s := newSTS(t, func(context.Context, token.Request) error { return answer })
		l := limit.New(s)
		open(t, l)
		started, asked := time.Now(), s.asked
		var probes []time.Duration
		for time.Since(started) < 2*time.Minute {
			time.Sleep(100 * time.Millisecond)
			if _, _ = l.Verify(t.Context(), "kubedemy", request(t, own, 1, 0)); s.asked > asked {
				probes, asked = append(probes, time.Since(started)), s.asked
			}
		}
		for i, want := range []time.Duration{1, 3, 7, 15, 31, 61, 91} {
			if i >= len(probes) || probes[i] != want*time.Second {
				t.Fatalf("probes after %v, want %d s as number %d", probes, want, i)
			}
		}
		time.Sleep(30 * time.Second)
		answer = &verify.RefusedError{Status: 403}
		for range 10 {
			if _, err := l.Verify(t.Context(), "kubedemy", request(t, own, 1, 0)); !errors.Is(err, answer) {
				t.Errorf("once it answers: %v", err)
			}
		}
	})
}

// TestOneProbe checks that there is one probe at a time, and that another follows a
// probe that ends without a result.
func TestOneProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := func(context.Context) error { return unanswered() }
		s := newSTS(t, func(ctx context.Context, _ token.Request) error { return answer(ctx) })
		l := limit.New(s)
		open(t, l)
		answer = unanswering
		time.Sleep(time.Second)
		if early := askAll(t, l, own, 0, 20, 0); len(early) != 19 || s.now("") != 1 {
			t.Errorf("%d probes at a time", s.now(""))
		}
		time.Sleep(6 * time.Second)
		// The caller of the next one hangs up, which is not a failure of the host.
		ctx, cancel := context.WithCancel(t.Context())
		probe := make(chan struct{})
		go func() { _, _ = l.Verify(ctx, "kubedemy", request(t, own, 1, 0)); close(probe) }()
		synctest.Wait()
		cancel()
		<-probe
		// A bug must not keep the circuit open forever.
		answer = func(context.Context) error { panic("a bug") }
		func() {
			defer func() { _ = recover() }()
			_, err := l.Verify(t.Context(), "kubedemy", request(t, own, 1, 0))
			t.Errorf("no probe: %v", err)
		}()
		if !l.Status()[0].CircuitOpen {
			t.Error("a panic closes the circuit")
		}
		answer = func(context.Context) error { return nil }
		signIn(t, l, own, 1)
		signIn(t, l, own, 2)
	})
}

// TestProbeNeedsNoSlot checks that a probe gets through while junk for other hosts
// fills the shared pool.
func TestProbeNeedsNoSlot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ownAnswer := unanswered()
		s := newSTS(t, func(ctx context.Context, req token.Request) error {
			if req.Host() == host(own) {
				return ownAnswer
			}
			return unanswering(ctx)
		})
		l := limit.New(s)
		open(t, l)
		ownAnswer = nil
		time.Sleep(time.Second)
		for range 16 {
			ask(t, l, request(t, dead, 1, 0))
			ask(t, l, request(t, "eu-west-4", 1, 0))
		}
		if got := s.now(""); got != 16 {
			t.Fatalf("%d requests are under way, want 16: all slots", got)
		}
		if _, err := l.Verify(t.Context(), "kubedemy", request(t, own, 1, 0)); err != nil || l.Status()[0].CircuitOpen {
			t.Errorf("the error of the probe is %v", err)
		}
	})
}

// TestKnownKeysNeedNoProbe checks that the answer to a known key closes the circuit
// while junk is the probe, and that the probe's failure does not open it again.
func TestKnownKeysNeedNoProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var answer func(context.Context) error
		s := newSTS(t, func(ctx context.Context, _ token.Request) error { return answer(ctx) })
		l := limit.New(s)
		answer = func(context.Context) error { return nil }
		signIn(t, l, own, 0)
		answer = func(context.Context) error { return unanswered() }
		open(t, l)
		answer = unanswering
		time.Sleep(time.Second)
		probe := ask(t, l, request(t, own, 1000, 0))
		if got := s.now(""); got != 1 {
			t.Fatalf("%d probes", got)
		}
		answer = func(context.Context) error { return nil }
		signIn(t, l, own, 0)
		signIn(t, l, own, 1) // a new key
		if err := <-probe; !errors.Is(err, errTimeout) || l.Status()[0].CircuitOpen {
			t.Errorf("the error of the probe is %v, and the circuit is open: %v", err, l.Status()[0].CircuitOpen)
		}
	})
}

// TestFailuresFromBeforeAnAnswer checks that failures of requests that began before
// the last answer do not open the circuit: STS may be slow only for junk.
func TestFailuresFromBeforeAnAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSTS(t, func(ctx context.Context, req token.Request) error {
			if req.AccessKeyID() == request(t, own, 0, 0).AccessKeyID() {
				return nil
			}
			return unanswering(ctx)
		})
		l := limit.New(s)
		signIn(t, l, own, 0)
		stop := flood(t, l, own, 300)
		for range 100 {
			time.Sleep(time.Second)
			if l.Status()[0].CircuitOpen {
				t.Error("the circuit is open")
				break
			}
			signIn(t, l, own, 0)
		}
		stop()
	})
}

// TestCallersEndIsNoFailure checks that callers who hang up do not open the circuit.
func TestCallersEndIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.New(newSTS(t, func(ctx context.Context, _ token.Request) error { return unanswering(ctx) }))
		for key := range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := l.Verify(ctx, "kubedemy", request(t, own, key, 0))
			cancel()
			if _, ok := errors.AsType[*verify.UnreachableError](err); !ok || errors.Is(err, limit.ErrCircuitOpen) {
				t.Errorf("key %d: %v", key, err)
			}
		}
		if l.Status()[0].CircuitOpen {
			t.Error("the circuit is open")
		}
	})
}

// TestKnownKeysGoOn checks that known keys get reserved slots while the circuit is
// open, and close it: STS may fail to answer only junk.
func TestKnownKeysGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := func(context.Context) error { return nil }
		s := newSTS(t, func(ctx context.Context, _ token.Request) error { return answer(ctx) })
		l := limit.New(s)
		for key := range 20 {
			signIn(t, l, own, key)
		}
		answer = func(context.Context) error { return unanswered() }
		open(t, l)
		answer = unanswering
		for range 3 { // per key, two get in and one waits
			askAll(t, l, own, 0, 20, 0)
		}
		if got := s.now(""); got != 16 {
			t.Errorf("%d requests of known keys are under way, want 16", got)
		}
		time.Sleep(10 * time.Second) // those that waited have had their turn too
		synctest.Wait()
		answer = func(context.Context) error { return nil }
		signIn(t, l, own, 1)
		signIn(t, l, own, 100) // an unknown key
	})
}

// TestKnownKeyWaits checks that while the circuit is open, requests of a known key
// beyond its slots wait for their turn.
func TestKnownKeyWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := func(context.Context) error { return nil }
		s := newSTS(t, func(ctx context.Context, _ token.Request) error { return answer(ctx) })
		l := limit.New(s)
		signIn(t, l, own, 0)
		answer = func(context.Context) error { return unanswered() }
		open(t, l)
		release := make(chan struct{})
		answer = func(context.Context) error { <-release; return nil }
		var results []<-chan error
		for range 5 {
			results = append(results, ask(t, l, request(t, own, 0, 0)))
		}
		if got := s.now(""); got != 2 {
			t.Errorf("%d requests of the key are under way, want 2", got)
		}
		close(release)
		for _, result := range results {
			if err := <-result; err != nil {
				t.Error(err)
			}
		}
	})
}

// TestOpeningTurnsAway checks that when the circuit opens, waiting requests are
// saturated, not unreachable, since STS was not called for them.
func TestOpeningTurnsAway(t *testing.T) {
	for _, named := range [][]string{nil, {host(own)}} {
		synctest.Test(t, func(t *testing.T) {
			l := limit.New(newSTS(t, func(ctx context.Context, _ token.Request) error { return unanswering(ctx) }), named...)
			const all = 100
			var saturated, timedOut atomic.Int32
			for key := range all {
				go func() {
					switch _, err := l.Verify(t.Context(), "kubedemy", request(t, own, key, 0)); {
					case errors.Is(err, limit.ErrSaturated):
						saturated.Add(1)
					case errors.Is(err, errTimeout):
						timedOut.Add(1)
					default:
						t.Errorf("%v", err)
					}
				}()
			}
			synctest.Wait()
			waiting := int32(l.Status()[0].Waiting)
			time.Sleep(4 * time.Second)
			synctest.Wait()
			// The first four failures let four more in.
			if waiting < 8 || saturated.Load() != waiting-4 || timedOut.Load() != all-waiting {
				t.Errorf("%d waited: %d are saturated, %d have timed out", waiting, saturated.Load(), timedOut.Load())
			}
			time.Sleep(4 * time.Second)
			synctest.Wait()
			if saturated.Load() != waiting-4 || timedOut.Load() != all-waiting+4 {
				t.Errorf("in the end %d are saturated, %d have timed out", saturated.Load(), timedOut.Load())
			}
		})
	}
}

// TestOpeningTurnsAwayFromEveryPool checks the same for requests that wait in a pool
// that their host has left.
func TestOpeningTurnsAwayFromEveryPool(t *testing.T) {
	const junk = 1000
	for name, test := range map[string]struct {
		// prepare fills the host's pool with requests, and makes the host leave it.
		prepare func(t *testing.T, l *limit.Limiter, release chan struct{})
	}{
		"proven meanwhile": {func(t *testing.T, l *limit.Limiter, release chan struct{}) {
			askAll(t, l, own, 0, 8+10, 0)
			release <- struct{}{}
			synctest.Wait()
			l.SignedIn("kubedemy", request(t, own, 0, 0))
		}},
		"no longer proven": {func(t *testing.T, l *limit.Limiter, _ chan struct{}) {
			l.SignedIn("kubedemy", request(t, own, 0, 0))
			time.Sleep(time.Hour - time.Second)
			askAll(t, l, own, 0, 48+10, 0)
			time.Sleep(2 * time.Second)
		}},
	} {
		synctest.Test(t, func(t *testing.T) {
			release := make(chan struct{})
			s := newSTS(t, func(ctx context.Context, req token.Request) error {
				if req.AccessKeyID() >= request(t, own, junk, 0).AccessKeyID() {
					return unanswered()
				}
				<-release
				return nil
			})
			l := limit.New(s)
			test.prepare(t, l, release)
			for key := range 5 {
				_, _ = l.Verify(t.Context(), "kubedemy", request(t, own, junk+key, 0))
			}
			synctest.Wait()
			if status := l.Status()[0]; !status.CircuitOpen || status.Waiting != 0 {
				t.Errorf("%s: %+v, want an open circuit and none waiting", name, status)
			}
			close(release)
		})
	}
}
