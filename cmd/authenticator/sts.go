package main

import (
	"context"
	"crypto/x509"
	"net"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/internal/file"
	"github.com/kube-iam/authenticator/pkg/partition"
	"github.com/kube-iam/authenticator/pkg/token"
)

// stsOptions are the flags that say which STS endpoints tokens may name. The commands
// server and verify share them.
type stsOptions struct {
	partition       string
	stsRegions      []string
	stsEndpoint     string
	stsEndpointDial string
}

func (o *stsOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.partition, "partition", "aws", "AWS partition of the identities: "+strings.Join(partition.Names(), ", "))
	flags.StringSliceVar(&o.stsRegions, "sts-region", nil, "region of the STS endpoints that tokens may name (repeatable; default: every region of the partition)")
	flags.StringVar(&o.stsEndpoint, "sts-endpoint", "", "URL of an additional trusted STS endpoint, as clients set it in AWS_ENDPOINT_URL; only for a local AWS: whoever controls the endpoint can sign in as anybody")
	flags.StringVar(&o.stsEndpointDial, "sts-endpoint-dial", "", "HOST:PORT to connect to instead of an http --sts-endpoint, for a server in a container; the connection is not encrypted, so use it only on a network of this machine")
}

func (o *stsOptions) hosts() (token.Hosts, error) {
	hosts, err := token.NewHosts(o.partition, o.stsRegions...)
	if err != nil {
		flag := "--sts-region"
		if _, unknown := partition.Named(o.partition); unknown != nil {
			flag = "--partition"
		}
		return token.Hosts{}, cli.Usagef("%s: %w", flag, err)
	}
	if o.stsEndpoint == "" {
		return hosts, nil
	}
	if hosts, err = hosts.WithEndpoint(o.stsEndpoint); err != nil {
		return token.Hosts{}, cli.Usagef("--sts-endpoint: %w", err)
	}
	return hosts, nil
}

// namedHosts returns the STS hosts that the flags name, most important first: the
// endpoint, then the plain host of each region, then the variants.
func (o *stsOptions) namedHosts() []string {
	var named, variants []string
	if _, host, ok := strings.Cut(strings.TrimSuffix(o.stsEndpoint, "/"), "://"); ok {
		named = append(named, host)
	}
	if p, err := partition.Named(o.partition); err == nil { // hosts has checked it
		for _, region := range o.stsRegions {
			hosts := p.STSHosts(region)
			named, variants = append(named, hosts[0]), append(variants, hosts[1:]...)
		}
	}
	return append(named, variants...)
}

// dial returns the address to connect to instead of the endpoint, by the endpoint's
// host and port; nil to connect to the endpoint itself.
func (o *stsOptions) dial() (map[string]string, error) {
	if o.stsEndpointDial == "" {
		return nil, nil
	}
	// An http endpoint is on loopback and so never goes through a proxy, which would
	// ignore the address.
	endpoint, ok := strings.CutPrefix(strings.TrimSuffix(o.stsEndpoint, "/"), "http://")
	if !ok {
		return nil, cli.Usagef("--sts-endpoint-dial requires an http --sts-endpoint (expected one like http://127.0.0.1:4566)")
	}
	if host, port, err := net.SplitHostPort(o.stsEndpointDial); err != nil || host == "" || !isPort(port) {
		return nil, cli.Usagef("--sts-endpoint-dial %q is not HOST:PORT (expected one like 172.18.0.1:4566)", o.stsEndpointDial)
	}
	if !strings.Contains(endpoint, ":") {
		endpoint += ":80"
	}
	return map[string]string{endpoint: o.stsEndpointDial}, nil
}

func isPort(text string) bool {
	port, err := strconv.ParseUint(text, 10, 16)
	return err == nil && port > 0
}

// userAgent returns the User-Agent of requests to AWS.
func userAgent() string { return "kube-iam-authenticator/" + version }

// caBundle returns the CAs of AWS_CA_BUNDLE, which every AWS tool honours; nil, for
// the system's CAs, if the variable is not set.
func caBundle(ctx context.Context, getenv func(string) string) (*x509.CertPool, error) {
	path := getenv("AWS_CA_BUNDLE")
	if path == "" {
		return nil, nil
	}
	content, err := file.Read(ctx, path, file.MaxSettings)
	if err != nil {
		return nil, cli.Usagef("reading $AWS_CA_BUNDLE: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(content) {
		return nil, cli.Usagef("reading $AWS_CA_BUNDLE: %q contains no certificate", path)
	}
	return pool, nil
}
