package assembly

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/time/rate"

	"github.com/kube-iam/authenticator/internal/backendmode"
	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/cluster"
	"github.com/kube-iam/authenticator/internal/config"
	"github.com/kube-iam/authenticator/internal/deny"
	"github.com/kube-iam/authenticator/internal/ec2names"
	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/metrics"
	"github.com/kube-iam/authenticator/internal/settings"
	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/internal/source/awsauthfile"
	"github.com/kube-iam/authenticator/internal/source/configmap"
	"github.com/kube-iam/authenticator/internal/source/crd"
	"github.com/kube-iam/authenticator/internal/source/dynamicfile"
	"github.com/kube-iam/authenticator/internal/source/mountedfile"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// Sources makes the sources of mappings that settings name.
type Sources struct {
	General   *settings.General
	Mapping   *settings.Mapping
	Partition string
	// Reserved are the prefixes that usernames must not start with, by the name of the
	// source.
	Reserved map[string][]string
	// Metrics may be nil for sources that are files.
	Metrics *metrics.Metrics
	Log     *slog.Logger
}

// New returns a new source with a name.
func (s Sources) New(ctx context.Context, name string) (source.Source, error) {
	options, err := s.General.Reading(name, s.Partition, s.Mapping.RolePaths)
	if err != nil {
		return nil, err
	}
	switch name {
	case settings.BackendMountedFile:
		return s.newMountedFile(ctx, options)
	case settings.BackendEKSConfigMap:
		return s.newConfigMap(ctx, options)
	case settings.BackendDynamicFile:
		return s.newDynamicFile(ctx, options)
	case settings.BackendCRD:
		return s.newCRD(ctx, options)
	default:
		made, err := awsauthfile.New(ctx, awsauthfile.Config{Path: s.Mapping.AWSAuthFile, Options: options, Log: s.Log})
		if err != nil {
			return nil, cli.Usagef("--aws-auth-file: %w", err)
		}
		return made, nil
	}
}

func (s Sources) newConfigMap(ctx context.Context, options awsauth.Options) (source.Source, error) {
	config, err := kube.RESTConfig(ctx, s.Mapping.Kubeconfig, s.Mapping.Master)
	if err != nil {
		return nil, s.unusable(err)
	}
	return configmap.New(configmap.Config{
		REST: config, Options: options, OnFailure: s.Metrics.ObserveWatchFailure(), OnEdit: s.Metrics.ObserveEdit(s.General.ClusterID), Log: s.Log,
	})
}

func (s Sources) newCRD(ctx context.Context, options awsauth.Options) (source.Source, error) {
	config, err := kube.RESTConfig(ctx, s.Mapping.Kubeconfig, s.Mapping.Master)
	if err != nil {
		return nil, s.unusable(err)
	}
	return crd.New(crd.Config{
		REST: config, Options: options, ReservedPrefixes: s.Reserved[options.Source],
		OnFailure: s.Metrics.ObserveWatchFailure(), OnEdit: s.Metrics.ObserveLosses(s.General.ClusterID), Log: s.Log,
	})
}

// unusable returns the error of the kubeconfig, if one is named.
func (s Sources) unusable(err error) error {
	if s.Mapping.Kubeconfig == "" {
		return err
	}
	return cli.Usagef("--kubeconfig: %w", err)
}

func (s Sources) newDynamicFile(ctx context.Context, options awsauth.Options) (source.Source, error) {
	options.UserIDs = s.Mapping.UserIDStrict
	c := dynamicfile.Config{Path: s.Mapping.DynamicFile, Options: options, Log: s.Log}
	if s.Metrics != nil {
		c.Failed, c.Updated = s.Metrics.ObserveDynamicFailure(), s.Metrics.ObserveUpdate(metrics.UpdateDynamicFile, time.Now, s.Log)
	}
	return dynamicfile.New(ctx, c)
}

