package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/pflag"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/file"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
	"github.com/kube-iam/authenticator/pkg/partition"
)

// readingFlags are the flags of the commands that read mappings as the server does, with
// the server's names and defaults.
type readingFlags struct {
	partition, rolePaths string
}

func (f *readingFlags) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&f.partition, "partition", "aws", "AWS partition of the cluster, as the server's flag")
	flags.StringVar(&f.rolePaths, "role-paths", "ignore", "treatment of a role path in rolearn, as the server's flag: ignore or strip")
}

func (f *readingFlags) options(p *program, source string) (awsauth.Options, error) {
	if _, err := partition.Named(f.partition); err != nil {
		return awsauth.Options{}, cli.Usagef("--partition: %w", err)
	}
	rolePaths, err := mapper.ParseRolePaths(f.rolePaths)
	if err != nil {
		return awsauth.Options{}, cli.Usagef("--role-paths: %w", err)
	}
	gates, err := parseFeatureGates(p.featureGates)
	if err != nil {
		return awsauth.Options{}, err
	}
	sso, isSet := gates[ssoRoleMatch]
	return awsauth.Options{Source: source, Partition: f.partition, RolePaths: rolePaths, NoSSO: isSet && !sso}, nil
}

// stdin is the argument that names the standard input.
const stdin = "-"

// readInput reads a file, or the standard input, of at most the size of a file with
// mappings.
func (p *program) readInput(ctx context.Context, name string) ([]byte, error) {
	if name != stdin {
		return file.Read(ctx, name, file.MaxMappings)
	}
	content, err := io.ReadAll(io.LimitReader(p.in, file.MaxMappings+1))
	if err != nil {
		return nil, fmt.Errorf("reading standard input: %w", err)
	}
	if len(content) > file.MaxMappings {
		return nil, errors.New("reading standard input: it is larger than 4 MiB")
	}
	return content, nil
}
