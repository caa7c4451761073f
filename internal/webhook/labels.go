package webhook

import "sync"

// boundedLabels lets only so many values of a label be told apart: the region
// of a token is not proved yet when it is counted, and whoever sends tokens
// chooses it among all that look like one.
type boundedLabels struct {
	mu   sync.Mutex
	seen map[string]struct{}
	max  int
}

func newBoundedLabels(limit int) *boundedLabels {
	return &boundedLabels{seen: map[string]struct{}{}, max: limit}
}

func (b *boundedLabels) value(s string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.seen[s]; ok {
		return s
	}
	if len(b.seen) >= b.max {
		return "other"
	}
	b.seen[s] = struct{}{}
	return s
}
