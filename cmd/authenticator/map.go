package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/lockout"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth/edit"
)

func newMap(p *program) *cobra.Command {
	command := &cobra.Command{
		Use:   "map",
		Short: "Show and edit the mappings in aws-auth",
		Long: `Show and edit the mappings in the ConfigMap kube-system/aws-auth of a cluster, or in a
file. Edits keep comments, order, quotes and unknown keys as they are. They are refused
if they would lock out you, the last administrator or a node.`,
		Example: `  authenticator map list
  authenticator map add role --rolearn arn:aws:iam::111122223333:role/Admin --username admin:{{SessionName}} --groups system:masters
  authenticator map remove arn:aws:iam::111122223333:user/bob --dry-run
  authenticator map rollback`,
	}
	add := &cobra.Command{
		Use:     "add",
		Short:   "Add a mapping",
		Long:    "Add a mapping of a user, a role or an account to aws-auth, or change it.",
		Example: "  authenticator map add user --userarn arn:aws:iam::111122223333:user/bob --username bob --groups people",
	}
	add.AddCommand(newAddUser(p, "authenticator map add"), newAddRole(p, "authenticator map add"), newAddAccount(p))
	command.AddCommand(newMapList(p), newMapGet(p), add, newMapRemove(p), newMapApply(p), newMapHistory(p), newMapRollback(p), newMapConvert(p))
	return command
}

// newAdd returns the command add of aws-iam-authenticator.
func newAdd(p *program) *cobra.Command {
	command := &cobra.Command{
		Use:     "add",
		Short:   "Add a mapping to aws-auth, as aws-iam-authenticator does",
		Long:    `Add a mapping to aws-auth, with the flags of aws-iam-authenticator. It is the same as "authenticator map add".`,
		Example: "  authenticator add user --userarn arn:aws:iam::111122223333:user/bob --username bob --groups people",
	}
	command.AddCommand(newAddUser(p, "authenticator add"), newAddRole(p, "authenticator add"))
	return command
}

// mapOptions are the flags of the commands that read mappings.
type mapOptions struct {
	file string
	// master overrides the URL in the kubeconfig.
	master string
	clusterFlags
	readingFlags
}

func (o *mapOptions) addFlags(flags *pflag.FlagSet) {
	o.addClusterFlags(flags)
	flags.StringVarP(&o.file, "filename", "f", "", "file of mappings, instead of a cluster; - reads standard input")
}

// addClusterFlags adds the flags of the commands that are for a cluster alone.
func (o *mapOptions) addClusterFlags(flags *pflag.FlagSet) {
	o.clusterFlags.addFlags(flags)
	o.readingFlags.addFlags(flags)
}

// target returns where the mappings are.
func (o *mapOptions) target(p *program) (mapTarget, error) {
	if o.file != "" {
		if o.kubectl.Kubeconfig != "" || o.kubectl.Context != "" {
			return nil, cli.Usagef("--filename and --kubeconfig or --context exclude each other")
		}
		return &fileTarget{p: p, path: o.file}, nil
	}
	config, err := o.config(p)
	if err != nil {
		return nil, err
	}
	if o.master != "" {
		config.Host = o.master
	}
	client, err := kube.NewClient(config)
	if err != nil {
		return nil, err
	}
	return &clusterTarget{p: p, client: client}, nil
}

// read returns the mappings of a target.
func (o *mapOptions) read(ctx context.Context, p *program) (*awsauth.Result, edit.Document, error) {
	options, err := o.options(p, "aws-auth")
	if err != nil {
		return nil, nil, err
	}
	target, err := o.target(p)
	if err != nil {
		return nil, nil, err
	}
	document, err := target.read(ctx)
	if err != nil {
		return nil, nil, err
	}
	var result *awsauth.Result
	if f, ok := target.(*fileTarget); !ok {
		result, err = document.Read(options)
	} else if f.isNew {
		return nil, nil, fmt.Errorf("reading the mappings: file %s does not exist", f.path)
	} else {
		result, err = p.mappings().Parse(f.name(), []byte(f.was), nil, options)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", target.name(), err)
	}
	p.mappings().WarnOfSections(target.name(), result)
	return result, document, nil
}

// editOptions are the flags of the commands that edit mappings.
type editOptions struct {
	mapOptions
	dryRun, yes, force bool
	output             cli.Output
	// askAlways asks also before somebody gains access. The edit comes from the history,
	// which more than the one who runs the command can write.
	askAlways bool
}

func (o *editOptions) addFlags(command *cobra.Command) {
	o.mapOptions.addFlags(command.Flags())
	o.addEditFlags(command)
}

