// Package clitest tests the command-line interface of a program: the help of every
// command, and testscript scripts.
package clitest

import (
	"bytes"
	"errors"
	"maps"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/freeport"
)

// Commands checks every command of a program: --help prints examples to standard
// output, and an unknown flag and an unknown command are usage errors with a hint.
func Commands(t *testing.T, newRoot func() *cobra.Command) {
	t.Helper()
	for _, path := range paths(newRoot(), nil) {
		name := strings.Join(append([]string{newRoot().Name()}, path...), " ")
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			streams := cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs}
			if err := cli.Execute(t.Context(), newRoot(), append(path, "--help"), streams); err != nil || errs.Len() > 0 {
				t.Errorf("--help: %v, stderr %q", err, errs.String())
			}
			command, _, err := newRoot().Find(path)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(command.Example, name) || !strings.Contains(out.String(), "\nExamples:\n"+command.Example+"\n") {
				t.Errorf("--help has no example with %q:\n%s", name, out.String())
			}
			isUsageError(t, cli.Execute(t.Context(), newRoot(), append(path, "--no-such-flag"), streams))
			if command.HasSubCommands() {
				isUsageError(t, cli.Execute(t.Context(), newRoot(), append(path, "no-such-command", "--no-such-flag"), streams))
			}
		})
	}
}

func isUsageError(t *testing.T, err error) {
	t.Helper()
	if usage, ok := errors.AsType[*cli.Error](err); !ok || usage.Code != cli.ExitUsage || usage.Hint == "" {
		t.Errorf("%v is not a usage error with a hint", err)
	}
}

// paths returns the path of a command and of each command below it.
func paths(command *cobra.Command, path []string) [][]string {
	all := [][]string{path}
	for _, child := range command.Commands() {
		all = append(all, paths(child, append(path[:len(path):len(path)], child.Name()))...)
	}
	return all
}

// Scripts runs scripts with the commands and variables that all programs need:
//
//	exits CODE PROGRAM ARG...  checks the exit code of a program
//	terminate                  sends SIGTERM to the background commands
//
// Each name in ports becomes a variable with a free port of loopback.
func Scripts(t *testing.T, params testscript.Params, ports ...string) {
	t.Helper()
	setup := params.Setup
	params.Dir = "testdata/script"
	params.Setup = func(env *testscript.Env) error {
		env.Setenv("GORACE", "atexit_sleep_ms=0") // otherwise each program ends a second later
		free, release, err := freeport.Reserve(len(ports))
		if err != nil {
			return err
		}
		env.Defer(release)
		for i, name := range ports {
			env.Setenv(name, strconv.Itoa(free[i]))
		}
		return setup(env)
	}
	commands := map[string]func(*testscript.TestScript, bool, []string){"exits": exits, "terminate": terminate}
	maps.Copy(commands, params.Cmds)
	params.Cmds = commands
	testscript.Run(t, params)
}

// exits runs a program and checks its exit code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	code := 0
	if failed, ok := errors.AsType[*exec.ExitError](err); ok {
		code = failed.ExitCode()
	} else {
		ts.Check(err)
	}
	if code != want {
		ts.Fatalf("%s exits with %d, want %d", strings.Join(args[1:], " "), code, want)
	}
}

// terminate asks the background commands to end, as a supervisor does.
func terminate(ts *testscript.TestScript, _ bool, _ []string) {
	for _, command := range ts.BackgroundCmds() {
		ts.Check(command.Process.Signal(syscall.SIGTERM))
	}
}
