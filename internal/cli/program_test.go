package cli

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"github.com/spf13/cobra"
)

// programVariable names the program that the test runs as.
const programVariable = "CLI_TEST_PROGRAM"

// programs end by signals. They print a line when they are ready for one.
func programs() map[string]Program {
	return map[string]Program{
		"does not wait for its context": func(_ context.Context, _ []string, _ Environment, s Streams) error {
			fmt.Fprintln(s.Out, "ready")
			time.Sleep(time.Hour)
			return nil
		},
		"stops with its context": func(ctx context.Context, _ []string, _ Environment, s Streams) error {
			done := ctx.Done()
			fmt.Fprintln(s.Out, "ready")
			<-done
			return context.Cause(ctx)
		},
		"does not stop with its context": func(ctx context.Context, _ []string, _ Environment, s Streams) error {
			done := ctx.Done()
			fmt.Fprintln(s.Out, "ready")
			<-done
			fmt.Fprintln(s.Out, "ready")
			time.Sleep(time.Hour)
			return nil
		},
	}
}

func TestMain(m *testing.M) {
	if run, ok := programs()[os.Getenv(programVariable)]; ok {
		os.Exit(Main("program", run))
	}
	os.Exit(m.Run())
}

// TestSignals sends SIGTERM: a shell lets the programs in its background ignore SIGINT.
func TestSignals(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]struct {
		signals int
		end     string
	}{
		"does not wait for its context":  {1, "signal: terminated"},
		"stops with its context":         {1, "exit status 1"},
		"does not stop with its context": {2, "signal: terminated"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			program := exec.CommandContext(t.Context(), os.Args[0])
			program.Env = append(os.Environ(), programVariable+"="+name)
			out, err := program.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := program.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(out)
			for range want.signals {
				if !lines.Scan() {
					t.Fatal("the program ended too early")
				}
				if err := program.Process.Signal(syscall.SIGTERM); err != nil {
					t.Fatal(err)
				}
			}
			if err := program.Wait(); err == nil || err.Error() != want.end {
				t.Errorf("ended with %v, want %s", err, want.end)
			}
		})
	}
}

// awaited records whether anybody may wait for it.
type awaited struct {
	context.Context
	isAwaited bool
}

func (a *awaited) Done() <-chan struct{} {
	a.isAwaited = true
	return a.Context.Done()
}

// TestBrief checks that signals are caught before a command runs, unless it is brief.
func TestBrief(t *testing.T) {
	t.Parallel()
	ctx := &awaited{Context: t.Context()}
	command := func(name string, isCaught bool) *cobra.Command {
		return &cobra.Command{Use: name, RunE: func(*cobra.Command, []string) error {
			if ctx.isAwaited != isCaught {
				t.Errorf("%s: signals are caught: %t", name, ctx.isAwaited)
			}
			return nil
		}}
	}
	long, short := command("long", true), command("short", false)
	Brief(short)
	root := &cobra.Command{Use: "program"}
	root.AddCommand(long, short)
	for _, name := range []string{"short", "long"} {
		if err := Execute(ctx, root, []string{name}, Streams{}); err != nil {
			t.Error(err)
		}
	}
}
