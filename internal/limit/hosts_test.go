package limit_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kube-iam/authenticator/internal/limit"
	"github.com/kube-iam/authenticator/pkg/token"
)

// slots returns how many requests of unknown keys a host admits at once.
func slots(t *testing.T, prepare func(l *limit.Limiter), region string, named ...string) int {
	t.Helper()
	var release chan struct{}
	s := newSTS(t, func(context.Context, token.Request) error {
		if release != nil {
			<-release
		}
		return nil
	})
	l := limit.New(s, named...)
	prepare(l)
	release = make(chan struct{})
	askAll(t, l, region, 100_000, 100, 0)
	defer close(release)
	return s.now(host(region))
}

func TestOwnPools(t *testing.T) {
	const ownPool, shared = 48, 8
	other := func(n int) string { return fmt.Sprintf("eu-west-%d", 10+n) }
	var others []string
	for n := range 8 {
		others = append(others, host(other(n)))
	}
	signInAtOthers := func(t *testing.T, l *limit.Limiter) {
		for n := range 8 {
			signIn(t, l, other(n), 1)
		}
	}
	for name, test := range map[string]struct {
		named   []string
		prepare func(t *testing.T, l *limit.Limiter)
		want    int
	}{
		"a fresh host":                   {nil, func(*testing.T, *limit.Limiter) {}, shared},
		"a fresh host that is named":     {[]string{host(own)}, func(*testing.T, *limit.Limiter) {}, ownPool},
		"a named host after a day":       {[]string{host(own)}, func(*testing.T, *limit.Limiter) { time.Sleep(24 * time.Hour) }, ownPool},
		"a proven host":                  {nil, func(t *testing.T, l *limit.Limiter) { signIn(t, l, own, 1); time.Sleep(59 * time.Minute) }, ownPool},
		"a host proven over an hour ago": {nil, func(t *testing.T, l *limit.Limiter) { signIn(t, l, own, 1); time.Sleep(61 * time.Minute) }, shared},
		"proven again": {nil, func(t *testing.T, l *limit.Limiter) {
			signIn(t, l, own, 1)
			time.Sleep(61 * time.Minute)
			signIn(t, l, own, 1)
		}, ownPool},
		"STS accepts outsiders": {nil, func(t *testing.T, l *limit.Limiter) {
			if _, err := l.Verify(t.Context(), "kubedemy", request(t, own, 1, 0)); err != nil {
				t.Error(err)
			}
		}, shared},
		"proven as the ninth": {nil, func(t *testing.T, l *limit.Limiter) { signInAtOthers(t, l); signIn(t, l, own, 1) }, shared},
		"proven as the ninth, an hour after the eight": {nil, func(t *testing.T, l *limit.Limiter) {
			signInAtOthers(t, l)
			time.Sleep(61 * time.Minute)
			signIn(t, l, own, 1)
		}, ownPool},
		"named as the ninth":             {append(others[:8:8], host(own)), func(*testing.T, *limit.Limiter) {}, shared},
		"named as the ninth, and proven": {append(others[:8:8], host(own)), func(t *testing.T, l *limit.Limiter) { signIn(t, l, own, 1) }, ownPool},
		"named and used, and another takes the pool of an unused one": {append(others[:7:7], host(own)), func(t *testing.T, l *limit.Limiter) {
			time.Sleep(time.Second)
			if _, err := l.Verify(t.Context(), "kubedemy", request(t, own, 1, 0)); err != nil {
				t.Error(err)
			}
			signIn(t, l, other(7), 1)
		}, ownPool},
		"named, and eight others are proven": {[]string{host(own)}, signInAtOthers, shared},
		"named and proven, and eight others are proven": {[]string{host(own)}, func(t *testing.T, l *limit.Limiter) {
			signIn(t, l, own, 1)
			signInAtOthers(t, l)
		}, ownPool},
	} {
		synctest.Test(t, func(t *testing.T) {
			if got := slots(t, func(l *limit.Limiter) { test.prepare(t, l) }, own, test.named...); got != test.want {
				t.Errorf("%s: %d slots, want %d", name, got, test.want)
			}
		})
	}
}

// TestNamedHostsAreBounded names more hosts than can have state.
func TestNamedHostsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		s := newSTS(t, until(release))
		named := make([]string, 100)
		for n := range named {
			named[n] = host(fmt.Sprintf("eu-west-%d", n))
		}
		l := limit.New(s, named...)
		for n := range named {
			askAll(t, l, fmt.Sprintf("eu-west-%d", n), 0, 100, 0)
		}
		if hosts, running, want := len(l.Status()), s.now(""), 8*48+16; hosts > 64 || running != want {
			t.Errorf("%d hosts have state, %d requests are under way; want at most 64, and %d", hosts, running, want)
		}
		close(release)
	})
}

// TestJunkHosts checks that tokens for more hosts than can have state evict one
// another's hosts, and no proven host.
func TestJunkHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var release chan struct{}
		s := newSTS(t, func(_ context.Context, req token.Request) error {
			if req.Host() != host(own) {
				return unanswered()
			}
			if release != nil {
				<-release
			}
			return nil
		})
		l := limit.New(s)
		signIn(t, l, own, 1)
		for n := range 200 {
			time.Sleep(time.Second)
			if _, err := l.Verify(t.Context(), "kubedemy", request(t, fmt.Sprintf("eu-junk-%d", n), n, 0)); !errors.Is(err, errTimeout) {
				t.Fatalf("host %d: %v", n, err)
			}
		}
		if got := len(l.Status()); got != 64 {
			t.Errorf("%d hosts have state, want 64", got)
		}
		release = make(chan struct{})
		askAll(t, l, own, 1000, 100, 0)
		if got := s.now(host(own)); got != 48 {
			t.Errorf("the proven host has %d slots, want its 48", got)
		}
		close(release)
	})
}

// TestTooManyHosts checks that while all hosts with state are in use, a request for
// another one is saturated at once.
func TestTooManyHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		l := limit.New(newSTS(t, until(release)))
		for n := range 64 {
			ask(t, l, request(t, fmt.Sprintf("eu-used-%d", n), 1, 0))
		}
		synctest.Wait()
		started := time.Now()
		if _, err := l.Verify(t.Context(), "kubedemy", request(t, own, 1, 0)); !errors.Is(err, limit.ErrSaturated) || time.Since(started) > 0 {
			t.Errorf("the error of host 65 is %v after %s", err, time.Since(started))
		}
		if got := len(l.Status()); got != 64 {
			t.Errorf("%d hosts have state, want 64", got)
		}
		close(release)
		synctest.Wait()
		signIn(t, l, own, 1)
		if got := len(l.Status()); got != 64 {
			t.Errorf("%d hosts have state, want 64", got)
		}
	})
}

// TestJunkHostsInUse checks that requests for more hosts than can have state do not
// evict a host with its own pool, even while that has no requests.
func TestJunkHostsInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.New(newSTS(t, func(ctx context.Context, req token.Request) error {
			if req.Host() != host(own) {
				return unanswering(ctx)
			}
			return nil
		}))
		signIn(t, l, own, 1)
		for n := range 100 {
			ask(t, l, request(t, fmt.Sprintf("eu-junk-%d", n), 1, 0))
		}
		synctest.Wait()
		signIn(t, l, own, 2)
		if got := len(l.Status()); got != 64 {
			t.Errorf("%d hosts have state, want 64", got)
		}
	})
}
