package partition

import (
	"errors"
	"strings"
)

const (
	// Global takes the place of a region in the configuration of clients that use
	// the global STS endpoint of partition aws.
	Global = "aws-global"
	// globalSigner is the region that signs for the global STS endpoint.
	globalSigner = "us-east-1"
)

// Variant selects a kind of STS endpoint of a region. The zero value is the plain
// one.
type Variant struct {
	// FIPS endpoints use only cryptography that FIPS 140 has validated.
	FIPS bool
	// DualStack endpoints have IPv4 and IPv6 addresses.
	DualStack bool
}

// STSEndpoint returns the host of the STS endpoint for a region, or for [Global],
// and the region that signs for it.
func STSEndpoint(region string, v Variant) (host, signer string, err error) {
	if region == Global {
		return globalEndpoint(v)
	}
	p, err := OfRegion(region)
	if err != nil {
		return "", "", err
	}
	return p.STSHost(region, v), region, nil
}

func globalEndpoint(v Variant) (host, signer string, err error) {
	if v != (Variant{}) {
		return "", "", errors.New("the global STS endpoint (region " + Global + ") has no FIPS and no dual-stack variant: use a region such as " + globalSigner)
	}
	p, err := OfRegion(globalSigner)
	return p.global, globalSigner, err
}

// STSHosts returns every host that [Partition.STSRegion] takes for the region, the
// plain one first.
func (p Partition) STSHosts(region string) []string {
	hosts := []string{p.STSHost(region, Variant{})}
	if region == globalSigner && p.global != "" {
		hosts = append(hosts, p.global)
	}
	for _, v := range []Variant{{DualStack: true}, {FIPS: true}, {FIPS: true, DualStack: true}} {
		if host := p.STSHost(region, v); host != hosts[0] { // some plain hosts are the FIPS ones
			hosts = append(hosts, host)
		}
	}
	return hosts
}

// STSHost returns a region's STS endpoint: the inverse of STSRegion.
func (p Partition) STSHost(region string, v Variant) string {
	service, suffix := "sts", p.suffix
	if v.DualStack {
		suffix = p.dualStack
	}
	if v.FIPS && (v.DualStack || !p.plainIsFIPS) {
		service = "sts-fips"
	}
	return service + "." + region + "." + suffix
}

// STSRegion returns the region of an STS endpoint and reports whether the host has
// the form of one. It does not check that the partition has the region:
// [Partition.Has] does.
func (p Partition) STSRegion(host string) (region string, ok bool) {
	if host == "" || p.Name == "" {
		return "", false
	}
	if host == p.global {
		return globalSigner, true
	}
	service, rest, _ := strings.Cut(host, ".")
	region, suffix, _ := strings.Cut(rest, ".")
	switch {
	case suffix != p.suffix && suffix != p.dualStack:
		return "", false
	case service == "sts":
		return region, true
	case service == "sts-fips":
		return region, !p.plainIsFIPS || suffix == p.dualStack
	default:
		return "", false
	}
}
