package main

import (
	"github.com/spf13/pflag"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/partition"
)

// readingFlags are the flags of the commands that read mappings as the server does, with
// the server's names and defaults.
type readingFlags struct {
	partition, rolePaths string
	userIDStrict         bool
}

func (f *readingFlags) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&f.partition, "partition", "aws", "AWS partition of the cluster, as the server's flag")
	flags.StringVar(&f.rolePaths, "role-paths", "ignore", "treatment of a role path in rolearn, as the server's flag: ignore or strip")
	flags.BoolVar(&f.userIDStrict, userIDStrictFlag, false, "match the entries of a DynamicFile by their userid, as the server's flag")
}

func (f *readingFlags) options(p *program, source string) (awsauth.Options, error) {
	if _, err := partition.Named(f.partition); err != nil {
		return awsauth.Options{}, cli.Usagef("--partition: %w", err)
	}
	options, err := p.readingOptions(source, f.partition, f.rolePaths)
	options.UserIDs = f.userIDStrict
	return options, err
}

// readingOptions returns the options for reading the mappings of a source.
func (p *program) readingOptions(source, partition, rolePaths string) (awsauth.Options, error) {
	paths, err := mapper.ParseRolePaths(rolePaths)
	if err != nil {
		return awsauth.Options{}, cli.Usagef("--role-paths: %w", err)
	}
	gates, err := parseFeatureGates(p.featureGates)
	if err != nil {
		return awsauth.Options{}, err
	}
	sso, isSet := gates[ssoRoleMatch]
	if !isSet {
		sso, isSet = gates[allAlpha]
	}
	return awsauth.Options{Source: source, Partition: partition, RolePaths: paths, NoSSO: isSet && !sso}, nil
}
