package gobuild

import "time"

// A forecast estimates when a build ends from its speed so far. go build prints a
// package when it starts to compile it, and nothing when that ends. So a package that
// has started counts by the share that is probably compiled.
type forecast struct {
	// slots is how many packages are compiled at once.
	slots int
	// total is the cost of all steps, ended that of the steps that have ended.
	total, ended float64
	// begun are the tasks that the current step has started.
	begun []task
}

// A task is a package to compile or a program to link.
type task struct {
	cost  float64
	began time.Duration
}

func (f *forecast) begin(cost float64, now time.Duration) {
	f.begun = append(f.begun, task{cost, now})
}

// endStep counts the whole step as done.
func (f *forecast) endStep(cost float64) {
	f.ended += cost
	f.begun = nil
}

// earlyTime is how long a build must run before its speed is known.
const earlyTime = 10 * time.Second

// left returns the estimated time until the build ends.
func (f *forecast) left(now time.Duration) (time.Duration, bool) {
	done := f.done(now)
	if now < earlyTime || done <= 0 {
		return 0, false
	}
	return time.Duration(float64(now) * max(0, f.total-done) / done), true
}

// done returns the estimated cost of what is done. A task that has started is done as
// far as one slot gets in that time, which itself depends on what is done.
func (f *forecast) done(now time.Duration) float64 {
	var done float64
	for _, t := range f.begun {
		done += t.cost
	}
	for range 5 { // it converges fast: few tasks are under way
		speed := (f.ended + done) / (now.Seconds() * float64(f.slots))
		done = 0
		for _, t := range f.begun {
			done += min(t.cost, speed*(now-t.began).Seconds())
		}
	}
	return f.ended + done
}
