package settings

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/config"
	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
)

// The names of the backends in --backend-mode.
const (
	BackendMountedFile  = "MountedFile"
	BackendEKSConfigMap = "EKSConfigMap"
	BackendDynamicFile  = "DynamicFile"
	BackendCRD          = "CRD"
	// SourceAWSAuthFile is the source of --aws-auth-file, which is not a backend.
	SourceAWSAuthFile = "AWSAuthFile"
)

// BackendNames returns the available backends.
func BackendNames() []string {
	return []string{BackendMountedFile, BackendEKSConfigMap, BackendDynamicFile, BackendCRD}
}

// BackendName returns the current name of a backend that was renamed, and any other
// name unchanged.
func BackendName(name string) string {
	switch name {
	case "File":
		return BackendMountedFile
	case "ConfigMap":
		return BackendEKSConfigMap
	}
	return name
}

// DenyFlag is the flag of the deny file.
const DenyFlag = "deny-file"

// Mapping says where mappings come from, and how they are read.
type Mapping struct {
	BackendModes       []string
	BackendModesGiven  bool
	Kubeconfig, Master string
	AWSAuthFile        string
	OwnerARNs          []string
	DenyPath           string
	RolePaths          string
	EC2QPS             float64
	EC2Burst           int
	Dynamic
}

// AddFlags adds all flags of mappings.
func (o *Mapping) AddFlags(flags *pflag.FlagSet) {
	o.AddSourceFlags(flags)
	flags.StringVar(&o.Kubeconfig, "kubeconfig", "", "kubeconfig for EKSConfigMap and CRD (default: the pod's service account)")
	flags.StringVar(&o.Master, "master", "", "URL of the kube-apiserver for EKSConfigMap and CRD; overrides the kubeconfig's")
	flags.Float64Var(&o.EC2QPS, "ec2-describeInstances-qps", 15, "maximum DescribeInstances calls per second; 0 for no limit")
	flags.IntVar(&o.EC2Burst, "ec2-describeInstances-burst", 5, "maximum DescribeInstances calls at once")
}

// AddSourceFlags adds the flags that do not depend on who reads the mappings.
func (o *Mapping) AddSourceFlags(flags *pflag.FlagSet) {
	flags.StringSliceVar(&o.BackendModes, "backend-mode", []string{BackendMountedFile}, "sources of mappings, in the order in which they are tried: any of MountedFile (the file of --config), EKSConfigMap (kube-system/aws-auth), DynamicFile (the file of --dynamic-file) and CRD (IAMIdentityMappings)")
	o.Dynamic.AddFlags(flags)
	flags.StringVar(&o.AWSAuthFile, "aws-auth-file", "", "file of mappings in the format of aws-auth; its source comes after those of --backend-mode")
	flags.StringSliceVar(&o.OwnerARNs, "cluster-owner-arn", nil, "ARN of a user or role that maps to kubernetes-admin in system:masters, whatever the mappings say (repeatable)")
	flags.StringVar(&o.DenyPath, DenyFlag, "", "file of principals that are denied even if a mapping matches: ARNs, unique IDs and access key IDs, one a line")
	flags.StringVar(&o.RolePaths, "role-paths", "ignore", "treatment of a role path in rolearn: ignore (the entry never matches, as on EKS) or strip (the entry matches the role by its name)")
}

// Check returns an error for an invalid flag.
func (o *Mapping) Check() error {
	if scheme, _, ok := strings.Cut(strings.ToLower(o.Master), "://"); ok && scheme != "https" && scheme != "http" {
		return cli.Usagef("--master %q: expected an https URL, such as https://10.0.0.1:6443", o.Master)
	}
	if o.EC2QPS < 0 {
		return cli.Usagef("--ec2-describeInstances-qps must not be negative")
	}
	if o.EC2Burst < 1 && o.EC2QPS > 0 {
		return cli.Usagef("--ec2-describeInstances-burst must be at least 1")
	}
	return nil
}

// SourceNames returns the names of the sources that the flags and the configuration file
// select, in the order in which they are looked up. The warnings name settings that
// have no effect.
func (o *Mapping) SourceNames(file *config.File) (names, warnings []string, err error) {
	modes := o.BackendModes
	if !o.BackendModesGiven && !file.HasMappings && (o.AWSAuthFile != "" || len(o.OwnerARNs) > 0) {
		modes = nil
	}
	for _, mode := range modes {
		name := BackendName(mode)
		if !slices.Contains(BackendNames(), name) {
			return nil, nil, cli.Usagef("backend %q is not available (supported: %s)", mode, strings.Join(BackendNames(), ", "))
		}
		if slices.Contains(names, name) {
			return nil, nil, cli.Usagef("--backend-mode names %s twice", name)
		}
		names = append(names, name)
	}
	if warnings, err = o.checkDynamic(names); err != nil {
		return nil, nil, err
	}
	if o.AWSAuthFile != "" {
		names = append(names, SourceAWSAuthFile)
	}
	if mounted := slices.Contains(names, BackendMountedFile); mounted && !file.HasMappings {
		warnings = append(warnings, "backend MountedFile has no mappings: --config names no file with mapRoles, mapUsers or mapAccounts")
	} else if !mounted && file.HasMappings {
		warnings = append(warnings, "the mappings in the file of --config have no effect: --backend-mode does not name MountedFile")
	}
	if (o.Kubeconfig != "" || o.Master != "") && !slices.Contains(names, BackendEKSConfigMap) && !slices.Contains(names, BackendCRD) {
		warnings = append(warnings, "--kubeconfig and --master have no effect: --backend-mode names neither EKSConfigMap nor CRD")
	}
	return names, warnings, nil
}

// Owner returns the mapper of the cluster's owners. The warnings name ARNs that match
// more than they seem to.
func (o *Mapping) Owner(partition string) (owner mapper.Mapper, warnings []string, err error) {
	if owner, err = mapper.Owner(partition, o.OwnerARNs...); err != nil {
		return nil, nil, cli.Usagef("--cluster-owner-arn: %w", err)
	}
	for _, arn := range o.OwnerARNs {
		if canonical, _, err := identity.Canonicalize(arn); err == nil && canonical != arn {
			warnings = append(warnings, fmt.Sprintf("--cluster-owner-arn %s is the ARN of one session and matches its whole role: every session of the role is a cluster owner; write %s", arn, canonical))
		}
	}
	return owner, warnings, nil
}
