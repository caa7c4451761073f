package main

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"golang.org/x/time/rate"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/config"
	"github.com/kube-iam/authenticator/internal/ec2names"
	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/metrics"
	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/internal/source/awsauthfile"
	"github.com/kube-iam/authenticator/internal/source/configmap"
	"github.com/kube-iam/authenticator/internal/source/crd"
	"github.com/kube-iam/authenticator/internal/source/mountedfile"
	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// The names of the backends in --backend-mode.
const (
	backendMountedFile  = "MountedFile"
	backendEKSConfigMap = "EKSConfigMap"
	backendDynamicFile  = "DynamicFile"
	backendCRD          = "CRD"
	// sourceAWSAuthFile is the source of --aws-auth-file, which is not a backend.
	sourceAWSAuthFile = "AWSAuthFile"
)

// backendNames returns the available backends.
func backendNames() []string {
	return []string{backendMountedFile, backendEKSConfigMap, backendDynamicFile, backendCRD}
}

// backendName returns the current name of a backend that was renamed, and any other
// name unchanged.
func backendName(name string) string {
	switch name {
	case "File":
		return backendMountedFile
	case "ConfigMap":
		return backendEKSConfigMap
	}
	return name
}

// mappingOptions are the flags that say where mappings come from.
type mappingOptions struct {
	backendModes       []string
	backendModesGiven  bool
	kubeconfig, master string
	awsAuthFile        string
	ownerARNs          []string
	denyPath           string
	rolePaths          string
	ec2QPS             float64
	ec2Burst           int
	dynamicOptions
}

