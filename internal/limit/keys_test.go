package limit

import (
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"
)

// TestKeysOfEachCluster has many keys sign in to one cluster: another cluster's keys stay
// known, and all are bounded.
func TestKeysOfEachCluster(t *testing.T) {
	t.Parallel()
	now := time.Now()
	k := newKeys(100)
	key := func(cluster string, i int) knownKey { return knownKey{cluster, "sts", strconv.Itoa(i)} }
	for i := range 20 {
		k.add(key("quiet", i), now)
	}
	for i := range 1000 {
		k.add(key("flooded", i), now)
	}
	for i := range 20 {
		if !k.has(key("quiet", i), now) {
			t.Errorf("key %d of the quiet cluster is forgotten", i)
		}
	}
	for i, want := range map[int]bool{999: true, 920: true, 919: false, 0: false} {
		if got := k.has(key("flooded", i), now); got != want {
			t.Errorf("key %d of the flooded cluster is known: %v, want %v", i, got, want)
		}
	}
	if len(k.known) != 100 || len(k.clusters) != 2 {
		t.Errorf("%d keys of %d clusters", len(k.known), len(k.clusters))
	}
}

func TestKeysExpire(t *testing.T) {
	t.Parallel()
	now := time.Now()
	k := newKeys(100)
	first, second := knownKey{"c", "sts", "first"}, knownKey{"c", "sts", "second"}
	k.add(first, now)
	k.add(second, now)
	now = now.Add(provenFor)
	if !k.has(first, now) {
		t.Error("a key is forgotten within the hour")
	}
	k.add(second, now)
	now = now.Add(time.Nanosecond)
	if k.has(first, now) || !k.has(second, now) {
		t.Error("a key is known for an hour after its last sign-in")
	}
	k.add(knownKey{"c", "sts", "third"}, now)
	if len(k.known) != 2 {
		t.Errorf("%d keys are kept, want the two that are known", len(k.known))
	}
	k.add(knownKey{"d", "sts", "third"}, now.Add(time.Hour*9))
	k.add(knownKey{"c", "sts", "third"}, now.Add(time.Hour*9))
	if len(k.known) != 2 {
		t.Errorf("%d keys are kept", len(k.known))
	}
}

// TestRefreshedKeyIsTheLatest checks that a key that signs in again outlives those that do not.
func TestRefreshedKeyIsTheLatest(t *testing.T) {
	t.Parallel()
	now := time.Now()
	k := newKeys(2)
	first, second, third := knownKey{"c", "sts", "first"}, knownKey{"c", "sts", "second"}, knownKey{"c", "sts", "third"}
	for _, key := range []knownKey{first, second, first, third} {
		k.add(key, now)
	}
	if !k.has(first, now) || k.has(second, now) || !k.has(third, now) {
		t.Errorf("known: first %v, second %v, third %v; want true, false, true", k.has(first, now), k.has(second, now), k.has(third, now))
	}
}

// TestKeysKeepNoToken checks that a key ID is copied: it is a substring of a token, which is a
// credential.
func TestKeysKeepNoToken(t *testing.T) {
	t.Parallel()
	k := newKeys(2)
	const before, id = "a token, ", "AKIAEXAMPLE"
	for _, rest := range []string{"first", "second"} {
		token := strings.Join([]string{before, id, rest}, "")
		part := token[len(before):][:len(id)]
		k.add(knownKey{"c", "sts", part}, time.Now())
		for key, element := range k.known {
			for _, kept := range []string{key.accessKeyID, element.Value.(*timedKey).key.accessKeyID} {
				if kept != id || unsafe.StringData(kept) == unsafe.StringData(part) {
					t.Errorf("after the %s token: kept %q, want a copy of %q", rest, kept, id)
				}
			}
		}
	}
}
