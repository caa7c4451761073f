// Package mapedit edits mappings, in a cluster or in a file: it names who gains and loses
// access, refuses to lock somebody out, and starts again if somebody else was faster.
package mapedit

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/delta"
	"github.com/kube-iam/authenticator/internal/lockout"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth/edit"
)

// An Editor edits the mappings of a target.
type Editor struct {
	Target Target
	// Reading are the options for reading the mappings.
	Reading awsauth.Options
	// DryRun reports what would change, and changes nothing.
	DryRun bool
	// Force makes the edit even if it locks somebody out.
	Force bool
	// AskAlways asks also before somebody gains access. The edit comes from the history,
	// which more than the one who edits can write.
	AskAlways bool
	// Confirm asks before somebody loses or changes access; nil to make the edit unasked.
	Confirm func(ctx context.Context, text string) error
	// Report prints what became of an edit, or its text for people.
	Report func(r Report, text string) error
}

// An Edition is the result of a change of mappings.
type Edition struct {
	Document edit.Document
	// Unchanged says why nothing is to do; used if the document is the same.
	Unchanged string
}

// maxConflicts is how often an edit is tried that others get ahead of.
const maxConflicts = 8

// betweenConflicts returns the waits between tries. They are random, so that many who edit
// at the same time do not try again at the same time.
func betweenConflicts() wait.Backoff {
	return wait.Backoff{Duration: 10 * time.Millisecond, Factor: 2, Jitter: 1, Steps: maxConflicts}
}

// Change edits the mappings. It starts again if somebody else was faster.
func (e *Editor) Change(ctx context.Context, change func(edit.Document) (Edition, error)) error {
	target, confirmed, waits := e.Target, "", betweenConflicts()
	for try := range maxConflicts {
		if try > 0 {
			if err := sleep(ctx, waits.Step()); err != nil {
				return err
			}
		}
		before, err := target.Read(ctx)
		if err != nil {
			return err
		}
		if f, ok := target.(*File); ok {
			if err := f.checkUserIDs(); err != nil {
				return err
			}
		}
		after, err := change(before)
		if err != nil {
			return fmt.Errorf("%s: %w", target.Name(), err)
		}
		if same(before, after.Document) {
			if target.Prints() {
				return target.Write(ctx, before, false)
			}
			return e.report(Report{Target: target.Name(), Result: Unchanged, ResourceVersion: target.Version()}, cli.Printable(after.Unchanged)+"\n")
		}
		from, to, err := target.Parse(ctx, before, after.Document, e.Reading)
		if err != nil {
			return fmt.Errorf("%s: %w", target.Name(), err)
		}
		changes := mapper.Diff(from.Table, to.Table)
		dangers := lockout.Dangers(from.Table, to.Table, changes, target.Facts(ctx, changes))
		is := newReport(target, from, to, changes, dangers)
		if e.DryRun {
			is.Result, is.ResourceVersion = Planned, target.Version()
			return e.report(is, planText(target.Parts(before, after.Document), changes, dangers))
		}
		if err := e.refuse(dangers); err != nil {
			return err
		}
		if text := delta.Text(changes); (takesAway(changes) || e.AskAlways) && e.Confirm != nil && text != confirmed {
			if err := e.Confirm(ctx, text); err != nil {
				return err
			}
			confirmed = text
		}
		err = target.Write(ctx, after.Document, e.Force)
		if errors.Is(err, ErrConflict) {
			continue
		}
		if err != nil || target.Prints() {
			return err
		}
		is.Result, is.ResourceVersion = target.Done(), target.Version()
		return e.report(is, fmt.Sprintf("%s%s %s\n", delta.Text(changes), is.Result, target.Name()))
	}
	return fmt.Errorf("editing %s: somebody else edited it at the same time, %d times in a row; try again", target.Name(), maxConflicts)
}

// report reports an edit. Its lists are never null.
func (e *Editor) report(r Report, text string) error {
	r.Old, r.New = append([]Mapping{}, r.Old...), append([]Mapping{}, r.New...)
	r.Access, r.Dangers = append([]delta.Change{}, r.Access...), append([]string{}, r.Dangers...)
	return e.Report(r, text)
}

// sleep returns after a duration, or the cause if ctx is done first.
func sleep(ctx context.Context, duration time.Duration) error {
	select {
	case <-time.After(duration):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func same(a, b edit.Document) bool {
	if data, ok := a.(edit.Data); ok {
		other, ok := b.(edit.Data)
		return ok && maps.Equal(data, other)
	}
	return a == b
}

// takesAway reports whether somebody loses access or gets another one.
func takesAway(changes mapper.Delta) bool {
	for _, change := range changes.Changes {
		if change.Kind() != mapper.Gains {
			return true
		}
	}
	return false
}

// hintForce says how to make an edit that is refused.
const hintForce = "--force makes the edit anyway"

// refuse returns an error for an edit that locks somebody out.
func (e *Editor) refuse(dangers []string) error {
	if len(dangers) == 0 || e.Force {
		return nil
	}
	failed := &cli.Error{Code: cli.ExitFailure, Hint: hintForce, Err: fmt.Errorf("refused: %s", cli.Printable(dangers[0]))}
	for _, danger := range dangers[1:] {
		failed.Err = fmt.Errorf("%w; %s", failed.Err, cli.Printable(danger))
	}
	return failed
}
