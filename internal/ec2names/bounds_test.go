package ec2names_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kube-iam/authenticator/internal/ec2names"
)

// TestNamesAreBounded checks that one name beyond the limit evicts the one that EC2
// confirmed longest ago.
func TestNamesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 4096
		f := &fakeEC2{}
		r := configured(t, f, ec2names.Config{QPS: 1000, Burst: 1000})
		ask := func(from, to int) (calls int) {
			before := f.asked()
			var all sync.WaitGroup
			for n := from; n < to; n++ {
				f.runs(n, fmt.Sprintf("ip-%d", n))
				all.Go(func() { wantName(t, r, n, fmt.Sprintf("ip-%d", n)) })
			}
			all.Wait()
			return f.asked() - before
		}
		ask(0, 1)
		ask(1, most)
		if calls := ask(0, most); calls != 0 {
			t.Errorf("%d calls for cached names", calls)
		}
		ask(most, most+1)
		if calls := ask(1, most); calls != 0 {
			t.Errorf("%d calls for cached names", calls)
		}
		if calls := ask(0, 1); calls != 1 {
			t.Errorf("%d calls for an evicted name", calls)
		}
	})
}

// TestWaitersAreBounded checks that one lookup beyond the limit returns at once. It
// fails, unless the instance has a valid name.
func TestWaitersAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const most = 4096
		f := &fakeEC2{}
		f.runs(1, "one")
		r := resolver(t, f)
		wantName(t, r, 1, "one")
		time.Sleep(time.Minute)
		f.isDown(true)
		var all sync.WaitGroup
		for range most {
			all.Go(func() { wantUnknown(t, r, 2) })
		}
		synctest.Wait()
		started := time.Now()
		wantUnknown(t, r, 2, "too many")
		wantUnknown(t, r, 3, "too many")
		wantName(t, r, 1, "one")
		if waited := time.Since(started); waited > 0 {
			t.Errorf("waits %s", waited)
		}
		all.Wait()
		f.isDown(false)
		wantNoName(t, r, 2)
	})
}

// TestCallsAreBounded checks that lookups fail at once if the limiter would delay
// them beyond the timeout, so that few batches wait.
func TestCallsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeEC2{}
		r := configured(t, f, ec2names.Config{QPS: 1, Burst: 1})
		var all sync.WaitGroup
		for n := range 2000 {
			all.Go(func() { _, _ = r.PrivateDNSName(t.Context(), id(n)) })
		}
		started := time.Now()
		all.Wait()
		if waited := time.Since(started); f.asked() > 9 || waited > 9*time.Second {
			t.Errorf("%d calls in %s, want at most 9", f.asked(), waited)
		}
	})
}