func (o *mappingOptions) addFlags(flags *pflag.FlagSet) {
	o.addSourceFlags(flags)
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig for EKSConfigMap and CRD (default: the pod's service account)")
	flags.StringVar(&o.master, "master", "", "URL of the kube-apiserver for EKSConfigMap and CRD; overrides the kubeconfig's")
	flags.Float64Var(&o.ec2QPS, "ec2-describeInstances-qps", 15, "maximum DescribeInstances calls per second; 0 for no limit")
	flags.IntVar(&o.ec2Burst, "ec2-describeInstances-burst", 5, "maximum DescribeInstances calls at once")
}

// addSourceFlags adds the flags that do not depend on who reads the mappings.
func (o *mappingOptions) addSourceFlags(flags *pflag.FlagSet) {
	flags.StringSliceVar(&o.backendModes, "backend-mode", []string{backendMountedFile}, "sources of mappings, in order: MountedFile (the file of --config), EKSConfigMap (kube-system/aws-auth), DynamicFile (the file of --dynamic-file), CRD (IAMIdentityMappings)")
	o.dynamicOptions.addFlags(flags)
	flags.StringVar(&o.awsAuthFile, "aws-auth-file", "", "file of mappings in the format of aws-auth, watched for changes; its source comes after those of --backend-mode")
	flags.StringSliceVar(&o.ownerARNs, "cluster-owner-arn", nil, "ARN of a user or role that maps to kubernetes-admin in system:masters, whatever the mappings say (repeatable)")
	flags.StringVar(&o.denyPath, denyFlag, "", "file of principals that are denied whatever maps them, watched for changes: ARNs, unique IDs and access key IDs, one a line")
	flags.StringVar(&o.rolePaths, "role-paths", "ignore", "treatment of a role path in rolearn: ignore (the entry never matches, as on EKS) or strip (the entry matches the role by its name)")
}

// check returns an error for an invalid flag.
func (o *mappingOptions) check() error {
	if o.ec2QPS < 0 {
		return cli.Usagef("--ec2-describeInstances-qps must not be negative")
	}
	if o.ec2Burst < 1 && o.ec2QPS > 0 {
		return cli.Usagef("--ec2-describeInstances-burst must be at least 1")
	}
	return nil
}

// sources returns the names of the sources that the flags and the configuration file
// select, in the order in which they are looked up. The warnings name settings that
// have no effect.
func (o *mappingOptions) sources(file *config.File) (names, warnings []string, err error) {
	modes := o.backendModes
	if !o.backendModesGiven && !file.HasMappings && (o.awsAuthFile != "" || len(o.ownerARNs) > 0) {
		modes = nil
	}
	for _, mode := range modes {
		name := backendName(mode)
		if !slices.Contains(backendNames(), name) {
			return nil, nil, cli.Usagef("backend %q is not available (supported: %s)", mode, strings.Join(backendNames(), ", "))
		}
		if slices.Contains(names, name) {
			return nil, nil, cli.Usagef("--backend-mode names %s twice", name)
		}
		names = append(names, name)
	}
	if warnings, err = o.dynamicOptions.check(names); err != nil {
		return nil, nil, err
	}
	if o.awsAuthFile != "" {
		names = append(names, sourceAWSAuthFile)
	}
	if mounted := slices.Contains(names, backendMountedFile); mounted && !file.HasMappings {
		warnings = append(warnings, "backend MountedFile has no mappings: --config names no file with mapRoles, mapUsers or mapAccounts")
	} else if !mounted && file.HasMappings {
		warnings = append(warnings, "the mappings in the file of --config have no effect: --backend-mode does not name MountedFile")
	}
	if (o.kubeconfig != "" || o.master != "") && !slices.Contains(names, backendEKSConfigMap) && !slices.Contains(names, backendCRD) {
		warnings = append(warnings, "--kubeconfig and --master have no effect: --backend-mode names neither EKSConfigMap nor CRD")
	}
	return names, warnings, nil
}

// owner returns the mapper of the cluster's owners. The warnings name ARNs that match
// more than they seem to.
func (o *mappingOptions) owner(partition string) (owner mapper.Mapper, warnings []string, err error) {
	if owner, err = mapper.Owner(partition, o.ownerARNs...); err != nil {
		return nil, nil, cli.Usagef("--cluster-owner-arn: %w", err)
	}
	for _, arn := range o.ownerARNs {
		if canonical, _, err := identity.Canonicalize(arn); err == nil && canonical != arn {
			warnings = append(warnings, fmt.Sprintf("--cluster-owner-arn %s is the ARN of one session and matches its whole role: every session of the role is a cluster owner; write %s", arn, canonical))
		}
	}
	return owner, warnings, nil
}

// instances returns the lookup of EC2 instances for {{EC2PrivateDNSName}}.
func (o *mappingOptions) instances(p *program, observe func(), log *slog.Logger) (mapper.InstanceNames, error) {
	qps := o.ec2QPS
	if qps == 0 {
		qps = float64(rate.Inf)
	}
	return ec2names.New(ec2names.Config{
		Client: lazyEC2(p.config.EC2RoleARN, p.config.SourceARN), QPS: qps, Burst: o.ec2Burst, Observe: observe, Log: log,
	})
}

// newSources returns new sources with the given names.
func (o *mappingOptions) newSources(ctx context.Context, p *program, names []string, reserved map[string][]string, partition string, metrics *metrics.Metrics, log *slog.Logger) ([]source.Source, error) {
	var sources []source.Source
	for _, name := range names {
		options, err := p.readingOptions(name, partition, o.rolePaths)
		if err != nil {
			return nil, err
		}
		var made source.Source
		switch name {
		case backendMountedFile:
			made, err = newMountedFile(ctx, p, options, log)
		case backendEKSConfigMap:
			made, err = o.newConfigMap(ctx, options, metrics, log)
		case backendDynamicFile:
			made, err = o.newDynamicFile(ctx, options, metrics, log)
		case backendCRD:
			made, err = o.newCRD(ctx, options, reserved[name], metrics, log)
		case sourceAWSAuthFile:
			if made, err = awsauthfile.New(ctx, awsauthfile.Config{Path: o.awsAuthFile, Options: options, Log: log}); err != nil {
				err = cli.Usagef("--aws-auth-file: %w", err)
			}
		}
		if err != nil {
			return nil, err
		}
		sources = append(sources, made)
	}
	return sources, nil
}

func (o *mappingOptions) newConfigMap(ctx context.Context, options awsauth.Options, metrics *metrics.Metrics, log *slog.Logger) (source.Source, error) {
	config, err := kube.RESTConfig(ctx, o.kubeconfig, o.master)
	if err != nil {
		return nil, err
	}
	return configmap.New(configmap.Config{
		REST: config, Options: options, OnFailure: metrics.ObserveWatchFailure(), OnEdit: metrics.ObserveEdit(), Log: log,
	})
}

func (o *mappingOptions) newCRD(ctx context.Context, options awsauth.Options, reserved []string, metrics *metrics.Metrics, log *slog.Logger) (source.Source, error) {
	config, err := kube.RESTConfig(ctx, o.kubeconfig, o.master)
	if err != nil {
		return nil, err
	}
	return crd.New(crd.Config{REST: config, Options: options, ReservedPrefixes: reserved, OnFailure: metrics.ObserveWatchFailure(), OnEdit: metrics.ObserveLosses(), Log: log})
}

func newMountedFile(ctx context.Context, p *program, options awsauth.Options, log *slog.Logger) (source.Source, error) {
	options.AssumedRoles = awsauth.AssumedRolesAsRole
	if p.item != nil {
		// The mappings are a part of the cluster's settings: an edit of them replaces it.
		parsed := mountedfile.Parsed{Mappings: awsauth.ParseNode(p.item.Mappings, nil, options)}
		for _, problem := range parsed.Mappings.Problems {
			problem.Log(log, "problem in "+p.configPath)
		}
		return mountedfile.New(ctx, mountedfile.Config{Name: options.Source, Log: log, Parse: func([]byte) (mountedfile.Parsed, error) { return parsed, nil }})
	}
	made, err := mountedfile.New(ctx, mountedfile.Config{
		Name: options.Source, Path: p.configPath, Started: p.config.Rest(), Log: log,
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
		return nil, cli.Usagef("reading the configuration %s: %w", p.configPath, err)
	}
	return made, nil
}
