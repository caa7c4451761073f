package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/delta"
	"github.com/kube-iam/authenticator/internal/file"
	"github.com/kube-iam/authenticator/internal/place"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// exitAlarm is the exit code of diff for a change that can lock people or nodes out.
const exitAlarm = 3

type diffOptions struct {
	cluster bool
	output  cli.Output
	readingFlags
	clusterFlags
}

func newDiff(p *program) *cobra.Command {
	var o diffOptions
	command := &cobra.Command{
		Use:   "diff OLD NEW | --cluster NEW",
		Short: "Print who gains, loses or changes access between two versions of the mappings",
		Long: `Print who gains, loses or changes access if a file of mappings replaces another one, or
the ConfigMap kube-system/aws-auth of the cluster. For a section of the new file that
does not parse, the content in the old one counts, as in the server. The file - is
standard input.

Exit codes: 3 somebody loses system:masters, nobody is left in it, or a mapping to
system:nodes is removed; 0 any other difference, or none; 1 a file or the cluster cannot
be read; 2 invalid arguments.`,
		Example: `  authenticator diff old.yaml new.yaml
  authenticator diff --cluster aws-auth.yaml
  git show main:aws-auth.yaml | authenticator diff - aws-auth.yaml`,
		Args: func(_ *cobra.Command, args []string) error { return o.checkArgs(args) },
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), p, args) },
	}
	flags := command.Flags()
	flags.BoolVar(&o.cluster, "cluster", false, "compare with the ConfigMap kube-system/aws-auth of the cluster")
	o.output.AddFlag(command, formatText, cli.JSON, cli.YAML)
	o.readingFlags.addFlags(flags)
	o.clusterFlags.addFlags(flags)
	return command
}

func (o *diffOptions) checkArgs(args []string) error {
	want := []string{"OLD", "NEW"}
	if o.cluster {
		want = want[1:]
	}
	switch {
	case len(args) < len(want):
		return cli.Usagef("missing argument %s (%s)", want[len(args)], "usage: authenticator diff OLD NEW, or authenticator diff --cluster NEW")
	case len(args) > len(want):
		return cli.Usagef("unexpected argument %q", args[len(want)])
	case len(args) == 2 && args[0] == file.Stdin && args[1] == file.Stdin:
		return cli.Usagef("OLD and NEW are both standard input")
	}
	return nil
}

func (o *diffOptions) run(ctx context.Context, p *program, args []string) error {
	opts, err := o.options(p, "diff")
	if err != nil {
		return err
	}
	var before *awsauth.Result
	oldName := "kube-system/aws-auth"
	if o.cluster {
		before, err = o.readCluster(ctx, p, opts)
	} else {
		oldName = args[0]
		before, err = p.mappings().Read(ctx, oldName, nil, opts)
	}
	if err != nil {
		return err
	}
	newName := args[len(args)-1]
	after, err := p.mappings().Read(ctx, newName, before, opts)
	if err != nil {
		return fmt.Errorf("%w (the server would keep all mappings that it has)", err)
	}
	p.mappings().WarnOfSections(oldName, before)
	p.mappings().WarnOfSections(newName, after)
	return o.print(p, mapper.Diff(before.Table, after.Table))
}

func (o *diffOptions) readCluster(ctx context.Context, p *program, opts awsauth.Options) (*awsauth.Result, error) {
	client, err := o.client(p)
	if err != nil {
		return nil, err
	}
	return place.ReadAWSAuth(ctx, client, opts, p.mappings().Warn)
}

func (o *diffOptions) print(p *program, changes mapper.Delta) error {
	if o.output.String() == formatText {
		if _, err := fmt.Fprint(p.out, delta.Text(changes)); err != nil {
			return fmt.Errorf("printing: %w", err)
		}
	} else if err := o.output.Print(p.out, delta.New(changes), nil); err != nil {
		return err
	}
	if alarms := delta.Alarms(changes); len(alarms) > 0 {
		return &cli.Error{Code: exitAlarm, Err: fmt.Errorf("%s", cli.Printable(strings.Join(alarms, "; ")))}
	}
	return nil
}
