package partition_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/partition"
)

func TestSTSEndpoint(t *testing.T) {
	plain, fips := partition.Variant{}, partition.Variant{FIPS: true}
	dual, both := partition.Variant{DualStack: true}, partition.Variant{FIPS: true, DualStack: true}
	for _, test := range []struct {
		region  string
		variant partition.Variant
		host    string // empty: an error
		signer  string
	}{
		{"eu-west-2", plain, "sts.eu-west-2.amazonaws.com", "eu-west-2"},
		{"eu-west-2", fips, "sts-fips.eu-west-2.amazonaws.com", "eu-west-2"},
		{"eu-west-2", dual, "sts.eu-west-2.api.aws", "eu-west-2"},
		{"eu-west-2", both, "sts-fips.eu-west-2.api.aws", "eu-west-2"},
		{"us-gov-west-1", plain, "sts.us-gov-west-1.amazonaws.com", "us-gov-west-1"},
		{"us-gov-west-1", fips, "sts.us-gov-west-1.amazonaws.com", "us-gov-west-1"}, // the plain host is FIPS
		{"us-gov-west-1", both, "sts-fips.us-gov-west-1.api.aws", "us-gov-west-1"},
		{"cn-north-1", dual, "sts.cn-north-1.api.amazonwebservices.com.cn", "cn-north-1"},
		{"aws-global", plain, "sts.amazonaws.com", "us-east-1"},
		{"aws-global", fips, "", ""},
		{"aws-global", dual, "", ""},
		{"aws-cn-global", plain, "", ""},
		{"", plain, "", ""},
	} {
		host, signer, err := partition.STSEndpoint(test.region, test.variant)
		if host != test.host || signer != test.signer || (err == nil) != (test.host != "") {
			t.Errorf("%q %+v: %q, %q, %v; want %q, %q", test.region, test.variant, host, signer, err, test.host, test.signer)
		}
	}
}

// TestSTSRegionReadsBack checks that a server recognizes every host that a client
// can be configured to use.
func TestSTSRegionReadsBack(t *testing.T) {
	for _, region := range []string{
		"aws-global", "eu-west-2", "cn-north-1", "us-gov-east-1", "us-iso-east-1", "us-isob-east-1", "eu-isoe-west-1", "us-isof-south-1", "eusc-de-east-1",
	} {
		for _, variant := range []partition.Variant{{}, {FIPS: true}, {DualStack: true}, {FIPS: true, DualStack: true}} {
			host, signer, err := partition.STSEndpoint(region, variant)
			if region == partition.Global && variant != (partition.Variant{}) {
				if err == nil || !strings.Contains(err.Error(), "us-east-1") {
					t.Errorf("%s %+v: %v", region, variant, err)
				}
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			p, err := partition.OfRegion(signer)
			if err != nil {
				t.Fatal(err)
			}
			if got, ok := p.STSRegion(host); !ok || got != signer {
				t.Errorf("%s: %q, %v; want %q", host, got, ok, signer)
			}
		}
	}
}

func TestSTSHosts(t *testing.T) {
	for region, want := range map[string][]string{
		"eu-west-2":      {"sts.eu-west-2.amazonaws.com", "sts.eu-west-2.api.aws", "sts-fips.eu-west-2.amazonaws.com", "sts-fips.eu-west-2.api.aws"},
		"us-east-1":      {"sts.us-east-1.amazonaws.com", "sts.amazonaws.com", "sts.us-east-1.api.aws", "sts-fips.us-east-1.amazonaws.com", "sts-fips.us-east-1.api.aws"},
		"us-gov-west-1":  {"sts.us-gov-west-1.amazonaws.com", "sts.us-gov-west-1.api.aws", "sts-fips.us-gov-west-1.api.aws"},
		"eusc-de-east-1": {"sts.eusc-de-east-1.amazonaws.eu", "sts.eusc-de-east-1.api.amazonwebservices.eu", "sts-fips.eusc-de-east-1.amazonaws.eu", "sts-fips.eusc-de-east-1.api.amazonwebservices.eu"},
	} {
		p, err := partition.OfRegion(region)
		if err != nil {
			t.Fatal(err)
		}
		hosts := p.STSHosts(region)
		if !slices.Equal(hosts, want) {
			t.Errorf("%s: %v, want %v", region, hosts, want)
		}
		for _, host := range hosts {
			if got, ok := p.STSRegion(host); !ok || got != region {
				t.Errorf("%s: host %s is of region %q", region, host, got)
			}
		}
	}
}
