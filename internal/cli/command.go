package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Execute runs the command that the arguments name. An error before that command runs
// is a usage error.
func Execute(ctx context.Context, root *cobra.Command, args []string, streams Streams) error {
	root.SilenceUsage, root.SilenceErrors = true, true
	root.Long += "\n\n" + exitCodes
	root.Args = cobra.ArbitraryArgs // the help function below rejects them with a hint
	root.SetFlagErrorFunc(flagError)
	root.SetArgs(args)
	root.SetIn(streams.In)
	root.SetOut(streams.Out)
	root.SetErr(streams.Err)
	// For an unknown command, cobra shows the help of its group instead of an error.
	var unknown error
	help := root.HelpFunc()
	root.SetHelpFunc(func(cmd *cobra.Command, args []string) {
		if asked, _ := cmd.Flags().GetBool("help"); !asked && cmd.Flags().NArg() > 0 && !cmd.Runnable() {
			unknown = unknownCommand(cmd)
			return
		}
		help(cmd, args)
	})
	started := false
	walk(root, func(command *cobra.Command) {
		if run := command.RunE; run != nil {
			command.RunE = func(cmd *cobra.Command, args []string) error {
				started = true
				return run(cmd, args)
			}
		}
	})
	if command, _, err := root.Find(args); err != nil || !isBrief(command) {
		ctx.Done() // from here on, a signal ends the command in order
	}
	command, err := root.ExecuteContextC(ctx)
	if unknown != nil {
		return unknown
	}
	if _, coded := errors.AsType[*Error](err); err == nil || started || coded {
		return err
	}
	return &Error{Code: ExitUsage, Hint: command.CommandPath() + " --help shows the usage", Err: err}
}

// brief is the annotation of brief commands.
const brief = "brief"

// Brief marks a command that usually ends at once. Until it waits for its context, a signal
// kills it.
func Brief(command *cobra.Command) {
	if command.Annotations == nil {
		command.Annotations = map[string]string{}
	}
	command.Annotations[brief] = ""
}

func isBrief(command *cobra.Command) bool {
	_, ok := command.Annotations[brief]
	return ok
}

func walk(command *cobra.Command, visit func(*cobra.Command)) {
	visit(command)
	for _, child := range command.Commands() {
		walk(child, visit)
	}
}

// NoArgs rejects positional arguments.
func NoArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return Usagef("unexpected argument %q (%s takes flags only)", args[0], cmd.CommandPath())
	}
	return nil
}

// NamedArgs requires the positional arguments that the Use line of the command names,
// and more if the last one ends with "...".
func NamedArgs(cmd *cobra.Command, args []string) error {
	names := strings.Fields(cmd.Use)[1:]
	switch repeats := strings.HasSuffix(names[len(names)-1], "..."); {
	case len(args) < len(names):
		return Usagef("missing argument %s (usage: %s)", names[len(args)], cmd.CommandPath()+" "+strings.Join(names, " "))
	case len(args) > len(names) && !repeats:
		return Usagef("unexpected argument %q (usage: %s)", args[len(names)], cmd.CommandPath()+" "+strings.Join(names, " "))
	}
	return nil
}

// unknownCommand returns the error for an unknown command of a group.
func unknownCommand(group *cobra.Command) error {
	name := group.Flags().Arg(0)
	var names []string
	for _, child := range group.Commands() {
		if child.IsAvailableCommand() {
			names = append(names, child.Name())
		}
	}
	return orList(fmt.Errorf("unknown command %q for %q", name, group.CommandPath()), name, names, group.CommandPath()+" --help lists the commands")
}

// flagError converts a flag error to a usage error with a hint.
func flagError(cmd *cobra.Command, err error) error {
	if cmd.HasSubCommands() && cmd.Flags().NArg() > 0 {
		return unknownCommand(cmd) // the flag belongs to that command
	}
	help := cmd.CommandPath() + " --help lists the flags"
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		if cause, ok := errors.AsType[*Error](err); ok {
			return Usagef("--%s: %w", invalid.GetFlag().Name, cause)
		}
		if value := InvalidValue(err); value != nil {
			err = fmt.Errorf("--%s %w", invalid.GetFlag().Name, value)
		}
	}
	if missing, ok := errors.AsType[*pflag.NotExistError](err); ok && missing.GetSpecifiedShortnames() == "" {
		var names []string
		cmd.Flags().VisitAll(func(flag *pflag.Flag) {
			if !flag.Hidden {
				names = append(names, "--"+flag.Name)
			}
		})
		return orList(err, "--"+missing.GetSpecifiedName(), names, help)
	}
	return &Error{Code: ExitUsage, Hint: help, Err: err}
}

// InvalidValue returns the error of setting a flag without the flag's name and with
// what was expected, or nil if the flag's own error has to say it.
func InvalidValue(err error) error {
	invalid, ok := errors.AsType[*pflag.InvalidValueError](err)
	if !ok {
		return nil
	}
	expected := expectedValue(invalid.GetFlag().Value.Type())
	if expected == "" {
		return nil
	}
	return fmt.Errorf("%q: expected %s", invalid.GetValue(), expected)
}

// expectedValue describes the values of a flag's type, or returns "" for a type whose
// own errors do.
func expectedValue(flagType string) string {
	switch flagType {
	case "bool":
		return "true or false"
	case "int":
		return "an integer"
	case "float64":
		return "a number"
	case "duration":
		return "a duration, such as 30s or 5m"
	default:
		return ""
	}
}

// orList returns a usage error with a hint: the nearest name, or else how to list all.
func orList(err error, text string, names []string, list string) error {
	return &Error{Code: ExitUsage, Hint: cmp.Or(didYouMean(text, names), list), Err: err}
}
