package main

import (
	"context"
	"errors"
	"log/slog"
	"slices"

	"github.com/spf13/pflag"

	"github.com/kube-iam/authenticator/internal/ec2names"
	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/mappingfile"
	"github.com/kube-iam/authenticator/internal/webhook"
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
		return "", usagef("backend %q is not available: there are %s and %s", name, backendMountedFile, backendEKSConfigMap)
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
	if !o.backendModesGiven && p.config.server == nil && (o.awsAuthFile != "" || len(o.ownerARNs) > 0) {
		o.backendModes = nil
	}
	for i, mode := range o.backendModes {
		name, err := backendName(mode)
		if err != nil {
			return err
		}
		if slices.Contains(o.backendModes[:i], name) {
			return usagef("--backend-mode names %s twice", name)
		}
		o.backendModes[i] = name
	}
	usesMountedFile := slices.Contains(o.backendModes, backendMountedFile)
	if usesMountedFile && p.config.server == nil {
		return usagef("backend MountedFile takes its mappings from the file of --config, and there are none: name the file, or another source with --backend-mode EKSConfigMap or --aws-auth-file")
	}
	if !usesMountedFile && p.config.server != nil {
		return usagef("the file of --config has mappings, but --backend-mode does not name MountedFile, so nobody would be mapped by them")
	}
	if (o.kubeconfig != "" || o.master != "") && !slices.Contains(o.backendModes, backendEKSConfigMap) {
		return usagef("--kubeconfig and --master are for backend EKSConfigMap, which --backend-mode does not name")
	}
	if o.ec2QPS <= 0 || o.ec2Burst < 1 {
		return usagef("--ec2-describeInstances-qps and -burst must be more than 0")
	}
	for _, reserved := range p.config.reservedPrefixes {
		if !slices.Contains(o.sources(), reserved.backend) {
			return usagef("reservedPrefixConfig is for source %s, which neither --backend-mode nor --aws-auth-file names", reserved.backend)
		}
	}
	return nil
}

// mappings are all sources at work.
type mappings struct {
	// mapper asks the owner, then every source's entries, then their accounts.
	mapper mapper.Mapper
	// run follow the sources, until their context is done.
	run []func(context.Context)
	// checks say what is missing before mappings are in force.
	checks []func() error
	closes []func()
}

func (m *mappings) ready() error {
	var missing []error
	for _, check := range m.checks {
		missing = append(missing, check())
	}
	return errors.Join(missing...)
}

func (m *mappings) close() {
	for _, f := range m.closes {
		f()
	}
}

func (o *mappingOptions) newMappings(p *program, partition string, metrics *webhook.Metrics, log *slog.Logger) (_ *mappings, err error) {
	m := &mappings{}
	defer func() {
		if err != nil {
			m.close()
		}
	}()
	rolePaths, err := mapper.ParseRolePaths(o.rolePaths)
	if err != nil {
		return nil, usagef("--role-paths: %w", err)
	}
	owner, err := mapper.Owner(partition, o.ownerARNs...)
	if err != nil {
		return nil, usagef("--cluster-owner-arn: %w", err)
	}
	names, err := ec2names.New(ec2names.Config{
		Client: lazyEC2(p.config.ec2RoleARN, p.config.sourceARN), QPS: o.ec2QPS, Burst: o.ec2Burst, Observe: metrics.ObserveDescribeInstances(),
	})
	if err != nil {
		return nil, err
	}
	chain, accounts := []mapper.Mapper{owner}, []mapper.Mapper{}
	for _, name := range o.sources() {
		source := mapper.NewSource(names)
		metrics.FollowMappings(name, source.Len)
		options := awsauth.Options{Source: name, Partition: partition, RolePaths: rolePaths}
		onRead := func(result *awsauth.Result) {
			failures, warnings := count(result)
			metrics.SetMappingProblems(name, failures, warnings)
		}
		if err := o.follow(p, m, name, source, options, onRead, metrics.ObserveWatchFailure(), log); err != nil {
			return nil, err
		}
		reserved := p.config.reserved(name)
		chain = append(chain, mapper.Reserve(source.Entries(), reserved))
		accounts = append(accounts, mapper.Reserve(source.Accounts(), reserved))
	}
	m.mapper = mapper.First(append(chain, accounts...)...)
	return m, nil
}

// sources in the order in which they are asked.
func (o *mappingOptions) sources() []string {
	sources := slices.Clone(o.backendModes)
	if o.awsAuthFile != "" {
		sources = append(sources, sourceAWSAuthFile)
	}
	return sources
}

// follow keeps a source up to date with what it is named after.
func (o *mappingOptions) follow(p *program, m *mappings, name string, source *mapper.Source, options awsauth.Options, onRead func(*awsauth.Result), onFailure func(), log *slog.Logger) error {
	switch name {
	case backendMountedFile:
		result := awsauth.ParseNode(p.config.server, nil, options)
		for _, problem := range result.Problems {
			problem.Log(log, "problem in "+p.configPath)
		}
		onRead(result)
		source.Swap(result.Table)
	case backendEKSConfigMap:
		config, err := kube.RESTConfig(o.kubeconfig, o.master)
		if err != nil {
			return err
		}
		follower, err := kube.New(kube.Config{REST: config, Source: source, Options: options, OnRead: onRead, OnFailure: onFailure, Log: log})
		if err != nil {
			return err
		}
		m.run = append(m.run, follower.Run)
		m.checks = append(m.checks, follower.Ready)
	case sourceAWSAuthFile:
		file, err := mappingfile.New(mappingfile.Config{Path: o.awsAuthFile, Source: source, Options: options, OnRead: onRead, Log: log})
		if err != nil {
			return usagef("--aws-auth-file: %w", err)
		}
		m.run = append(m.run, file.Run)
		m.closes = append(m.closes, file.Close)
	}
	return nil
}

func count(result *awsauth.Result) (failures, warnings int) {
	for _, problem := range result.Problems {
		if problem.Severity == awsauth.Error {
			failures++
		} else {
			warnings++
		}
	}
	return failures, warnings
}
