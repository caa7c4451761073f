// Build builds our programs, and downloads or builds those of a control plane. It
// shows about how long that takes. The Makefile runs it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/controlplane"
	"github.com/kube-iam/authenticator/internal/gobuild"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], cli.Environment(os.Environ()), os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "build:", err)
		os.Exit(1)
	}
}

// The targets.
const (
	programsTarget     = "programs"
	controlPlaneTarget = "control-plane"
)

type options struct {
	goCommand    string
	controlPlane string
	exactly      []string
	targets      []string
}

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("build", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintf(stderr, "usage: build [flags] TARGET...\n\nThe targets are %s (of this repository, into bin) and %s.\n\n", programsTarget, controlPlaneTarget)
		flags.PrintDefaults()
	}
	flags.StringVar(&o.goCommand, "go", "", "the go command (default: the one on PATH)")
	flags.StringVar(&o.controlPlane, "dir", "bin/k8s", "control-plane: directory of its programs")
	flags.Func("exactly", "control-plane: build these programs of Kubernetes, comma-separated, and download none", func(value string) error {
		o.exactly = strings.Split(value, ",")
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.targets = flags.Args()
	for _, target := range o.targets {
		if target != programsTarget && target != controlPlaneTarget {
			return o, fmt.Errorf("unknown target %q (supported: %s, %s)", target, programsTarget, controlPlaneTarget)
		}
	}
	if len(o.targets) == 0 {
		return o, fmt.Errorf("expected a target: %s or %s", programsTarget, controlPlaneTarget)
	}
	return o, nil
}

// run makes all targets with one forecast. Downloads come first.
func run(ctx context.Context, args []string, env cli.Environment, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	progress := cli.NewProgress(stderr, "build: ")
	defer progress.Done()
	var steps []gobuild.Step
	if slices.Contains(o.targets, controlPlaneTarget) {
		if steps, err = o.controlPlaneSteps(ctx, env, progress); err != nil {
			return err
		}
	}
	if slices.Contains(o.targets, programsTarget) {
		steps = append([]gobuild.Step{o.programs()}, steps...)
	}
	return gobuild.Run(ctx, progress, steps...)
}

func (o options) programs() gobuild.Step {
	return gobuild.Step{Go: o.goCommand, Packages: []string{"./cmd/..."}, Output: "bin", Env: []string{"CGO_ENABLED=0"}}
}

func (o options) controlPlaneSteps(ctx context.Context, env cli.Environment, progress *cli.Progress) ([]gobuild.Step, error) {
	source, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	directory := controlplane.Directory{Path: o.controlPlane, Index: env.Get(controlplane.IndexVariable), Releases: env.Get(controlplane.ReleasesVariable), Source: source, Go: o.goCommand, Progress: progress}
	if len(o.exactly) > 0 {
		return directory.BuildSteps(o.exactly...)
	}
	if assets := env.Get(controlplane.AssetsVariable); assets != "" {
		if err := controlplane.Check(assets, controlplane.Programs()...); err != nil {
			return nil, fmt.Errorf("%w (unset %s to have them downloaded or built)", err, controlplane.AssetsVariable)
		}
		progress.Printf("using %s=%s", controlplane.AssetsVariable, assets)
		return nil, nil
	}
	return directory.Steps(ctx, controlplane.AllPrograms()...)
}
