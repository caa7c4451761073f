package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/mapedit"
	"github.com/kube-iam/authenticator/internal/shell"
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
		Long:    `Add a mapping to aws-auth, with the flags of aws-iam-authenticator. It is the same as "authenticator map add", without accounts.`,
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

// command returns another command about the same mappings, as it can be typed.
func (o *mapOptions) command(p *program, words ...string) string {
	words = append(append([]string{"authenticator"}, words...), o.where()...)
	return p.typed(shell.Join(words...))
}

// where returns the flags that name the mappings, as they were given.
func (o *mapOptions) where() []string {
	if o.file != "" {
		return []string{"-f", o.file}
	}
	return o.kubectl.Flags()
}

// lint returns the command that checks the same mappings.
func (o *mapOptions) lint(p *program) string {
	if o.file != "" {
		return (&mapOptions{}).command(p, "lint", o.file)
	}
	return o.command(p, "lint", "--cluster")
}

// target returns where the mappings are.
func (o *mapOptions) target(p *program) (mapedit.Target, error) {
	if o.file != "" {
		if o.kubectl.Kubeconfig != "" || o.kubectl.Context != "" {
			return nil, cli.Usagef("--filename cannot be combined with --kubeconfig or --context")
		}
		return &mapedit.File{Path: o.file, Stdin: p.in, Out: p.out}, nil
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
	return &mapedit.Cluster{Client: client, Err: p.err}, nil
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
	document, err := target.Read(ctx)
	if err != nil {
		return nil, nil, err
	}
	var result *awsauth.Result
	if f, ok := target.(*mapedit.File); ok {
		result, err = f.Warned(p.mappings(), options)
	} else if result, err = document.Read(options); err != nil {
		err = fmt.Errorf("%s: %w", target.Name(), err)
	}
	if err != nil {
		return nil, nil, err
	}
	p.mappings().WarnOfSections(target.Name(), result)
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

// change edits the mappings of the target.
func (o *editOptions) change(ctx context.Context, p *program, change func(edit.Document) (mapedit.Edition, error)) error {
	options, err := o.options(p, "aws-auth")
	if err != nil {
		return err
	}
	target, err := o.target(p)
	if err != nil {
		return err
	}
	if target.Prints() && o.output.String() != formatText {
		return cli.Usagef("--output %s and --filename - cannot be combined: both print to standard output", &o.output)
	}
	editor := mapedit.Editor{
		Target: target, Reading: options, DryRun: o.dryRun, Force: o.force, AskAlways: o.askAlways,
		Report: func(r mapedit.Report, text string) error { return o.report(p, r, text) },
	}
	if !o.yes {
		editor.Confirm = func(ctx context.Context, text string) error { return p.confirm(ctx, text, target) }
	}
	return editor.Change(ctx, change)
}

// report prints an edit for programs, or its text for people.
func (o *editOptions) report(p *program, r mapedit.Report, text string) error {
	if o.output.String() == formatText {
		return p.printf(p.out, "%s", text)
	}
	return o.output.Print(p.out, r, nil)
}

// printf prints to a stream.
func (p *program) printf(w io.Writer, format string, args ...any) error {
	if _, err := fmt.Fprintf(w, format, args...); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// confirm shows what an edit does, and asks whether to make it. It is an error if there is
// no terminal, or ctx ends before the answer.
func (p *program) confirm(ctx context.Context, text string, target mapedit.Target) error {
	terminal, ok := p.in.(*os.File)
	if !ok || !term.IsTerminal(int(terminal.Fd())) || target.Prints() {
		return &cli.Error{
			Code: cli.ExitUsage, Hint: "pass --yes to make the edit, or --dry-run to see all of it",
			Err: fmt.Errorf("the edit changes who has access, and there is no terminal to ask on; without --yes nothing is changed: %s", beginning(text)),
		}
	}
	fmt.Fprintf(p.err, "%sEdit %s? [y/N] ", text, target.Name())
	answer, err := readLine(ctx, terminal)
	if err != nil {
		fmt.Fprintln(p.err) // ends the line of the question
		return fmt.Errorf("reading your answer: %w: nothing is changed", err)
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return nil
	}
	return &cli.Error{Code: cli.ExitFailure, Err: fmt.Errorf("you did not confirm: nothing is changed")}
}

// maxLines is the number of changes in an error.
const maxLines = 10

// beginning returns the first lines of a text as one.
func beginning(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	if more := len(lines) - maxLines; more > 0 {
		lines = append(lines[:maxLines], fmt.Sprintf("%d more", more))
	}
	return strings.Join(lines, "; ")
}
