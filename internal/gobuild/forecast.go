package gobuild

import "time"

// A forecast tells when a build ends from how fast it has been so far. go build
// names a package when it begins to compile it and prints nothing when that ends: a
// package counts by the share that is likely to be compiled.
type forecast struct {
	// slots is how many packages are compiled at once.
	slots int
	// total is the cost of everything, ended that of all steps that have ended.
	total, ended float64
	// begun are what the present step has begun.
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

// endStep counts all of a step as done, whatever of it has begun.
func (f *forecast) endStep(cost float64) {
	f.ended += cost
	f.begun = nil
}

// earlyTime is how long there is too little to forecast by.
const earlyTime = 10 * time.Second

// left forecasts how long the build still takes.
func (f *forecast) left(now time.Duration) (time.Duration, bool) {
	done := f.done(now)
	if now < earlyTime || done <= 0 {
		return 0, false
	}
	return time.Duration(float64(now) * max(0, f.total-done) / done), true
}

// done estimates the cost of what is done. A task that has begun is done as far as
// one slot gets in its time; how far that is follows from what is done.
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
