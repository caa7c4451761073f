package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/kube-iam/authenticator/internal/spelling"
)

// The exit codes of commands; 0 is success. The help of a command says where it differs.
const (
	ExitFailure   = 1 // the command failed, or its result is negative
	ExitUsage     = 2 // a flag, an argument or the configuration is invalid
	ExitUndecided = 3 // the result could not be determined
)

// exitCodes describes the exit codes at the end of a program's help.
const exitCodes = `Exit codes: 0 success; 1 failure, or a negative result; 2 invalid flags, arguments or
configuration; 3 the result could not be determined. The help of a command says where
it differs.`

// An Error ends a program with an exit code, and may have a hint at the remedy. If Err
// is nil, nothing is printed: the output of the command says it all.
type Error struct {
	Code int
	Hint string
	Err  error
}

func (e *Error) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit code %d", e.Code)
	}
	return e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Usagef returns an error for invalid flags, arguments or configuration. It keeps the
// hint of an error that it wraps.
func Usagef(format string, args ...any) error {
	usage := &Error{Code: ExitUsage, Err: fmt.Errorf(format, args...)}
	if wrapped, ok := errors.AsType[*Error](usage.Err); ok {
		usage.Hint = wrapped.Hint
	}
	return usage
}

// maxListed is the number of names that fit on a line.
const maxListed = 12

// Unknown returns the usage error for a value that is not supported. It lists the
// supported values, unless there are many, and hints at the nearest.
func Unknown(what, value string, supported []string) error {
	text := fmt.Sprintf("unknown %s %q", what, value)
	if len(supported) <= maxListed {
		text += " (supported: " + strings.Join(supported, ", ") + ")"
	}
	return &Error{Code: ExitUsage, Hint: didYouMean(value, supported), Err: errors.New(text)}
}

// didYouMean returns a hint at the nearest name; empty if none is near.
func didYouMean(text string, names []string) string {
	if name := spelling.Nearest(text, names); name != "" {
		return fmt.Sprintf("did you mean %s?", name)
	}
	return ""
}

func exitCode(err error) int {
	if coded, ok := errors.AsType[*Error](err); ok {
		return coded.Code
	}
	return ExitFailure
}

// Report prints an error and its hint, and returns the exit code.
func Report(w io.Writer, program string, err error, colored bool) int {
	e, ok := errors.AsType[*Error](err)
	if ok && e.Err == nil {
		return e.Code
	}
	fmt.Fprintf(w, "%s: %s\n", program, Indented(err.Error()))
	if ok && e.Hint != "" {
		label := "hint:"
		if colored {
			label = "\x1b[1m" + label + "\x1b[0m"
		}
		fmt.Fprintln(w, label, Indented(e.Hint))
	}
	return exitCode(err)
}
