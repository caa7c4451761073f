package gobuild

import (
	"fmt"
	"runtime"
	"sync"
	"time"
)

// A status shows how far a build is.
type status struct {
	progress Progress
	clock    func() time.Duration

	mu                 sync.Mutex
	began              time.Duration // when the first package did
	forecast           forecast
	plans              []plan // of the steps that have not ended; the first one runs
	packages, compiled int
}

func newStatus(progress Progress, clock func() time.Duration, plans []plan) *status {
	s := &status{progress: progress, clock: clock, plans: plans, forecast: forecast{slots: runtime.GOMAXPROCS(0)}}
	for _, plan := range plans {
		s.packages += plan.compile
		s.forecast.total += plan.total
	}
	return s
}

// begin counts a line of go build, and reports whether the line names a package.
func (s *status) begin(line string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	plan := s.plans[0]
	cost, ok := plan.costs[line]
	if !ok {
		return false
	}
	if s.compiled == 0 { // the time before says nothing of how fast the machine compiles
		s.began = s.clock()
	}
	s.compiled++
	now := s.clock() - s.began
	s.forecast.begin(cost, now)
	if cost, ok := plan.programs[line]; ok {
		s.forecast.begin(cost, now)
	}
	return true
}

func (s *status) endStep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forecast.endStep(s.plans[0].total)
	s.plans = s.plans[1:]
}

func (s *status) show() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.compiled == 0 {
		return
	}
	text := "linking"
	if s.compiled < s.packages {
		text = fmt.Sprintf("compiled %d of %d packages", s.compiled, s.packages)
	}
	if left, ok := s.forecast.left(s.clock() - s.began); ok && s.compiled >= fewPackages {
		text += ", " + about(left) + " left"
	}
	s.progress.Statusf("%s", text)
}

// fewPackages are too few for a forecast: other things take most of the time.
const fewPackages = 50

// about returns a time, rounded to the accuracy of a forecast.
func about(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return "a few seconds"
	case d < 55*time.Second:
		return fmt.Sprintf("about %d s", 10*int(d.Round(10*time.Second).Seconds()/10))
	case d < 3*time.Minute:
		d = d.Round(30 * time.Second)
		text := fmt.Sprintf("about %d min", int(d.Minutes()))
		if half := d % time.Minute; half != 0 {
			text += " 30 s"
		}
		return text
	}
	return fmt.Sprintf("about %d min", int(d.Round(time.Minute).Minutes()))
}