func (o *editOptions) addEditFlags(command *cobra.Command) {
	o.output.AddFlag(command, formatText, cli.JSON, cli.YAML)
	flags := command.Flags()
	flags.BoolVar(&o.dryRun, "dry-run", false, "print the difference, and who gains and loses access, and change nothing")
	flags.BoolVarP(&o.yes, "yes", "y", false, "do not ask before somebody loses or changes access")
	flags.BoolVar(&o.force, "force", false, "make the edit even if it locks out you, the last administrator or a node")
}

// An edition is the result of a change of mappings.
type edition struct {
	document edit.Document
	// unchanged says why nothing is to do; used if the document is the same.
	unchanged string
}

// maxConflicts is how often an edit is tried that others get ahead of.
const maxConflicts = 8

// betweenConflicts returns the waits between tries. They are random, so that many who edit
// at the same time do not try again at the same time.
func betweenConflicts() wait.Backoff {
	return wait.Backoff{Duration: 10 * time.Millisecond, Factor: 2, Jitter: 1, Steps: maxConflicts}
}

// change edits the mappings of a target. It starts again if somebody else was faster.
func (o *editOptions) change(ctx context.Context, p *program, change func(edit.Document) (edition, error)) error {
	options, err := o.options(p, "aws-auth")
	if err != nil {
		return err
	}
	target, err := o.target(p)
	if err != nil {
		return err
	}
	if target.prints() && o.output.String() != formatText {
		return cli.Usagef("--output %s and --filename - exclude each other: both print to standard output", &o.output)
	}
	confirmed := ""
	waits := betweenConflicts()
	for try := range maxConflicts {
		if try > 0 {
			if err := sleep(ctx, waits.Step()); err != nil {
				return err
			}
		}
		before, err := target.read(ctx)
		if err != nil {
			return err
		}
		after, err := change(before)
		if err != nil {
			return err
		}
		if same(before, after.document) {
			if target.prints() {
				return target.write(ctx, before, false)
			}
			return o.report(p, edited{Target: target.name(), Result: resultUnchanged, ResourceVersion: target.version()}, cli.Printable(after.unchanged)+"\n")
		}
		from, to, err := readBoth(before, after.document, options)
		if err != nil {
			return fmt.Errorf("%s: %w", target.name(), err)
		}
		delta := mapper.Diff(from.Table, to.Table)
		dangers := lockout.Dangers(from.Table, to.Table, delta, target.facts(ctx, delta))
		is := newEdited(target, from, to, delta, dangers)
		if o.dryRun {
			is.Result, is.ResourceVersion = resultPlanned, target.version()
			return o.report(p, is, planText(target.parts(before, after.document), delta, dangers))
		}
		if err := o.refuse(dangers); err != nil {
			return err
		}
		if text := diffText(delta); (takesAway(delta) || o.askAlways) && !o.yes && text != confirmed {
			if err := p.confirm(ctx, text, target); err != nil {
				return err
			}
			confirmed = text
		}
		err = target.write(ctx, after.document, o.force)
		if errors.Is(err, errConflict) {
			continue
		}
		if err != nil || target.prints() {
			return err
		}
		is.Result, is.ResourceVersion = target.done(), target.version()
		return o.report(p, is, fmt.Sprintf("%s%s %s\n", diffText(delta), is.Result, target.name()))
	}
	return fmt.Errorf("editing %s: others were faster %d times; try again", target.name(), maxConflicts)
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

func readBoth(before, after edit.Document, options awsauth.Options) (from, to *awsauth.Result, err error) {
	if from, err = before.Read(options); err != nil {
		return nil, nil, err
	}
	if to, err = after.Read(options); err != nil {
		return nil, nil, err
	}
	return from, to, nil
}

func same(a, b edit.Document) bool {
	if data, ok := a.(edit.Data); ok {
		other, ok := b.(edit.Data)
		return ok && maps.Equal(data, other)
	}
	return a == b
}

// takesAway reports whether somebody loses access or gets another one.
func takesAway(delta mapper.Delta) bool {
	for _, change := range delta.Changes {
		if change.Kind() != mapper.Gains {
			return true
		}
	}
	return false
}

// hintForce says how to make an edit that is refused.
const hintForce = "--force makes the edit anyway"

// refuse returns an error for an edit that locks somebody out.
func (o *editOptions) refuse(dangers []string) error {
	if len(dangers) == 0 || o.force {
		return nil
	}
	err := &cli.Error{Code: cli.ExitFailure, Hint: hintForce, Err: fmt.Errorf("refused: %s", cli.Printable(dangers[0]))}
	for _, danger := range dangers[1:] {
		err.Err = fmt.Errorf("%w; %s", err.Err, cli.Printable(danger))
	}
	return err
}
