package metrics

import (
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
	// known has each label as its key and its value.
	known map[string]string
}

func newRegions() *regions { return &regions{known: map[string]string{}} }

// add makes a region a label, while there is room.
func (r *regions) add(region string) { r.label(region, true) }

// label returns the label for a region. One that has answered becomes a label, while there
// is room.
func (r *regions) label(region string, answered bool) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if known, ok := r.known[region]; ok {
		return known
	}
	if !answered || len(r.known) >= maxRegions {
		return "other"
	}
	region = strings.Clone(region) // it is a part of a token, which must not stay in memory
	r.known[region] = region
	return region
}
