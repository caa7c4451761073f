package server

import (
	"net/http"
	"sync"
	"time"

	"github.com/kube-iam/authenticator/internal/assembly"
	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/decisions"
	"github.com/kube-iam/authenticator/internal/metrics"
)

const (
	// journalPeriod is the longest time from a decision to its record. A shorter one takes
	// time from the next decisions.
	journalPeriod = 25 * time.Millisecond
	// maxEntries is how many decisions wait for their record: those of a period with
	// 40 000 decisions a second.
	maxEntries = 1000
)

// A journal records decisions soon after their answers: no answer waits for the records, and
// many in a row take less time each.
type journal struct {
	record func(entry)
	// recording is held while decisions are recorded, and locked before mu.
	recording sync.Mutex

	mu      sync.Mutex
	entries []entry
	// spare is the memory of the previous entries, for reuse.
	spare []entry
}

// An entry is a decision of a cluster.
type entry struct {
	cluster  *assembly.Parts
	decision *authn.Decision
}

func newJournal(recorder *decisions.Recorder, metrics *metrics.Metrics) *journal {
	return &journal{record: func(e entry) {
		e.cluster.Record(e.decision)
		e.cluster.Guard.Observe(e.decision)
		recorder.Record(e.cluster.ID(), e.decision)
		metrics.Observe(e.decision)
	}}
}

// add adds a decision, which a timer records. The goroutine that adds one too many records
// all.
func (j *journal) add(e entry) {
	j.mu.Lock()
	j.entries = append(j.entries, e)
	count := len(j.entries)
	j.mu.Unlock()
	switch {
	case count == 1:
		time.AfterFunc(journalPeriod, j.flush)
	case count > maxEntries:
		j.flush()
	}
}

// flush records all decisions that were added.
func (j *journal) flush() {
	j.recording.Lock()
	defer j.recording.Unlock()
	j.mu.Lock()
	entries := j.entries
	j.entries, j.spare = j.spare[:0], nil
	j.mu.Unlock()
	for _, e := range entries {
		j.record(e)
	}
	clear(entries)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.spare = entries
}

// flushed returns a handler that shows all decisions.
func (j *journal) flushed(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		j.flush()
		handler.ServeHTTP(w, r)
	})
}
