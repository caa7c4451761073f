package load

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/internal/loadtest/review"
	"github.com/kube-iam/authenticator/internal/loadtest/stats"
)

// Result sums up many requests.
type Result struct {
	// Latencies of all requests sent.
	Latencies []time.Duration
	Answers   [review.Answers]int
	// Statuses counts HTTP statuses; 0 is no response.
	Statuses map[int]int
	// Unsent counts the requests that an open loop skipped, because too many waited.
	Unsent  int
	Elapsed time.Duration
}

func (r *Result) add(answer review.Answer, status int, latency time.Duration) {
	if r.Statuses == nil {
		r.Statuses = map[int]int{}
	}
	r.Latencies = append(r.Latencies, latency)
	r.Answers[answer]++
	r.Statuses[status]++
}

// Merge adds the requests of another result, but not its time.
func (r *Result) Merge(other *Result) {
	if r.Statuses == nil {
		r.Statuses = map[int]int{}
	}
	r.Latencies = append(r.Latencies, other.Latencies...)
	for i, n := range other.Answers {
		r.Answers[i] += n
	}
	for status, n := range other.Statuses {
		r.Statuses[status] += n
	}
	r.Unsent += other.Unsent
}

// Sent returns how many requests were sent.
func (r *Result) Sent() int { return len(r.Latencies) }

// Due returns how many requests should have been sent.
func (r *Result) Due() int { return r.Sent() + r.Unsent }

// PerSecond returns how many requests per second let the caller in.
func (r *Result) PerSecond() float64 { return float64(r.Answers[review.Yes]) / r.Elapsed.Seconds() }

// P50 returns the median latency in milliseconds.
func (r *Result) P50() float64 { return milliseconds(stats.Percentile(r.Latencies, 50)) }

// P99 returns the 99th percentile of latencies in milliseconds.
func (r *Result) P99() float64 { return milliseconds(stats.Percentile(r.Latencies, 99)) }

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func (r *Result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%.0f/s, p50 %.2f ms, p99 %.2f ms;", r.PerSecond(), r.P50(), r.P99())
	for answer, n := range r.Answers {
		if n > 0 {
			fmt.Fprintf(&b, " %d %s", n, review.Answer(answer))
		}
	}
	b.WriteString("; HTTP")
	for _, status := range slices.Sorted(maps.Keys(r.Statuses)) {
		fmt.Fprintf(&b, " %d: %d", status, r.Statuses[status])
	}
	if r.Unsent > 0 {
		fmt.Fprintf(&b, "; %d unsent", r.Unsent)
	}
	return b.String()
}
