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

// slots is how many requests of unknown keys a host lets in at once.
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
	for name, test := range map[string]struct {
		named   []string
		prepare func(t *testing.T, l *limit.Limiter)
		want    int
	}{
		"a fresh host":               {nil, func(*testing.T, *limit.Limiter) {}, shared},
		"a fresh host that is named": {[]string{host(own)}, func(*testing.T, *limit.Limiter) {}, ownPool},
		"a named host after a day":   {[]string{host(own)}, func(*testing.T, *limit.Limiter) { time.Sleep(24 * time.Hour) }, ownPool},
		"a proven host":              {nil, func(t *testing.T, l *limit.Limiter) { prove(t, l, own, 1); time.Sleep(59 * time.Minute) }, ownPool},
		"an hour after":              {nil, func(t *testing.T, l *limit.Limiter) { prove(t, l, own, 1); time.Sleep(61 * time.Minute) }, shared},
		"proven again": {nil, func(t *testing.T, l *limit.Limiter) {
			prove(t, l, own, 1)
			time.Sleep(61 * time.Minute)
			prove(t, l, own, 1)
		}, ownPool},
		"proven as the ninth": {nil, func(t *testing.T, l *limit.Limiter) {
			for n := range 8 {
				prove(t, l, fmt.Sprintf("eu-west-%d", 10+n), 1)
			}
			prove(t, l, own, 1)
		}, shared},
		"named, and proven as the ninth": {[]string{host(own)}, func(t *testing.T, l *limit.Limiter) {
			for n := range 8 {
				prove(t, l, fmt.Sprintf("eu-west-%d", 10+n), 1)
			}
			prove(t, l, own, 1)
		}, ownPool},
		"proven as the ninth, an hour after the eight": {nil, func(t *testing.T, l *limit.Limiter) {
			for n := range 8 {
				prove(t, l, fmt.Sprintf("eu-west-%d", 10+n), 1)
			}
			time.Sleep(61 * time.Minute)
			prove(t, l, own, 1)
		}, ownPool},
	} {
		synctest.Test(t, func(t *testing.T) {
			if got := slots(t, func(l *limit.Limiter) { test.prepare(t, l) }, own, test.named...); got != test.want {
				t.Errorf("%s: %d slots, want %d", name, got, test.want)
			}
		})
	}
}

// TestJunkHosts has tokens name more hosts than have state. They push one another
// out, and no host that is proven.
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
		prove(t, l, own, 1)
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

// TestTooManyHosts are in use at once: the next is saturated at once, until one of
// them is not in use.
func TestTooManyHosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var named []string
		for n := range 56 {
			named = append(named, host(fmt.Sprintf("eu-named-%d", n)))
		}
		l := limit.New(newSTS(t, until(release)), named...)
		for n := range 8 {
			ask(t, l, request(t, fmt.Sprintf("eu-used-%d", n), 1, 0))
		}
		synctest.Wait()
		started := time.Now()
		if _, err := l.Verify(t.Context(), "kubedemy", request(t, own, 1, 0)); !errors.Is(err, limit.ErrSaturated) || time.Since(started) > 0 {
			t.Errorf("host 65 gets %v after %s", err, time.Since(started))
		}
		if got := len(l.Status()); got != 64 {
			t.Errorf("%d hosts have state, want 64", got)
		}
		close(release)
		synctest.Wait()
		prove(t, l, own, 1)
		if got := len(l.Status()); got != 64 {
			t.Errorf("%d hosts have state, want 64", got)
		}
	})
}

// TestJunkHostsInUse has requests for more hosts than have state wait for an
// answer. They do not push out a host that has a pool of its own, though nobody
// asks it at the moment.
func TestJunkHostsInUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.New(newSTS(t, func(ctx context.Context, req token.Request) error {
			if req.Host() != host(own) {
				return unanswering(ctx)
			}
			return nil
		}))
		prove(t, l, own, 1)
		for n := range 100 {
			ask(t, l, request(t, fmt.Sprintf("eu-junk-%d", n), 1, 0))
		}
		synctest.Wait()
		prove(t, l, own, 2)
		if got := len(l.Status()); got != 64 {
			t.Errorf("%d hosts have state, want 64", got)
		}
	})
}
