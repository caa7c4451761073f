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

// askFor verifies a request of a cluster in the background.
func askFor(t *testing.T, l *limit.Limiter, cluster string, req token.Request) <-chan error {
	result := make(chan error, 1)
	go func() {
		_, err := l.Verify(t.Context(), cluster, req)
		result <- err
	}()
	return result
}

// TestClustersKeepSlots checks that requests of some clusters that STS does not answer
// leave slots to another: each cluster gets as many as are free.
func TestClustersKeepSlots(t *testing.T) {
	for flooded, want := range map[int]int{1: 24, 2: 32, 3: 36, 20: 46} {
		synctest.Test(t, func(t *testing.T) {
			release := make(chan struct{})
			s := newSTS(t, until(release))
			l := limit.NewFair(s, host(own))
			for key := range 200 {
				for n := range flooded {
					askFor(t, l, fmt.Sprint("flooded-", n), request(t, own, key, 0))
				}
			}
			if got := s.now(""); got < want-1 || got > want+1 {
				t.Errorf("%d flooded clusters have %d slots, want about %d of 48", flooded, got, want)
			}
			before := s.now("")
			askFor(t, l, "quiet", request(t, own, 0, 0))
			if got := s.now(""); got != before+1 {
				t.Errorf("%d flooded clusters: a request of another one waits", flooded)
			}
			close(release)
		})
	}
}

// TestClustersKeepPlaces checks that a cluster without a request is the next to get a
// slot, and that there is a place for it in a queue that others flood.
func TestClustersKeepPlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newSTS(t, func(context.Context, token.Request) error { time.Sleep(time.Second); return nil })
		l := limit.NewFair(s, host(own))
		const clusters = 48 // they take all the slots
		for n := range clusters {
			askFor(t, l, fmt.Sprint("flooded-", n), request(t, own, 0, 0))
		}
		synctest.Wait()
		turnedAway := 0
		for key := range 20 {
			for n := range clusters {
				result := askFor(t, l, fmt.Sprint("flooded-", n), request(t, own, key, 0))
				synctest.Wait()
				select {
				case err := <-result:
					if turnedAway++; !errors.Is(err, limit.ErrSaturated) {
						t.Fatal(err)
					}
				default:
				}
			}
		}
		if turnedAway < 700 {
			t.Errorf("%d are turned away", turnedAway)
		}
		started := time.Now()
		if err := <-askFor(t, l, "quiet", request(t, own, 0, 0)); err != nil || time.Since(started) > 2*time.Second {
			t.Errorf("after %s: %v", time.Since(started), err)
		}
		time.Sleep(time.Minute) // all others end
	})
}

// TestClustersKeepReservedSlots checks that known keys of one cluster leave reserved
// slots to another while the circuit is open.
func TestClustersKeepReservedSlots(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		answer := func(context.Context) error { return nil }
		s := newSTS(t, func(ctx context.Context, _ token.Request) error { return answer(ctx) })
		l := limit.NewFair(s, host(own))
		for key := range 20 {
			for _, cluster := range []string{"flooded", "quiet"} {
				if err := <-askFor(t, l, cluster, request(t, own, key, 0)); err != nil {
					t.Fatal(err)
				}
				l.SignedIn(cluster, request(t, own, key, 0))
			}
		}
		answer = func(context.Context) error { return unanswered() }
		open(t, l)
		answer = unanswering
		for key := range 20 {
			askFor(t, l, "flooded", request(t, own, key, 0))
		}
		if got := s.now(""); got != 8 {
			t.Errorf("one cluster has %d reserved slots, want 8 of 16", got)
		}
		askFor(t, l, "quiet", request(t, own, 0, 0))
		if got := s.now(""); got != 9 {
			t.Error("the known key of another cluster waits")
		}
	})
}
