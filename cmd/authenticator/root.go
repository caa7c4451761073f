package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Exit codes. All other failures are 1.
const (
	exitUsage   = 2 // flags or configuration are wrong
	exitUnknown = 3 // verify: it could not be told
)

// An exitError ends the program with a code of its own.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// usagef is an error in flags or configuration.
func usagef(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}

// program is what all commands share.
type program struct {
	streams
	getenv func(string) string

	clusterID    string
	configPath   string
	logFormat    string
	logVerbosity string
	featureGates string
	// config is the configuration file; empty if none is named.
	config *configFile
}

func run(ctx context.Context, args []string, getenv func(string) string, streams streams) error {
	p := &program{streams: streams, getenv: getenv, config: &configFile{}}
	root := &cobra.Command{
		Use:   "authenticator",
		Short: "Sign in to Kubernetes with AWS IAM",
		Long: `Sign in to any Kubernetes cluster with AWS IAM, as on EKS.

Operators run "authenticator server" beside the kube-apiserver, which asks it who
a token is. People have kubectl run "authenticator token", or "aws eks get-token".`,
		Example: `  authenticator server --cluster-id my-cluster --backend-mode EKSConfigMap --kubeconfig admin.conf
  authenticator token --cluster-id my-cluster`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		PersistentPreRunE: p.configure,
	}
	flags := root.PersistentFlags()
	flags.StringVarP(&p.configPath, "config", "c", "", "configuration file, in YAML")
	flags.StringVarP(&p.clusterID, "cluster-id", "i", "", "ID of the cluster, signed into every token so that no other cluster accepts it ($KUBERNETES_AWS_AUTHENTICATOR_CLUSTER_ID)")
	flags.StringVarP(&p.logFormat, "log-format", "l", "text", "text or json")
	flags.StringVarP(&p.logVerbosity, "log-verbosity", "v", "info", "error, warning, info or debug ($AWS_IAM_AUTHENTICATOR_LOG_VERBOSITY)")
	flags.StringVar(&p.featureGates, "feature-gates", "", "accepted for compatibility; what it turned on always is")
	_ = flags.MarkHidden("feature-gates")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usagef("%w (%s --help lists the flags)", err, cmd.CommandPath())
	})
	root.AddCommand(newServer(p), newInit(p), newToken(p), newVerify(p), newVersion(p))
	root.SetArgs(args)
	root.SetIn(streams.in)
	root.SetOut(streams.out)
	root.SetErr(streams.err)
	return root.ExecuteContext(ctx)
}

// noArgs is cobra.NoArgs with the exit code of wrong usage.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usagef("%s takes flags only, not %q", cmd.CommandPath(), args[0])
	}
	return nil
}

// configure fills in what is not said by flags: from the environment, then from
// the configuration file.
func (p *program) configure(cmd *cobra.Command, _ []string) error {
	for _, variable := range []struct{ name, flag string }{
		{"KUBERNETES_AWS_AUTHENTICATOR_CLUSTER_ID", "cluster-id"},
		{"AWS_IAM_AUTHENTICATOR_LOG_VERBOSITY", "log-verbosity"},
		{"DEFAULT_ROLE", "role"},
	} {
		if err := setDefault(cmd.Flags(), variable.flag, p.getenv(variable.name)); err != nil {
			return usagef("$%s: %w", variable.name, err)
		}
	}
	if p.configPath == "" {
		return nil
	}
	content, err := os.ReadFile(p.configPath)
	if errors.Is(err, fs.ErrNotExist) {
		return usagef("reading the configuration: there is no file %s", p.configPath)
	}
	if err != nil {
		return usagef("reading the configuration: %w", err)
	}
	if p.config, err = parseConfig(content); err != nil {
		return usagef("reading the configuration %s: %w", p.configPath, err)
	}
	for _, value := range p.config.values {
		if err := setDefault(cmd.Flags(), value.flag, value.text); err != nil {
			return usagef("reading the configuration %s: line %d: %s: %w", p.configPath, value.line, value.key, err)
		}
	}
	return nil
}

// setDefault sets a flag of the command, if it has it and it is not set.
func setDefault(flags *pflag.FlagSet, name, value string) error {
	flag := flags.Lookup(name)
	if value == "" || flag == nil || flag.Changed {
		return nil
	}
	return flags.Set(name, value)
}

// needClusterID says how to name the cluster.
func (p *program) needClusterID() error {
	if p.clusterID == "" {
		return usagef("the cluster ID is missing: name it with --cluster-id, $KUBERNETES_AWS_AUTHENTICATOR_CLUSTER_ID or clusterID in the file of --config")
	}
	return nil
}
