package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/config"
	"github.com/kube-iam/authenticator/internal/file"
	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/lint"
	"github.com/kube-iam/authenticator/internal/settings"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/partition"
)

// The output formats of lint for programs other than JSON.
const (
	formatText   = "text"
	formatSARIF  = "sarif"
	formatGitHub = "github"
)

type lintOptions struct {
	cluster, eks, fix, grants, errorsOnly bool
	output                                cli.Output
	readingFlags
	clusterFlags
}

func newLint(p *program) *cobra.Command {
	var o lintOptions
	command := &cobra.Command{
		Use:   "lint FILE... | - | --cluster",
		Short: "Find mistakes in aws-auth, the configuration file and kubeconfigs",
		Long: `Find mistakes in the files that signing in depends on: a ConfigMap aws-auth, the
manifests of IAMIdentityMappings, other files of mappings, the server's configuration
file, and the credential plugins of a kubeconfig. Lint detects the kind of a file, and
reads mappings with the server's parser.

--fix corrects files, and keeps everything else in them byte for byte. It makes only
fixes with which nobody gains, loses or changes access. With --grants it also makes
fixes that give access: an entry that matches nobody because of a mistake then maps
whom it was meant for. It prints who gains access.

Exit codes: 0 no problems; 1 problems, which include warnings unless --errors-only is
given; 2 invalid arguments, or a file that cannot be read; 3 the cluster cannot be read.`,
		Example: `  authenticator lint aws-auth.yaml
  authenticator lint --cluster --context my-cluster
  authenticator lint ~/.kube/config --cluster-id my-cluster
  authenticator lint --fix --eks aws-auth.yaml
  helm template . --show-only templates/aws-auth.yaml | authenticator lint -o github -`,
		Args: func(_ *cobra.Command, args []string) error { return o.checkArgs(args) },
		RunE: func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), p, args) },
	}
	flags := command.Flags()
	flags.BoolVar(&o.cluster, "cluster", false, "check the ConfigMap kube-system/aws-auth of the cluster")
	flags.BoolVar(&o.eks, "eks", false, "judge by the rules of EKS: report what this server supports and EKS does not")
	flags.BoolVar(&o.fix, "fix", false, "correct the files; with -, print the corrected text, and the problems to standard error")
	flags.BoolVar(&o.grants, "grants", false, "with --fix, also correct entries that match nobody, so that they act as they are written")
	flags.BoolVar(&o.errorsOnly, "errors-only", false, "ignore warnings")
	o.output.AddFlag(command, formatText, cli.JSON, formatSARIF, formatGitHub)
	o.readingFlags.addFlags(flags)
	o.clusterFlags.addFlags(flags)
	return command
}

func (o *lintOptions) checkArgs(args []string) error {
	switch {
	case o.cluster && len(args) > 0:
		return cli.Usagef("unexpected argument %q: --cluster checks the cluster alone", args[0])
	case !o.cluster && len(args) == 0:
		return cli.Usagef("missing argument FILE (- reads standard input, and --cluster checks the cluster)")
	case o.cluster && o.fix:
		return cli.Usagef("--fix corrects files, not the cluster")
	case o.grants && !o.fix:
		return cli.Usagef("--grants needs --fix")
	}
	return nil
}

func (o *lintOptions) run(ctx context.Context, p *program, names []string) error {
	mappings, err := o.options(p, "lint")
	if err != nil {
		return err
	}
	mappings.EKS = o.eks
	opts := lint.Options{Mappings: mappings, ClusterID: p.ClusterID, CheckValue: checkConfigValue}
	out := p.out
	var checked []lint.Checked
	var unreadable error
	if o.cluster {
		of, err := o.lintCluster(ctx, p, opts)
		if err != nil {
			return err
		}
		checked = append(checked, of)
	}
	for _, name := range names {
		of, err := o.lintFile(ctx, p, name, opts)
		if err != nil {
			err = cli.Usagef("checking %s: %w", cli.Printable(name), err)
			if unreadable != nil {
				fmt.Fprintln(p.err, "authenticator:", cli.Indented(unreadable.Error()))
			}
			unreadable = err
			continue
		}
		if name == file.Stdin && o.fix {
			out = p.err // the corrected text is on the standard output
		}
		checked = append(checked, of)
	}
	text, err := o.render(checked)
	if err != nil {
		return err
	}
	if _, err := out.Write(text); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	if unreadable != nil {
		return unreadable
	}
	return found(checked)
}

