package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/config"
	"github.com/kube-iam/authenticator/internal/log"
	"github.com/kube-iam/authenticator/internal/mappings"
	"github.com/kube-iam/authenticator/internal/settings"
)

// program holds what all commands share.
type program struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string

	// name is that of the program as it was typed: authenticator, or the plugin of kubectl.
	name string
	settings.General
	logFormat    string
	logVerbosity string
	// hangups receives the server's SIGHUPs.
	hangups <-chan os.Signal
}

func run(ctx context.Context, args []string, env cli.Environment, streams cli.Streams) error {
	if len(args) > 0 && args[0] == "token" {
		// kubectl waits for it: do not make the other commands.
		p, root := newProgram(env, streams)
		root.AddCommand(newToken(p))
		return execute(ctx, root, args, streams)
	}
	return execute(ctx, newRoot(env, streams), args, streams)
}

func execute(ctx context.Context, root *cobra.Command, args []string, streams cli.Streams) error {
	err := cli.Execute(ctx, root, args, streams)
	if cause := context.Cause(ctx); cause != nil && (errors.Is(err, cause) || errors.Is(err, context.Canceled)) {
		return cause // a signal, whatever it interrupted
	}
	return err
}

// newProgram returns a program without commands.
func newProgram(env cli.Environment, streams cli.Streams) (*program, *cobra.Command) {
	p := &program{in: streams.In, out: streams.Out, err: streams.Err, getenv: env.Get, General: settings.General{File: &config.File{}, UserAgent: "kube-iam-authenticator/" + version}}
	root := &cobra.Command{
		Use:   "authenticator",
		Short: "Sign in to Kubernetes with AWS IAM",
		Long: `Sign in to any Kubernetes cluster with AWS IAM, as on EKS.

Operators run "authenticator server" beside the kube-apiserver, which sends it
tokens to verify. For a user, kubectl runs "authenticator token" or "aws eks
get-token". The other commands explain a decision, and check and edit aws-auth.`,
		Example: `  authenticator server --cluster-id my-cluster --backend-mode EKSConfigMap --kubeconfig admin.conf
  authenticator token --cluster-id my-cluster`,
		PersistentPreRunE: p.configure,
	}
	flags := root.PersistentFlags()
	flags.StringVarP(&p.ConfigPath, "config", "c", "", "configuration file, in YAML")
	flags.StringVarP(&p.ClusterID, "cluster-id", "i", "", "ID of the cluster, signed into every token so that no other cluster accepts it ($KUBERNETES_AWS_AUTHENTICATOR_CLUSTER_ID)")
	flags.StringVarP(&p.logFormat, "log-format", "l", "text", "format of the log: text or json")
	flags.StringVarP(&p.logVerbosity, "log-verbosity", "v", "info", "level of the log: error, warning, info or debug ($AWS_IAM_AUTHENTICATOR_LOG_VERBOSITY)")
	flags.StringVar(&p.FeatureGates, "feature-gates", "", "comma-separated GATE=true|false; SSORoleMatch=false turns sso entries off, the other gates have no effect")
	return p, root
}

// newRoot returns the program with all its commands.
func newRoot(env cli.Environment, streams cli.Streams) *cobra.Command {
	p, root := newProgram(env, streams)
	for _, group := range []struct {
		title    string
		commands []*cobra.Command
	}{
		{"Sign in:", []*cobra.Command{newToken(p), newKubeconfig(p), newWhoami(p)}},
		{"Run the server:", []*cobra.Command{newServer(p), newInit(p)}},
		{"Find out why somebody cannot sign in:", []*cobra.Command{newExplain(p), newWhy(p), newVerify(p)}},
		{"Check and edit the mappings:", []*cobra.Command{newLint(p), newDiff(p), newMap(p), newAdd(p)}},
	} {
		root.AddGroup(&cobra.Group{ID: group.title, Title: group.title})
		for _, command := range group.commands {
			command.GroupID = group.title
			root.AddCommand(command)
		}
	}
	root.AddCommand(newVersion(p))
	return root
}

// configure completes the flags of a command, and checks those that all share.
func (p *program) configure(cmd *cobra.Command, _ []string) error {
	p.name = cmd.Root().DisplayName()
	if err := p.Complete(cmd.Context(), cmd.Name(), cmd.Flags(), p.getenv, p.warn); err != nil {
		return err
	}
	if _, _, err := p.newLog(func() {}); err != nil {
		return err
	}
	_, err := settings.ParseFeatureGates(p.FeatureGates)
	return err
}

// typed returns a command line of this program, with the name under which it runs.
func (p *program) typed(line string) string {
	const name = "authenticator "
	if strings.HasPrefix(line, name) {
		line = p.name + " " + strings.TrimPrefix(line, name)
	}
	return strings.Replace(line, " | "+name, " | "+p.name+" ", 1)
}

// warn prints a warning.
func (p *program) warn(text string) {
	fmt.Fprintln(p.err, "authenticator: warning:", cli.Printable(text))
}

// mappings returns what reads files of mappings.
func (p *program) mappings() mappings.Reader { return mappings.Reader{Stdin: p.in, Warn: p.warn} }

// newLog returns the log that the flags ask for, on standard error, and makes it that of
// the libraries. It calls observeLost for each line that is lost.
func (p *program) newLog(observeLost func()) (made *slog.Logger, flush func(), err error) {
	made, flush, err = log.New(p.err, p.logFormat, p.logVerbosity, observeLost)
	if err == nil {
		slog.SetDefault(made)
	}
	return made, flush, err
}
