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

// stsOptions say which STS endpoints tokens may name. The commands server and
// verify agree on it by the same flags.
type stsOptions struct {
	partition       string
	stsRegions      []string
	stsEndpoint     string
	stsEndpointDial string
}

func (o *stsOptions) addFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.partition, "partition", "aws", "AWS partition of the identities: "+strings.Join(partition.Names(), ", "))
	flags.StringSliceVar(&o.stsRegions, "sts-region", nil, "accept tokens of this region only (repeatable; default: every region of the partition)")
	flags.StringVar(&o.stsEndpoint, "sts-endpoint", "", "trust this endpoint too, as clients have it in AWS_ENDPOINT_URL; it can say of any token who it is, so it is for a local AWS")
	flags.StringVar(&o.stsEndpointDial, "sts-endpoint-dial", "", "where to connect to for an --sts-endpoint of http, as HOST:PORT: in a container, loopback is another; it is not encrypted, so it is for a network of this machine")
}

func (o *stsOptions) hosts() (token.Hosts, error) {
	hosts, err := token.NewHosts(o.partition, o.stsRegions...)
	if err != nil {
		return token.Hosts{}, cli.Usagef("--partition, --sts-region: %w", err)
	}
	if o.stsEndpoint == "" {
		return hosts, nil
	}
	if hosts, err = hosts.WithEndpoint(o.stsEndpoint); err != nil {
		return token.Hosts{}, cli.Usagef("--sts-endpoint: %w", err)
	}
	return hosts, nil
}

// namedHosts are the STS hosts that the flags name, the most important first: the
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

// dial is what to connect to in place of the endpoint, by its host and port; nil
// for itself.
func (o *stsOptions) dial() (map[string]string, error) {
	if o.stsEndpointDial == "" {
		return nil, nil
	}
	// Only there is no proxy in between, which would go where it likes.
	endpoint, ok := strings.CutPrefix(strings.TrimSuffix(o.stsEndpoint, "/"), "http://")
	if !ok {
		return nil, cli.Usagef("--sts-endpoint-dial is for an --sts-endpoint of http, such as http://127.0.0.1:4566")
	}
	if host, port, err := net.SplitHostPort(o.stsEndpointDial); err != nil || host == "" || !isPort(port) {
		return nil, cli.Usagef("--sts-endpoint-dial %q is not HOST:PORT, such as 172.18.0.1:4566", o.stsEndpointDial)
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

// userAgent is what AWS sees of us.
func userAgent() string { return "kube-iam-authenticator/" + version }

// caBundle are the CAs of AWS_CA_BUNDLE, which every AWS tool honours; nil, for
// those of the system, if it names none.
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
		return nil, cli.Usagef("reading $AWS_CA_BUNDLE: there is no certificate in %q", path)
	}
	return pool, nil
}
