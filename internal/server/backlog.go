package server

import (
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/kube-iam/authenticator/internal/assembly"
	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/decisions"
	"github.com/kube-iam/authenticator/internal/metrics"
)

const (
	// recordPeriod is how long a decision waits, at most, to be recorded. Recording more
	// often slows the decisions that follow.
	recordPeriod = 25 * time.Millisecond
	// maxBacklog is how many decisions may wait: 25 ms of them at 40 000 a second.
	maxBacklog = 1000
)

// A backlog holds decisions until they are recorded, in batches, because each then costs
// less. A request does not wait for its record, unless maxBacklog decisions wait already.
type backlog struct {
	log    *slog.Logger
	record func(unrecorded)
	// recording is held while decisions are recorded, so that they keep their order. It is
	// locked before mu.
	recording sync.Mutex

	mu      sync.Mutex
	waiting []unrecorded
}

// unrecorded is a decision of a cluster.
type unrecorded struct {
	cluster  *assembly.Parts
	decision *authn.Decision
}

// newBacklog returns the backlog of what has a record of every decision: the log, the
// guard of node roles, why, and the metrics.
func newBacklog(recorder *decisions.Recorder, metrics *metrics.Metrics, log *slog.Logger) *backlog {
	return &backlog{log: log, record: func(u unrecorded) {
		u.cluster.Record(u.decision)
		u.cluster.Guard.Observe(u.decision)
		recorder.Record(u.cluster.ID(), u.decision)
		metrics.Observe(u.decision)
	}}
}

// add adds a decision. A timer records it, or add itself if too many wait.
func (b *backlog) add(u unrecorded) {
	b.mu.Lock()
	b.waiting = append(b.waiting, u)
	count := len(b.waiting)
	b.mu.Unlock()
	switch {
	case count == 1:
		time.AfterFunc(recordPeriod, b.flush)
	case count > maxBacklog:
		b.flush()
	}
}

// flush records the decisions that wait.
func (b *backlog) flush() {
	b.recording.Lock()
	defer b.recording.Unlock()
	b.mu.Lock()
	batch := b.waiting
	b.waiting = nil
	b.mu.Unlock()
	for _, u := range batch {
		b.try(u)
	}
}

// try records a decision. If that panics, people can still sign in.
func (b *backlog) try(u unrecorded) {
	defer func() {
		if cause := recover(); cause != nil {
			b.log.Error("recording a decision failed", "outcome", u.decision.Outcome, "id", u.decision.ID, "error", fmt.Sprint(cause))
		}
	}()
	b.record(u)
}

// flushFirst returns a handler that records the decisions that wait, and then calls another.
func (b *backlog) flushFirst(handler http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.flush()
		handler.ServeHTTP(w, r)
	})
}
