package ec2names_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
)

// TestNameChangesHands checks that a new instance gets the name of a terminated one
// at once: EC2 may reuse an address, and so a name, as soon as it is free.
func TestNameChangesHands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeEC2{}
		f.runs(1, "ip-10-0-0-1")
		r := resolver(t, f)
		wantName(t, r, 1, "ip-10-0-0-1")
		f.becomes(1, types.InstanceStateNameTerminated)
		f.runs(2, "ip-10-0-0-1")
		wantName(t, r, 1, "ip-10-0-0-1") // It is fresh, and no other instance has it yet.
		wantName(t, r, 2, "ip-10-0-0-1")
		wantNoName(t, r, 1)
		time.Sleep(20 * time.Second)
		wantNoName(t, r, 1)
	})
}

// TestNamesSwap checks that instances of one call can swap their names: all old names
// are released before any new one is given.
func TestNamesSwap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeEC2{}
		f.runs(1, "one")
		f.runs(2, "two")
		r := resolver(t, f)
		wantName(t, r, 1, "one")
		wantName(t, r, 2, "two")
		f.runs(1, "two")
		f.runs(2, "one")
		time.Sleep(time.Minute)
		wantName(t, r, 1, "two")
		wantName(t, r, 2, "one")
	})
}

// TestTwoRunUnderOneName checks that of two running instances with one name, which
// networks with overlapping addresses allow, the first keeps it while it runs.
func TestTwoRunUnderOneName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeEC2{}
		f.runs(2, "ip-10-0-0-1")
		time.Sleep(time.Minute)
		f.runs(1, "ip-10-0-0-1")
		r := resolver(t, f)
		wantName(t, r, 1, "ip-10-0-0-1")
		for range 200 {
			wantUnknown(t, r, 2, id(1), id(2), "ip-10-0-0-1")
			wantName(t, r, 1, "ip-10-0-0-1")
			time.Sleep(3 * time.Second)
		}
		f.becomes(1, types.InstanceStateNameStopping)
		time.Sleep(11 * time.Second)
		wantName(t, r, 2, "ip-10-0-0-1")
		wantNoName(t, r, 1)
		f.becomes(1, types.InstanceStateNameRunning)
		time.Sleep(11 * time.Second)
		wantUnknown(t, r, 1, id(1), id(2), "ip-10-0-0-1")
	})
}

// TestTwoAtOnce checks that of instances that ask for one name at once, the one that
// was launched first gets it, so that all servers agree.
func TestTwoAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeEC2{}
		f.runs(2, "ip-10-0-0-1")
		time.Sleep(time.Second)
		f.runs(1, "ip-10-0-0-1")
		f.runs(3, "ip-10-0-0-1")
		for range 10 {
			r := resolver(t, f)
			var all sync.WaitGroup
			all.Go(func() { wantUnknown(t, r, 1, id(1), id(2)) })
			all.Go(func() { wantName(t, r, 2, "ip-10-0-0-1") })
			all.Go(func() { wantUnknown(t, r, 3, id(3), id(2)) })
			all.Wait()
		}
	})
}

// TestHolderIsUnknown checks that a name does not change hands while EC2 does not
// answer for its holder.
func TestHolderIsUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeEC2{}
		f.runs(1, "ip-10-0-0-1")
		r := resolver(t, f)
		wantName(t, r, 1, "ip-10-0-0-1")
		f.runs(2, "ip-10-0-0-1")
		f.hangs = func(ids []string) bool { return slices.Contains(ids, id(1)) }
		wantUnknown(t, r, 2)
		wantName(t, r, 1, "ip-10-0-0-1")
	})
}

// TestLostWhileWaiting checks that after a failed call, a lookup does not fall back on
// a name that another instance got in the meantime.
func TestLostWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fakeEC2{}
		f.runs(1, "ip-10-0-0-1")
		r := resolver(t, f)
		wantName(t, r, 1, "ip-10-0-0-1")
		time.Sleep(time.Minute)
		f.isDown(true)
		var all sync.WaitGroup
		all.Go(func() { wantUnknown(t, r, 1) })
		time.Sleep(time.Second)
		f.isDown(false)
		f.becomes(1, types.InstanceStateNameTerminated)
		f.runs(2, "ip-10-0-0-1")
		wantName(t, r, 2, "ip-10-0-0-1")
		all.Wait()
		wantName(t, r, 2, "ip-10-0-0-1")
	})
}

// TestHistories runs random histories of few instances and fewer names, with an
// EC2 that is slow and fails at times.
func TestHistories(t *testing.T) {
	for seed := range uint64(100) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { history(t, rand.New(rand.NewPCG(seed, 0))) })
		})
	}
}

func history(t *testing.T, random *rand.Rand) {
	const instances, names, longestCall = 6, 2, 8 * time.Second
	type run struct {
		name           string
		started, ended time.Time
	}
	type use struct {
		n  int
		at time.Time
	}
	f := &fakeEC2{}
	r := resolver(t, f)
	var runs [instances]run
	uses := map[string]use{} // the last use of each name
	start := func(n int) {
		runs[n] = run{name: fmt.Sprint("name-", random.IntN(names)), started: time.Now()}
		f.runs(n, runs[n].name)
	}
	for n := range instances {
		start(n)
	}
	var broken error
	repaired := time.Now()
	for range 500 {
		time.Sleep(time.Duration(random.Int64N(int64(20 * time.Second))))
		n := random.IntN(instances)
		switch random.IntN(12) {
		case 0, 1:
			if runs[n].ended.IsZero() {
				f.becomes(n, types.InstanceStateNameTerminated)
				runs[n].ended = time.Now()
			}
		case 2, 3:
			if !runs[n].ended.IsZero() {
				start(n)
			}
		case 4:
			f.takes(time.Duration(random.Int64N(int64(longestCall / 2))))
		case 5, 6:
			broken, repaired = nil, time.Now()
			if random.IntN(2) == 0 {
				broken = errors.New("broken")
			}
			f.fails(broken)
		default:
			name, err := r.PrivateDNSName(t.Context(), id(n))
			if err != nil {
				continue
			}
			now := time.Now()
			if last, ok := uses[name]; ok && last.n != n {
				if other := runs[last.n]; other.name == name && other.ended.IsZero() && other.started.Before(last.at.Add(-longestCall)) {
					t.Errorf("instance %d gets %q, the name of running instance %d", n, name, last.n)
				}
			}
			if ended := runs[n].ended; !ended.IsZero() && now.Sub(ended) > time.Minute && broken == nil && now.Sub(repaired) > time.Minute {
				t.Errorf("instance %d gets %q %s after it ended", n, name, now.Sub(ended))
			}
			uses[name] = use{n, now}
		}
	}
}
