// Package settings has the settings of the server, which other commands read as it does:
// the flags, their defaults in the environment and the configuration file, and what is
// invalid.
package settings

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"unicode"

	"github.com/spf13/pflag"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/config"
	"github.com/kube-iam/authenticator/internal/file"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// General are the settings that all commands share, and the configuration file.
type General struct {
	ClusterID    string
	ConfigPath   string
	FeatureGates string
	// File is the configuration file; empty if none is named.
	File *config.File
	// Item is the item of clusters that File is from; nil if File is the whole file.
	Item *config.Cluster
	// UserAgent is that of requests to AWS and to API servers.
	UserAgent string
}

// Failed returns the error of an item of clusters.
func (g *General) Failed(item *config.Cluster, err error) error {
	return cli.Usagef("reading the configuration %s: line %d: cluster %q: %w", g.ConfigPath, item.Line, item.ID, err)
}

// Complete sets the flags of a command that were not given, from the environment and then
// from the configuration file.
func (g *General) Complete(ctx context.Context, command string, flags *pflag.FlagSet, getenv func(string) string, warn func(text string)) error {
	if err := checkGuards(flags); err != nil {
		return err
	}
	for _, variable := range []struct{ name, flag string }{
		{"KUBERNETES_AWS_AUTHENTICATOR_CLUSTER_ID", "cluster-id"},
		{"AWS_IAM_AUTHENTICATOR_LOG_VERBOSITY", "log-verbosity"},
		{"DEFAULT_ROLE", "role"},
	} {
		if err := SetDefault(flags, variable.flag, getenv(variable.name)); err != nil {
			return cli.Usagef("$%s: %w", variable.name, err)
		}
	}
	if g.ConfigPath == "" {
		return nil
	}
	content, err := file.Read(ctx, g.ConfigPath, file.MaxMappings)
	if errors.Is(err, fs.ErrNotExist) {
		return cli.Usagef("reading the configuration: file %s does not exist", g.ConfigPath)
	}
	if err != nil {
		return cli.Usagef("reading the configuration: %w", err)
	}
	if g.File, _, err = config.Parse(content); err != nil {
		return cli.Usagef("reading the configuration %s: %w", g.ConfigPath, err)
	}
	for _, warning := range g.File.Warnings {
		warn(fmt.Sprintf("the configuration %s: %s", g.ConfigPath, warning))
	}
	if err := g.selectCluster(command, flags); err != nil {
		return err
	}
	for _, value := range g.File.Values {
		if value.Command == "" || value.Command == command {
			if err := g.setDefault(flags, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// selectCluster makes the settings of one of several clusters those of a command that
// reads mappings as the server does.
func (g *General) selectCluster(command string, flags *pflag.FlagSet) error {
	if len(g.File.Clusters) == 0 || flags.Lookup("backend-mode") == nil || command == "server" {
		return nil
	}
	i := slices.IndexFunc(g.File.Clusters, func(c *config.Cluster) bool { return c.ID == g.ClusterID })
	switch {
	case i < 0 && g.ClusterID == "":
		return cli.Usagef("the configuration %s has several clusters: name one with --cluster-id", g.ConfigPath)
	case i < 0:
		return cli.Usagef("the configuration %s has no cluster %q", g.ConfigPath, g.ClusterID)
	}
	g.Item = g.File.Clusters[i]
	g.File = g.Item.Settings
	return nil
}

// SetServerValue sets a flag that the configuration file has for the server alone, if
// the user did not give it.
func (g *General) SetServerValue(flags *pflag.FlagSet, flag string) error {
	for _, value := range g.File.Values {
		if value.Command == "server" && value.Flag == flag {
			if err := g.setDefault(flags, value); err != nil {
				return err
			}
		}
	}
	return nil
}

// setDefault sets a flag to a value of the configuration file, if the command has it and
// the user did not give it.
func (g *General) setDefault(flags *pflag.FlagSet, value config.Value) error {
	if err := SetDefault(flags, value.Flag, value.Text); err != nil {
		return cli.Usagef("reading the configuration %s: line %d: %s: %w", g.ConfigPath, value.Line, value.Key, err)
	}
	return nil
}

// checkGuards returns an error for a list flag or a deny file with an empty value, as
// from an unset shell variable: an empty --sts-region "$REGION" would accept every
// region.
func checkGuards(flags *pflag.FlagSet) (err error) {
	flags.Visit(func(flag *pflag.Flag) {
		list, isList := flag.Value.(pflag.SliceValue)
		if isList && len(list.GetSlice()) == 0 || flag.Name == DenyFlag && flag.Value.String() == "" {
			err = cli.Usagef("--%s is empty: give it a value or leave it out", flag.Name)
		}
	})
	return err
}

// SetDefault sets a flag if the command has it and the user did not give it.
func SetDefault(flags *pflag.FlagSet, name, value string) error {
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

// NeedClusters returns an error if neither a cluster ID nor clusters are configured.
func (g *General) NeedClusters() error {
	if len(g.File.Clusters) > 0 {
		return nil
	}
	return g.NeedClusterID()
}

// NamesCluster reports whether the configuration file has the cluster ID.
func (g *General) NamesCluster() bool {
	return g.Item != nil || slices.ContainsFunc(g.File.Values, func(value config.Value) bool {
		return value.Flag == "cluster-id" && value.Text == g.ClusterID
	})
}

// NeedClusterID returns an error if the cluster ID is missing or cannot be sent to STS.
func (g *General) NeedClusterID() error {
	if g.ClusterID == "" {
		return cli.Usagef("the cluster ID is missing: name it with --cluster-id, $KUBERNETES_AWS_AUTHENTICATOR_CLUSTER_ID or clusterID in the file of --config")
	}
	if strings.ContainsFunc(g.ClusterID, unicode.IsControl) {
		return cli.Usagef("the cluster ID %q contains a control character: no HTTP header can carry it to STS", g.ClusterID)
	}
	return nil
}

// Reading returns the options for reading the mappings of a source.
func (g *General) Reading(source, partition, rolePaths string) (awsauth.Options, error) {
	paths, err := mapper.ParseRolePaths(rolePaths)
	if err != nil {
		return awsauth.Options{}, cli.Usagef("--role-paths: %w", err)
	}
	gates, err := ParseFeatureGates(g.FeatureGates)
	if err != nil {
		return awsauth.Options{}, err
	}
	sso, isSet := gates[ssoRoleMatch]
	if !isSet {
		sso, isSet = gates[allAlpha]
	}
	return awsauth.Options{Source: source, Partition: partition, RolePaths: paths, NoSSO: isSet && !sso}, nil
}

// ReservedPrefixes returns the prefixes that usernames must not start with, by the
// name of the source. An unknown source is an error, since a misspelt guard guards
// nothing. A source that is not used is a warning.
func (g *General) ReservedPrefixes(sources []string) (prefixes map[string][]string, warnings []string, err error) {
	prefixes = map[string][]string{}
	for _, reserved := range g.File.ReservedPrefixes {
		place := fmt.Sprintf("the configuration %s: line %d: reservedPrefixConfig", g.ConfigPath, reserved.Line)
		name := BackendName(reserved.Source)
		switch known := append(BackendNames(), SourceAWSAuthFile); {
		case !slices.Contains(known, name):
			if g.Item != nil { // whose error names the file
				place = fmt.Sprintf("line %d: reservedPrefixConfig", reserved.Line)
			} else {
				place = "reading " + place
			}
			return nil, nil, cli.Usagef("%s: %w", place, cli.Unknown("source", reserved.Source, known))
		case !slices.Contains(sources, name):
			warnings = append(warnings, fmt.Sprintf("%s has no effect: neither --backend-mode nor --aws-auth-file names source %s", place, name))
		default:
			prefixes[name] = append(prefixes[name], reserved.Prefixes...)
		}
	}
	return prefixes, warnings, nil
}
