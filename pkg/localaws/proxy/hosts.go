package proxy

import (
	"slices"
	"strings"
)

// awsSuffixes returns the domains of AWS's endpoints in all partitions.
func awsSuffixes() []string {
	return []string{
		"amazonaws.com", "api.aws",
		"amazonaws.com.cn", "api.amazonwebservices.com.cn",
		"c2s.ic.gov", "api.aws.ic.gov",
		"sc2s.sgov.gov", "api.aws.scloud",
		"cloud.adc-e.uk", "api.cloud-aws.adc-e.uk",
		"csp.hci.ic.gov", "api.aws.hci.ic.gov",
		"amazonaws.eu", "api.amazonwebservices.eu",
	}
}

// IsAWS reports whether a host name, without port, is in one of AWS's domains.
func IsAWS(host string) bool {
	host = strings.ToLower(host)
	if len(host) > 253 || strings.Trim(host, "abcdefghijklmnopqrstuvwxyz0123456789-.") != "" {
		return false
	}
	return slices.ContainsFunc(awsSuffixes(), func(suffix string) bool { return strings.HasSuffix(host, "."+suffix) })
}
