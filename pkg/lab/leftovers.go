package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/kube-iam/authenticator/pkg/lab/internal/private"
	"github.com/kube-iam/authenticator/pkg/lab/internal/process"
)

// endLeftovers ends the processes that a killed lab has recorded, if they still run.
// It never signals a process that only looks like one of a lab's. For such a process
// it returns an error that says how to end it, since the files of a running process
// must stay.
func endLeftovers(ctx context.Context, dir *private.Dir, progress io.Writer) error {
	recorded, err := recordedPrograms(dir)
	if err != nil {
		return err
	}
	for _, program := range recorded {
		switch err := program.Kill(ctx); {
		case err == nil:
			fmt.Fprintf(progress, "lab: ended %s, left behind by a killed lab\n", program)
		case errors.Is(err, os.ErrProcessDone):
		case errors.Is(err, process.ErrReused):
			fmt.Fprintf(progress, "lab: %s of a killed lab has ended; not signalling the other process that has its PID now\n", program)
		case errors.Is(err, process.ErrUnproven): // reported below, if it still runs
		default:
			return fmt.Errorf("ending %s: %w", program, err)
		}
	}
	unproven, err := programsIn(dir)
	if err != nil {
		return err
	}
	var errs []error
	for _, program := range unproven {
		errs = append(errs, fmt.Errorf("%s works in %s, but no record proves that a lab started it: end it with kill %d if it is yours, and try again",
			program, dir.Path(), program.PID))
	}
	return errors.Join(errs...)
}
