package metrics

import (
	"cmp"
	"strings"
	"sync"
)

// maxRegions is how many regions get series of their own: more than AWS has.
const maxRegions = 64

// regions bounds the label StsRegion. Whoever sends tokens chooses their region
// among all that look like one, so that only a region whose STS has answered, or
// which the operator named, is a label; all others are "other".
type regions struct {
	mu sync.Mutex
	// known maps each label to itself.
	known map[string]string
}

func newRegions() *regions { return &regions{known: map[string]string{}} }

// add makes a region a label, while there is room, and returns its label.
func (r *regions) add(region string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.known[region]; !ok && len(r.known) < maxRegions {
		region = strings.Clone(region) // a substring would keep the whole token, a credential, in memory
		r.known[region] = region
	}
	return cmp.Or(r.known[region], "other")
}

// label returns the label of a region.
func (r *regions) label(region string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return cmp.Or(r.known[region], "other")
}
