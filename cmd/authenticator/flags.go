package main

import (
	"time"

	"github.com/spf13/pflag"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/settings"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/partition"
)

// clusterFlags are the flags of the commands for people that name a cluster, with the
// meaning that they have in kubectl.
type clusterFlags struct{ kubectl kube.Kubectl }

func (f *clusterFlags) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&f.kubectl.Kubeconfig, "kubeconfig", "", "kubeconfig of the cluster (default: $KUBECONFIG or ~/.kube/config)")
	flags.StringVar(&f.kubectl.Context, "context", "", "context in the kubeconfig (default: its current context)")
	flags.DurationVar(&f.kubectl.Timeout, "timeout", 20*time.Second, "time limit of a request to the API server")
}

// of returns what the flags name, for a program.
func (f *clusterFlags) of(p *program) *kube.Kubectl {
	f.kubectl.UserAgent, f.kubectl.Err = p.UserAgent, p.err
	return &f.kubectl
}

func (f *clusterFlags) config(p *program) (*rest.Config, error) { return f.of(p).Config() }

func (f *clusterFlags) client(p *program) (dynamic.Interface, error) { return f.of(p).Client() }

// readingFlags are the flags of the commands that read mappings as the server does, with
// the server's names and defaults.
type readingFlags struct {
	partition, rolePaths string
	userIDStrict         bool
}

func (f *readingFlags) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&f.partition, "partition", "aws", "AWS partition of the cluster, as the server's flag")
	flags.StringVar(&f.rolePaths, "role-paths", "ignore", "treatment of a role path in rolearn, as the server's flag: ignore or strip")
	flags.BoolVar(&f.userIDStrict, settings.UserIDStrictFlag, false, "match the entries of a DynamicFile by their userid, as the server's flag")
}

func (f *readingFlags) options(p *program, source string) (awsauth.Options, error) {
	if _, err := partition.Named(f.partition); err != nil {
		return awsauth.Options{}, cli.Usagef("--partition: %w", err)
	}
	options, err := p.Reading(source, f.partition, f.rolePaths)
	options.UserIDs = f.userIDStrict
	return options, err
}