// found returns the error for problems, nil if there are none.
func found(checked []lint.Checked) error {
	errs, warnings := 0, 0
	for _, of := range checked {
		errs += mapper.Count(of.Problems, mapper.Error)
		warnings += mapper.Count(of.Problems, mapper.Warning)
	}
	if errs+warnings == 0 {
		return nil
	}
	return &cli.Error{Code: cli.ExitFailure, Err: fmt.Errorf("found problems: errors: %d, warnings: %d", errs, warnings)}
}

func (o *lintOptions) render(checked []lint.Checked) ([]byte, error) {
	for _, of := range checked {
		if o.errorsOnly {
			of.DropWarnings()
		}
	}
	switch o.output.String() {
	case cli.JSON:
		return lint.JSON(checked)
	case formatSARIF:
		return lint.SARIF(checked, version)
	case formatGitHub:
		return []byte(lint.GitHub(checked)), nil
	}
	var b strings.Builder
	for _, of := range checked {
		b.WriteString(of.Text())
	}
	return []byte(b.String()), nil
}

func (o *lintOptions) lintCluster(ctx context.Context, p *program, opts lint.Options) (lint.Checked, error) {
	client, err := o.client(p)
	if err != nil {
		return lint.Checked{}, err
	}
	configMap, err := kube.GetAWSAuth(ctx, client)
	if err == nil && configMap == nil {
		err = errors.New("the cluster has no ConfigMap kube-system/aws-auth")
	}
	if err != nil {
		return lint.Checked{}, &cli.Error{Code: cli.ExitUndecided, Err: err}
	}
	data, err := kube.Data(configMap)
	if err != nil {
		return lint.Checked{}, &cli.Error{Code: cli.ExitUndecided, Err: err}
	}
	return lint.Checked{Name: "kube-system/aws-auth", Report: lint.ConfigMap(data, opts)}, nil
}

func (o *lintOptions) lintFile(ctx context.Context, p *program, name string, opts lint.Options) (lint.Checked, error) {
	content, err := file.ReadInput(ctx, p.in, name, file.MaxMappings)
	if err != nil {
		return lint.Checked{}, err
	}
	of := lint.Checked{Name: name}
	if name == file.Stdin {
		of.Name = "stdin"
	}
	opts.FindCommand = findCommand(name)
	if o.fix {
		fixed, done, err := lint.Fix(content, opts, o.grants)
		if err != nil {
			return of, err
		}
		of.Fixed = done
		if name == file.Stdin {
			_, err = p.out.Write(fixed)
		} else if len(done) > 0 {
			err = replaceFile(name, fixed)
		}
		if err != nil {
			return of, err
		}
		content = fixed
	}
	if of.Report, err = lint.File(content, opts); err == nil && of.IgnoresUserIDs() {
		p.mappings().WarnOfUserIDs(of.Name)
	}
	return of, err
}

// replaceFile replaces the content of a file, and keeps the links to it.
func replaceFile(name string, content []byte) error {
	path, err := filepath.EvalSymlinks(name)
	if err != nil {
		return err
	}
	return file.Replace(path, content, 0o644)
}

// findCommand returns the search for the credential plugins of a kubeconfig, as kubectl
// searches them: on $PATH, or relative to the kubeconfig.
func findCommand(kubeconfig string) func(name string) error {
	return func(name string) error {
		if strings.ContainsRune(name, filepath.Separator) && !filepath.IsAbs(name) {
			name = filepath.Join(filepath.Dir(kubeconfig), name)
		}
		_, err := exec.LookPath(name)
		if missing, ok := errors.AsType[*exec.Error](err); ok {
			return missing.Err
		}
		return err
	}
}

// checkConfigValue returns why a command rejects a value of the configuration file. How
// the values fit together is for server --check-config.
func checkConfigValue(value config.Value) error {
	switch value.Flag {
	case "partition":
		_, err := partition.Named(value.Text)
		return err
	case "role-paths":
		_, err := mapper.ParseRolePaths(value.Text)
		return err
	case config.ReservedSource:
		known := append(settings.BackendNames(), settings.SourceAWSAuthFile)
		if !slices.Contains(known, settings.BackendName(value.Text)) {
			return cli.Unknown("source", value.Text, known)
		}
	case "backend-mode":
		for mode := range strings.SplitSeq(value.Text, ",") {
			if !slices.Contains(settings.BackendNames(), settings.BackendName(mode)) {
				return fmt.Errorf("backend %q is not available (supported: %s)", mode, strings.Join(settings.BackendNames(), ", "))
			}
		}
	}
	for _, command := range newRoot(nil, cli.Streams{}).Commands() {
		if value.Command == "" || value.Command == command.Name() {
			command.InheritedFlags() // adds those of the root to the command's
			if err := settings.SetDefault(command.Flags(), value.Flag, value.Text); err != nil {
				return err
			}
		}
	}
	return nil
}
