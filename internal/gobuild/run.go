package gobuild

import (
	"context"
	"fmt"
	"time"
)

// patience is how long go may take to stop after a signal.
const patience = 10 * time.Second

// A Progress prints lines that stay, and a status that changes.
type Progress interface {
	Printf(format string, args ...any)
	Statusf(format string, args ...any)
}

// Run runs the steps in order. It first lists what all of them compile, so that the
// forecast covers all.
func Run(ctx context.Context, progress Progress, steps ...Step) error {
	if len(steps) == 0 {
		return nil
	}
	started := time.Now()
	var plans []plan
	for planner := newPlanner(); len(plans) < len(steps); {
		plan, err := planner.plan(ctx, steps[len(plans)], progress)
		if err != nil {
			return err
		}
		plans = append(plans, plan)
	}
	status := newStatus(progress, func() time.Duration { return time.Since(started) }, plans)
	if status.packages > 0 {
		progress.Printf("compiling %d packages", status.packages)
	}
	for _, step := range steps {
		err := runStep(ctx, step, status)
		if step.Done != nil {
			err = step.Done(err)
		}
		if err != nil {
			return err
		}
		status.endStep()
	}
	if status.packages > 0 {
		progress.Printf("built in %s", time.Since(started).Round(time.Second))
	}
	return nil
}

func runStep(ctx context.Context, step Step, status *status) error {
	var says output
	command := goCommand(ctx, step, step.buildArguments())
	command.Stderr = &lines{each: func(line string) {
		if !status.begin(line) {
			says.add(line)
		}
	}}
	if err := command.Start(); err != nil {
		return fmt.Errorf("running go build: %w", err)
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			status.show()
		case err := <-ended:
			if err != nil {
				return says.failure(ctx, "go build", err)
			}
			return nil
		}
	}
}