func (s Sources) newMountedFile(ctx context.Context, options awsauth.Options) (source.Source, error) {
	g := s.General
	options.AssumedRoles = awsauth.AssumedRolesAsRole
	if g.Item != nil {
		// The mappings are a part of the cluster's settings: an edit of them replaces it.
		parsed := mountedfile.Parsed{Mappings: awsauth.ParseNode(g.Item.Mappings, nil, options)}
		made, err := mountedfile.New(ctx, mountedfile.Config{Name: options.Source, Log: s.Log, Parse: func([]byte) (mountedfile.Parsed, error) { return parsed, nil }})
		if err != nil {
			return nil, err
		}
		for _, problem := range parsed.Mappings.Problems {
			problem.Log(s.Log, "problem in "+g.ConfigPath)
		}
		return made, nil
	}
	made, err := mountedfile.New(ctx, mountedfile.Config{
		Name: options.Source, Path: g.ConfigPath, Started: g.File.Rest(), Log: s.Log,
		Parse: func(content []byte) (mountedfile.Parsed, error) {
			read, mappings, err := config.Parse(content)
			if err != nil {
				return mountedfile.Parsed{}, err
			}
			parsed := mountedfile.Parsed{Mappings: awsauth.ParseNode(mappings, nil, options), Rest: read.Rest()}
			for _, warning := range read.Warnings {
				parsed.Warnings = append(parsed.Warnings, warning.Error())
			}
			return parsed, nil
		},
	})
	if err != nil {
		return nil, cli.Usagef("reading the configuration %s: %w", g.ConfigPath, err)
	}
	return made, nil
}

// Modes returns what follows the file of the backend mode; nil if there is none.
func (s Sources) Modes(ctx context.Context) *backendmode.File {
	if s.Mapping.BackendModeFile == "" {
		return nil
	}
	c := backendmode.Config{
		Path: s.Mapping.BackendModeFile, Default: s.Mapping.BackendModes, Log: s.Log,
		Check: func(modes []string) error {
			_, _, err := s.Mapping.WithModes(modes).SourceNames(s.General.File)
			return err
		},
	}
	if s.Metrics != nil {
		c.Failed, c.Updated = s.Metrics.ObserveDynamicFailure(), s.Metrics.ObserveUpdate(metrics.UpdateBackendMode, time.Now, s.Log)
	}
	return backendmode.New(ctx, c)
}

// Names returns the names of the sources that the server starts with, and warnings of
// settings that have no effect. The file of the backend mode may name other backends than
// the flags.
func (s Sources) Names(modes *backendmode.File) (names, warnings []string, err error) {
	names, warnings, err = s.Mapping.SourceNames(s.General.File)
	if err != nil || modes == nil { // they apply without the file
		return names, warnings, err
	}
	return s.Mapping.WithModes(modes.Backends()).SourceNames(s.General.File)
}

// follow returns the function that switches the sources of a cluster when the backend mode
// changes; none if it never does.
func (s Sources) follow(modes *backendmode.File) []func(context.Context, *cluster.Cluster) {
	if modes == nil {
		return nil
	}
	s = s.copied()
	return []func(context.Context, *cluster.Cluster){func(ctx context.Context, c *cluster.Cluster) {
		modes.Run(ctx, func(ctx context.Context, backends []string) error {
			names, _, err := s.Mapping.WithModes(backends).SourceNames(s.General.File)
			if err != nil {
				return err
			}
			return c.Switch(ctx, names, func(name string) (source.Source, error) { return s.New(ctx, name) })
		})
	}}
}

// copied returns what makes the same sources later, when the settings have forgotten the item
// with the mappings.
func (s Sources) copied() Sources {
	general, mapping := *s.General, *s.Mapping
	s.General, s.Mapping = &general, &mapping
	return s
}

// Denied returns the deny file of settings; nil if there is none.
func Denied(ctx context.Context, m *settings.Mapping, log *slog.Logger) (*deny.File, error) {
	if m.DenyPath == "" {
		return nil, nil
	}
	denied, err := deny.New(ctx, deny.Config{Path: m.DenyPath, Log: log})
	if err != nil {
		return nil, cli.Usagef("--deny-file: %w", err)
	}
	return denied, nil
}

// Denies returns the principals that a deny file denies; nil if there is no file.
func Denies(denied *deny.File) mapper.Denies {
	if denied == nil {
		return nil
	}
	return denied.Denies
}

// instances returns the lookup of EC2 instances for {{EC2PrivateDNSName}}.
func (s Sources) instances() (mapper.InstanceNames, error) {
	qps := s.Mapping.EC2QPS
	if qps == 0 {
		qps = float64(rate.Inf)
	}
	return ec2names.New(ec2names.Config{
		Client: ec2names.LazyClient(s.General.File.EC2RoleARN, s.General.File.SourceARN), QPS: qps, Burst: s.Mapping.EC2Burst,
		Observe: s.Metrics.ObserveDescribeInstances(), Log: s.Log,
	})
}
