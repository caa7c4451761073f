package metrics

import "sync"

// maxRegions is how many regions get series of their own: more than AWS has.
const maxRegions = 64

// regions bounds the label StsRegion. Whoever sends tokens chooses their region
// among all that look like one, so that only a region whose STS has answered, or
// which the operator named, is a label; all others are "other".
type regions struct {
	mu    sync.Mutex
	known map[string]struct{}
}

func newRegions() *regions { return &regions{known: map[string]struct{}{}} }

// add makes a region a label, while there is room.
func (r *regions) add(region string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.known) < maxRegions {
		r.known[region] = struct{}{}
	}
}

// label is the value for a region.
func (r *regions) label(region string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.known[region]; ok {
		return region
	}
	return "other"
}
