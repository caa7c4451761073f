package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/config"
	"github.com/kube-iam/authenticator/internal/file"
	"github.com/kube-iam/authenticator/internal/log"
)

// program holds what all commands share.
type program struct {
	in       io.Reader
	out, err io.Writer
	getenv   func(string) string

	clusterID    string
	configPath   string
	logFormat    string
	logVerbosity string
	featureGates string
	// config is the configuration file; empty if none is named.
	config *config.File
	// item is the item of clusters that config is from; nil if config is the whole file.
	item *config.Cluster
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
	p := &program{in: streams.In, out: streams.Out, err: streams.Err, getenv: env.Get, config: &config.File{}}
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
	flags.StringVarP(&p.configPath, "config", "c", "", "configuration file, in YAML")
	flags.StringVarP(&p.clusterID, "cluster-id", "i", "", "ID of the cluster, signed into every token so that no other cluster accepts it ($KUBERNETES_AWS_AUTHENTICATOR_CLUSTER_ID)")
	flags.StringVarP(&p.logFormat, "log-format", "l", "text", "format of the log: text or json")
	flags.StringVarP(&p.logVerbosity, "log-verbosity", "v", "info", "level of the log: error, warning, info or debug ($AWS_IAM_AUTHENTICATOR_LOG_VERBOSITY)")
	flags.StringVar(&p.featureGates, "feature-gates", "", "comma-separated GATE=true|false; SSORoleMatch=false turns sso entries off, the other gates have no effect")
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

// configure sets the flags that were not given, from the environment and then from
// the configuration file.
func (p *program) configure(cmd *cobra.Command, _ []string) error {
	if err := checkGuards(cmd.Flags()); err != nil {
		return err
	}
	for _, variable := range []struct{ name, flag string }{
		{"KUBERNETES_AWS_AUTHENTICATOR_CLUSTER_ID", "cluster-id"},
		{"AWS_IAM_AUTHENTICATOR_LOG_VERBOSITY", "log-verbosity"},
		{"DEFAULT_ROLE", "role"},
	} {
		if err := setDefault(cmd.Flags(), variable.flag, p.getenv(variable.name)); err != nil {
			return cli.Usagef("$%s: %w", variable.name, err)
		}
	}
	if p.configPath == "" {
		return p.checkValues()
	}
	content, err := file.Read(cmd.Context(), p.configPath, file.MaxMappings)
	if errors.Is(err, fs.ErrNotExist) {
		return cli.Usagef("reading the configuration: file %s does not exist", p.configPath)
	}
	if err != nil {
		return cli.Usagef("reading the configuration: %w", err)
	}
	if p.config, _, err = config.Parse(content); err != nil {
		return cli.Usagef("reading the configuration %s: %w", p.configPath, err)
	}
	for _, warning := range p.config.Warnings {
		fmt.Fprintf(p.err, "authenticator: warning: the configuration %s: %s\n", p.configPath, warning)
	}
	if err := p.selectCluster(cmd); err != nil {
		return err
	}
	for _, value := range p.config.Values {
		if value.Command != "" && value.Command != cmd.Name() {
			continue
		}
		if err := setDefault(cmd.Flags(), value.Flag, value.Text); err != nil {
			return cli.Usagef("reading the configuration %s: line %d: %s: %w", p.configPath, value.Line, value.Key, err)
		}
	}
	return p.checkValues()
}

// selectCluster makes the settings of one of several clusters those of a command that
// reads mappings as the server does.
func (p *program) selectCluster(cmd *cobra.Command) error {
	if len(p.config.Clusters) == 0 || cmd.Flags().Lookup("backend-mode") == nil || cmd.Name() == "server" {
		return nil
	}
	i := slices.IndexFunc(p.config.Clusters, func(c *config.Cluster) bool { return c.ID == p.clusterID })
	switch {
	case i < 0 && p.clusterID == "":
		return cli.Usagef("the configuration %s has several clusters: name one with --cluster-id", p.configPath)
	case i < 0:
		return cli.Usagef("the configuration %s has no cluster %q", p.configPath, p.clusterID)
	}
	p.item = p.config.Clusters[i]
	p.config = p.item.Settings
	return nil
}

// setServerValue sets a flag that the configuration file has for the server alone, if
// the user did not give it.
func (p *program) setServerValue(flags *pflag.FlagSet, flag string) error {
	for _, value := range p.config.Values {
		if value.Command == "server" && value.Flag == flag {
			if err := setDefault(flags, flag, value.Text); err != nil {
				return cli.Usagef("reading the configuration %s: line %d: %s: %w", p.configPath, value.Line, value.Key, err)
			}
		}
	}
	return nil
}

// checkValues returns an error for an invalid value of a flag that all commands
// share.
func (p *program) checkValues() error {
	if _, _, err := p.newLog(func() {}); err != nil {
		return err
	}
	_, err := parseFeatureGates(p.featureGates)
	return err
}

// newLog returns the log that the flags ask for, on standard error, and makes it that of
// the libraries. It calls observeLost for each line that is lost.
func (p *program) newLog(observeLost func()) (made *slog.Logger, flush func(), err error) {
	made, flush, err = log.New(p.err, p.logFormat, p.logVerbosity, observeLost)
	if err == nil {
		slog.SetDefault(made)
	}
	return made, flush, err
}

// checkGuards returns an error for a list flag or a deny file with an empty value, as
// from an unset shell variable: an empty --sts-region "$REGION" would accept every
// region.
func checkGuards(flags *pflag.FlagSet) (err error) {
	flags.Visit(func(flag *pflag.Flag) {
		list, isList := flag.Value.(pflag.SliceValue)
		if isList && len(list.GetSlice()) == 0 || flag.Name == denyFlag && flag.Value.String() == "" {
			err = cli.Usagef("--%s is empty: give it a value or leave it out", flag.Name)
		}
	})
	return err
}

// setDefault sets a flag if the command has it and the user did not give it.
func setDefault(flags *pflag.FlagSet, name, value string) error {
	flag := flags.Lookup(name)
	if value == "" || flag == nil || flag.Changed {
		return nil
	}
	err := flags.Set(name, value)
	if invalid := cli.InvalidValue(err); invalid != nil {
		return invalid
	}
	return err
}

// needClusters returns an error if neither a cluster ID nor clusters are configured.
func (p *program) needClusters() error {
	if len(p.config.Clusters) > 0 {
		return nil
	}
	return p.needClusterID()
}

// needClusterID returns an error if the cluster ID is missing or cannot be sent to
// STS.
func (p *program) needClusterID() error {
	if p.clusterID == "" {
		return cli.Usagef("the cluster ID is missing: name it with --cluster-id, $KUBERNETES_AWS_AUTHENTICATOR_CLUSTER_ID or clusterID in the file of --config")
	}
	if strings.ContainsFunc(p.clusterID, unicode.IsControl) {
		return cli.Usagef("the cluster ID %q contains a control character: no HTTP header can carry it to STS", p.clusterID)
	}
	return nil
}
