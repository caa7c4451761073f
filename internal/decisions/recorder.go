package decisions

import (
	"errors"
	"slices"
	"sync"

	"github.com/kube-iam/authenticator/internal/authn"
)

const (
	// manyKept is how many decisions are kept of each outcome that people ask for,
	// fewKept of each that anybody can cause, and sharePerPrincipal of the manyKept
	// denials of one principal.
	manyKept          = 256
	fewKept           = 64
	sharePerPrincipal = 16

	maxWatchers = 8
	// maxAhead is how many decisions wait for a watcher that is slow.
	maxAhead = 256
)

// ErrTooManyWatchers means that maxWatchers watch already.
var ErrTooManyWatchers = errors.New("too many watch the decisions already")

// A Recorder keeps the last decisions. Each outcome has a ring of its own, and so do
// identities of accounts that no mapping names: neither many sign-ins nor a flood of
// junk pushes out the denial of somebody who belongs to the cluster. A flood of one cluster
// does not push out the decisions of another. It is safe for concurrent use.
type Recorder struct {
	mu       sync.Mutex
	rings    map[authn.Outcome]*ring
	foreign  *ring
	watchers map[*Watcher]struct{}
}

// NewRecorder returns a recorder.
func NewRecorder() *Recorder {
	r := &Recorder{rings: map[authn.Outcome]*ring{}, foreign: newRing(fewKept, sharePerPrincipal), watchers: map[*Watcher]struct{}{}}
	for _, outcome := range authn.Outcomes() {
		switch outcome {
		case authn.Mapped:
			r.rings[outcome] = newRing(manyKept, 0)
		case authn.Unmapped, authn.Denied, authn.Refused:
			r.rings[outcome] = newRing(manyKept, sharePerPrincipal)
		default:
			r.rings[outcome] = newRing(fewKept, 0)
		}
	}
	return r
}

// Record keeps a decision, unless its account is scrubbed.
func (r *Recorder) Record(clusterID string, d *authn.Decision) {
	if d.Scrubbed {
		return
	}
	e := newEntry(clusterID, d)
	r.mu.Lock()
	defer r.mu.Unlock()
	ring := r.rings[d.Outcome]
	if d.Foreign {
		ring = r.foreign
	}
	if ring == nil {
		return
	}
	ring.add(e)
	for watcher := range r.watchers {
		watcher.offer(&e)
	}
}

// Find returns the last decisions that match a query, the latest last.
func (r *Recorder) Find(q Query) []Entry {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.find(q)
}

func (r *Recorder) find(q Query) []Entry {
	found := []Entry{}
	for _, ring := range r.rings {
		found = q.filter(found, ring.slots)
	}
	found = q.filter(found, r.foreign.slots)
	slices.SortStableFunc(found, func(a, b Entry) int { return a.Time.Compare(b.Time) })
	return found[max(0, len(found)-q.Limit):]
}

// Watch returns the last decisions that match a query, and a watcher of those to come.
// The caller stops the watcher.
func (r *Recorder) Watch(q Query) ([]Entry, *Watcher, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.watchers) >= maxWatchers {
		return nil, nil, ErrTooManyWatchers
	}
	w := &Watcher{query: q, recorder: r, entries: make(chan Entry, maxAhead)}
	r.watchers[w] = struct{}{}
	return r.find(q), w, nil
}

// A Watcher gets the decisions that match its query, as they are made.
type Watcher struct {
	query    Query
	recorder *Recorder
	entries  chan Entry
	lost     int // guarded by the recorder
}

// Entries returns the decisions.
func (w *Watcher) Entries() <-chan Entry { return w.entries }

// Lost returns how many decisions the watcher has lost since the last call, because it
// was slow.
func (w *Watcher) Lost() int {
	w.recorder.mu.Lock()
	defer w.recorder.mu.Unlock()
	lost := w.lost
	w.lost = 0
	return lost
}

// Stop makes room for another watcher.
func (w *Watcher) Stop() {
	w.recorder.mu.Lock()
	defer w.recorder.mu.Unlock()
	delete(w.recorder.watchers, w)
}

// offer never waits. The caller holds the recorder's lock.
func (w *Watcher) offer(e *Entry) {
	if !w.query.matches(e) {
		return
	}
	select {
	case w.entries <- *e:
	default:
		w.lost++
	}
}
