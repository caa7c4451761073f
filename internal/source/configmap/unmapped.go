package configmap

import (
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	lru "k8s.io/apimachinery/pkg/util/cache"

	"github.com/kube-iam/authenticator/internal/source"
)

const (
	// unmappedReason is the reason of the Event about an identity without a mapping.
	unmappedReason = "Unmapped"
	// persists is how long an identity tries before it has an Event: one kubectl command
	// sends several requests, and a person who mistyped a profile soon corrects it.
	persists = time.Minute
	// maxUnmappedEvents is the maximum number of these Events in unmappedPeriod. An
	// identity has at most one in that time.
	maxUnmappedEvents = 10
	unmappedPeriod    = time.Hour
	// maxSeen bounds the identities that are remembered, the last ones.
	maxSeen = 256
)

// Unmapped implements [source.UnmappedReporter]: an Event on aws-auth names an identity
// that tries for longer than a minute.
func (c *ConfigMap) Unmapped(arn string) {
	configMap := c.reference.Load()
	if configMap == nil || !c.unmapped.isDue(arn) {
		return
	}
	c.events.Warn(configMap, unmappedReason, fmt.Sprintf("%s tries to sign in, but no mapping matches it. To see why, run: authenticator explain --arn '%[1]s'", arn))
}

// referTo makes Events about an identity refer to a ConfigMap. It keeps only what they
// need, since the data is large. Nil means no ConfigMap.
func (c *ConfigMap) referTo(configMap *unstructured.Unstructured) {
	if configMap == nil {
		c.reference.Store(nil)
		return
	}
	reference := &unstructured.Unstructured{Object: map[string]any{}}
	reference.SetNamespace(configMap.GetNamespace())
	reference.SetName(configMap.GetName())
	reference.SetUID(configMap.GetUID())
	reference.SetResourceVersion(configMap.GetResourceVersion())
	c.reference.Store(reference)
}

// unmapped decides which identities have an Event. It is safe for concurrent use.
type unmapped struct {
	now func() time.Time

	mu sync.Mutex
	// seen holds a *sighting for each ARN, for unmappedPeriod.
	seen *lru.LRUExpireCache
	// events are the times of the last Events.
	events []time.Time
}

// A sighting is an identity that was denied.
type sighting struct {
	first    time.Time
	reported bool
}

// Now fits the clock of seen.
func (u *unmapped) Now() time.Time { return u.now() }

func newUnmapped(now func() time.Time) *unmapped {
	u := &unmapped{now: now}
	u.seen = lru.NewLRUExpireCacheWithClock(maxSeen, u)
	return u
}

// isDue counts a denial of an identity, and reports whether it has an Event now.
func (u *unmapped) isDue(arn string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := u.now()
	known, ok := u.seen.Get(arn)
	if !ok {
		u.seen.Add(arn, &sighting{first: now}, unmappedPeriod)
		return false
	}
	s := known.(*sighting)
	if s.reported || now.Sub(s.first) < persists || !u.hasRoom(now) {
		return false
	}
	s.reported = true
	u.events = append(u.events, now)
	return true
}

// hasRoom reports whether there may be another Event.
func (u *unmapped) hasRoom(now time.Time) bool {
	for len(u.events) > 0 && now.Sub(u.events[0]) >= unmappedPeriod {
		u.events = u.events[1:]
	}
	return len(u.events) < maxUnmappedEvents
}

var _ source.UnmappedReporter = (*ConfigMap)(nil)
