package authn

import (
	"log/slog"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// linesPerSecond and lineBurst bound the lines of each outcome that anybody can
	// cause.
	linesPerSecond = 10
	lineBurst      = 100
	// ownLinesPerSecond and ownLineBurst bound the denials of identities that belong to
	// the cluster: one of them may be a leaked key that the deny file refuses.
	ownLinesPerSecond = 100
	ownLineBurst      = 1000
	// summaryPeriod is how long decisions without a line are counted before the log
	// says how many there were.
	summaryPeriod = 10 * time.Second
)

// A quota bounds the lines about denials, so that a flood of them fills no disk. It never
// applies to a sign-in, and leaves more room to the denials of identities that belong to
// the cluster than to tokens that anybody can send. Decisions beyond it are counted.
type quota struct {
	log        *slog.Logger
	suppressed func()
	limiters   map[Outcome]*rate.Limiter
	own        *rate.Limiter

	mu sync.Mutex
	// counts are the decisions without a line since the last summary.
	counts map[Outcome]int
	// summary is the timer of the next summary; nil if there is nothing to report.
	summary *time.Timer
}

func newQuota(log *slog.Logger, suppressed func()) *quota {
	q := &quota{log: log, suppressed: suppressed, limiters: map[Outcome]*rate.Limiter{}, own: rate.NewLimiter(ownLinesPerSecond, ownLineBurst), counts: map[Outcome]int{}}
	for _, outcome := range Outcomes() {
		q.limiters[outcome] = rate.NewLimiter(linesPerSecond, lineBurst)
	}
	return q
}

// allow reports whether a decision has a line.
func (q *quota) allow(d *Decision) bool {
	if d.Outcome == Mapped {
		return true
	}
	limiter := q.limiters[d.Outcome]
	if d.Outcome == Denied || d.Outcome == Unmapped && !d.Foreign {
		limiter = q.own
	}
	if limiter.AllowN(d.Time, 1) {
		return true
	}
	q.suppressed()
	q.mu.Lock()
	defer q.mu.Unlock()
	q.counts[d.Outcome]++
	if q.summary == nil {
		q.summary = time.AfterFunc(summaryPeriod, q.summarize)
	}
	return false
}

// summarize logs how many decisions had no line since the last summary, if any.
func (q *quota) summarize() {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.summary == nil {
		return
	}
	q.summary.Stop()
	q.summary = nil
	var attributes []any
	for _, outcome := range Outcomes() {
		if count := q.counts[outcome]; count > 0 {
			attributes = append(attributes, slog.Int(string(outcome), count))
		}
	}
	clear(q.counts)
	q.log.Warn("too many decisions: not all were logged", attributes...)
}
