package main

import (
	"log/slog"
	"slices"

	"github.com/spf13/pflag"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/ec2names"
	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/source"
	"github.com/kube-iam/authenticator/internal/source/configmap"
	"github.com/kube-iam/authenticator/internal/source/dynamicfile"
	"github.com/kube-iam/authenticator/internal/source/mountedfile"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/mapper/awsauth"
)

// The backends, by the names that --backend-mode has for them.
const (
	backendMountedFile  = "MountedFile"
	backendEKSConfigMap = "EKSConfigMap"
	// sourceAWSAuthFile is the source of --aws-auth-file, and no backend.
	sourceAWSAuthFile = "AWSAuthFile"
)

// backendName is the name of a backend, of which there are old ones.
func backendName(name string) (string, error) {
	switch name {
	case backendMountedFile, "File":
		return backendMountedFile, nil
	case backendEKSConfigMap, "ConfigMap":
		return backendEKSConfigMap, nil
	default:
		return "", cli.Usagef("backend %q is not available: there are %s and %s", name, backendMountedFile, backendEKSConfigMap)
	}
}

// sourceName is the name of any source, as the configuration file names them.
func sourceName(name string) (string, error) {
	if name == sourceAWSAuthFile {
		return name, nil
	}
	return backendName(name)
}

// mappingOptions say where mappings come from.
type mappingOptions struct {
	backendModes       []string
	backendModesGiven  bool
	kubeconfig, master string
	awsAuthFile        string
	ownerARNs          []string
	rolePaths          string
	ec2QPS             float64
	ec2Burst           int
}

func (o *mappingOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringSliceVar(&o.backendModes, "backend-mode", []string{backendMountedFile}, "sources of mappings, in order: MountedFile (the file of --config), EKSConfigMap (kube-system/aws-auth)")
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "kubeconfig for EKSConfigMap (default: that of the pod)")
	flags.StringVar(&o.master, "master", "", "URL of the kube-apiserver for EKSConfigMap, in place of the kubeconfig's")
	flags.StringVar(&o.awsAuthFile, "aws-auth-file", "", "file of mappings as in aws-auth, watched for changes; a source behind those of --backend-mode")
	flags.StringSliceVar(&o.ownerARNs, "cluster-owner-arn", nil, "ARN of a user or role that is kubernetes-admin in system:masters whatever the mappings say (repeatable)")
	flags.StringVar(&o.rolePaths, "role-paths", "ignore", "what a path in rolearn means: ignore (the entry matches nobody, as on EKS) or strip (it matches by name)")
	flags.Float64Var(&o.ec2QPS, "ec2-describeInstances-qps", 15, "calls of DescribeInstances a second, at most")
	flags.IntVar(&o.ec2Burst, "ec2-describeInstances-burst", 5, "calls of DescribeInstances at once, at most")
}

// check says what is wrong with the flags, and settles the names of backends.
func (o *mappingOptions) check(p *program) error {
	if !o.backendModesGiven && p.config.Server == nil && (o.awsAuthFile != "" || len(o.ownerARNs) > 0) {
		o.backendModes = nil
	}
	for i, mode := range o.backendModes {
		name, err := backendName(mode)
		if err != nil {
			return err
		}
		if slices.Contains(o.backendModes[:i], name) {
			return cli.Usagef("--backend-mode names %s twice", name)
		}
		o.backendModes[i] = name
	}
	usesMountedFile := slices.Contains(o.backendModes, backendMountedFile)
	if usesMountedFile && p.config.Server == nil {
		return cli.Usagef("backend MountedFile takes its mappings from the file of --config, and there are none: name the file, or another source with --backend-mode EKSConfigMap or --aws-auth-file")
	}
	if !usesMountedFile && p.config.Server != nil {
		return cli.Usagef("the file of --config has mappings, but --backend-mode does not name MountedFile, so nobody would be mapped by them")
	}
	if (o.kubeconfig != "" || o.master != "") && !slices.Contains(o.backendModes, backendEKSConfigMap) {
		return cli.Usagef("--kubeconfig and --master are for backend EKSConfigMap, which --backend-mode does not name")
	}
	if o.ec2QPS <= 0 || o.ec2Burst < 1 {
		return cli.Usagef("--ec2-describeInstances-qps and -burst must be more than 0")
	}
	return nil
}

// owner maps the cluster's owner.
func (o *mappingOptions) owner(partition string) (mapper.Mapper, error) {
	owner, err := mapper.Owner(partition, o.ownerARNs...)
	if err != nil {
		return nil, cli.Usagef("--cluster-owner-arn: %w", err)
	}
	return owner, nil
}

// instances looks EC2 instances up for {{EC2PrivateDNSName}}.
func (o *mappingOptions) instances(p *program, observe func(), log *slog.Logger) (mapper.InstanceNames, error) {
	return ec2names.New(ec2names.Config{
		Client: lazyEC2(p.config.EC2RoleARN, p.config.SourceARN), QPS: o.ec2QPS, Burst: o.ec2Burst, Observe: observe, Log: log,
	})
}

// newSources makes the sources, in the order in which they are asked. Close
// releases them if they are not run.
func (o *mappingOptions) newSources(p *program, partition string, onWatchFailure func(), log *slog.Logger) (sources []source.Source, close func(), err error) {
	rolePaths, err := mapper.ParseRolePaths(o.rolePaths)
	if err != nil {
		return nil, nil, cli.Usagef("--role-paths: %w", err)
	}
	close = func() {}
	for _, name := range o.sources() {
		options := awsauth.Options{Source: name, Partition: partition, RolePaths: rolePaths}
		switch name {
		case backendMountedFile:
			result := awsauth.ParseNode(p.config.Server, nil, options)
			for _, problem := range result.Problems {
				problem.Log(log, "problem in "+p.configPath)
			}
			sources = append(sources, mountedfile.New(name, result))
		case backendEKSConfigMap:
			followed, err := o.newConfigMap(options, onWatchFailure, log)
			if err != nil {
				return nil, nil, err
			}
			sources = append(sources, followed)
		case sourceAWSAuthFile:
			file, err := dynamicfile.New(dynamicfile.Config{Path: o.awsAuthFile, Options: options, Log: log})
			if err != nil {
				return nil, nil, cli.Usagef("--aws-auth-file: %w", err)
			}
			sources, close = append(sources, file), file.Close
		}
	}
	return sources, close, nil
}

func (o *mappingOptions) newConfigMap(options awsauth.Options, onFailure func(), log *slog.Logger) (source.Source, error) {
	config, err := kube.RESTConfig(o.kubeconfig, o.master)
	if err != nil {
		return nil, err
	}
	return configmap.New(configmap.Config{REST: config, Options: options, OnFailure: onFailure, Log: log})
}

// sources in the order in which they are asked.
func (o *mappingOptions) sources() []string {
	sources := slices.Clone(o.backendModes)
	if o.awsAuthFile != "" {
		sources = append(sources, sourceAWSAuthFile)
	}
	return sources
}
