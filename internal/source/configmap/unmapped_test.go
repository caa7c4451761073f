package configmap

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

// TestWhichUnmappedHaveEvents checks the limits of the Events about identities without
// a mapping: not at once, once an hour for each, and at most ten an hour.
func TestWhichUnmappedHaveEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUnmapped(time.Now)
		try := func(arn string, want bool) {
			t.Helper()
			if got := u.isDue(arn); got != want {
				t.Errorf("%s has an Event: %v, want %v", arn, got, want)
			}
		}
		try("bob", false)
		try("bob", false)
		time.Sleep(persists - time.Second)
		try("bob", false)
		time.Sleep(time.Second)
		try("bob", true)
		try("bob", false)
		for i := range maxUnmappedEvents {
			try(fmt.Sprint(i), false)
		}
		time.Sleep(persists)
		for i := range maxUnmappedEvents {
			try(fmt.Sprint(i), i < maxUnmappedEvents-1) // bob's was the first
		}
		// An hour after bob's Event there is room for one more.
		time.Sleep(unmappedPeriod - 2*persists + time.Second)
		try("bob", false)
		time.Sleep(persists)
		try("bob", true)
		try(fmt.Sprint(maxUnmappedEvents-1), false)
	})
}

// TestUnmappedAreBounded floods it with distinct identities.
func TestUnmappedAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := newUnmapped(time.Now)
		for i := range 10 * maxSeen {
			u.isDue(fmt.Sprint(i))
		}
		if seen := len(u.seen.Keys()); seen != maxSeen {
			t.Errorf("%d identities are remembered, want %d", seen, maxSeen)
		}
		events := 0
		for range 24 {
			time.Sleep(unmappedPeriod / 4)
			for i := range 10 * maxSeen {
				if u.isDue(fmt.Sprint(i % maxSeen)) {
					events++
				}
			}
		}
		if len(u.events) > maxUnmappedEvents || events == 0 || events > 6*maxUnmappedEvents {
			t.Errorf("%d Events in 6 hours", events)
		}
	})
}
