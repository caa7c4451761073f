package settings

import (
	"fmt"
	"net"
	"strconv"
	"strings"

	"github.com/spf13/pflag"

	"github.com/kube-iam/authenticator/internal/cli"
	"github.com/kube-iam/authenticator/pkg/partition"
	"github.com/kube-iam/authenticator/pkg/token"
)

// STS says which STS endpoints tokens may name.
type STS struct {
	Partition       string
	STSRegions      []string
	STSEndpoint     string
	STSEndpointDial string
}

// AddFlags adds the flags of STS.
func (o *STS) AddFlags(flags *pflag.FlagSet) {
	flags.StringVar(&o.Partition, "partition", "aws", "AWS partition of the identities: "+strings.Join(partition.Names(), ", "))
	flags.StringSliceVar(&o.STSRegions, "sts-region", nil, "region of the STS endpoints that tokens may name (repeatable; default: every region of the partition)")
	flags.StringVar(&o.STSEndpoint, "sts-endpoint", "", "URL of an additional trusted STS endpoint, as clients set it in AWS_ENDPOINT_URL; only for a local AWS: whoever controls the endpoint can sign in as anybody")
	flags.StringVar(&o.STSEndpointDial, "sts-endpoint-dial", "", "HOST:PORT to connect to instead of an http --sts-endpoint, for a server in a container; the connection is not encrypted, so use it only on a network of this machine")
}

// Hosts returns the hosts of the endpoints.
func (o *STS) Hosts() (token.Hosts, error) {
	hosts, err := token.NewHosts(o.Partition, o.STSRegions...)
	if err != nil {
		flag := "--sts-region"
		if _, unknown := partition.Named(o.Partition); unknown != nil {
			flag = "--partition"
		}
		return token.Hosts{}, cli.Usagef("%s: %w", flag, err)
	}
	if o.STSEndpoint == "" {
		return hosts, nil
	}
	if hosts, err = hosts.WithEndpoint(o.STSEndpoint); err != nil {
		return token.Hosts{}, cli.Usagef("--sts-endpoint: %w", err)
	}
	return hosts, nil
}

// Warnings returns what is odd about the regions.
func (o *STS) Warnings() (warnings []string) {
	for _, region := range o.STSRegions {
		if of, err := partition.OfRegion(region); err == nil && of.Name != o.Partition {
			warnings = append(warnings, fmt.Sprintf("--sts-region %s: it is a region of partition %s, but --partition is %s; nobody can sign in through it", region, of.Name, o.Partition))
		} else if !partition.IsUsual(region) {
			warnings = append(warnings, "--sts-region "+region+": AWS has no region with such a name today (expected one like eu-west-2); if it is misspelt, nobody can sign in through the region that you mean")
		}
	}
	return warnings
}

// NamedHosts returns the STS hosts that the flags name, most important first: the
// endpoint, then the plain host of each region, then the variants.
func (o *STS) NamedHosts() []string {
	var named, variants []string
	if _, host, ok := strings.Cut(strings.TrimSuffix(o.STSEndpoint, "/"), "://"); ok {
		named = append(named, host)
	}
	if p, err := partition.Named(o.Partition); err == nil { // hosts has checked it
		for _, region := range o.STSRegions {
			hosts := p.STSHosts(region)
			named, variants = append(named, hosts[0]), append(variants, hosts[1:]...)
		}
	}
	return append(named, variants...)
}

// DialAddresses returns the address to connect to instead of the endpoint, by the endpoint's
// host and port; nil to connect to the endpoint itself.
func (o *STS) DialAddresses() (map[string]string, error) {
	if o.STSEndpointDial == "" {
		return nil, nil
	}
	// An http endpoint is on loopback and so never goes through a proxy, which would
	// ignore the address.
	endpoint, ok := strings.CutPrefix(strings.TrimSuffix(o.STSEndpoint, "/"), "http://")
	if !ok {
		return nil, cli.Usagef("--sts-endpoint-dial requires an http --sts-endpoint (expected one like http://127.0.0.1:4566)")
	}
	if host, port, err := net.SplitHostPort(o.STSEndpointDial); err != nil || host == "" || !isPort(port) {
		return nil, cli.Usagef("--sts-endpoint-dial %q is not HOST:PORT (expected one like 172.18.0.1:4566)", o.STSEndpointDial)
	}
	if _, _, err := net.SplitHostPort(endpoint); err != nil { // it has no port
		endpoint += ":80"
	}
	return map[string]string{endpoint: o.STSEndpointDial}, nil
}

func isPort(text string) bool {
	port, err := strconv.ParseUint(text, 10, 16)
	return err == nil && port > 0
}
