package settings

import (
	"slices"
	"strings"
	"testing"
)

func TestNamedHosts(t *testing.T) {
	for name, test := range map[string]struct {
		options STS
		want    []string
	}{
		"none": {STS{Partition: "aws"}, nil},
		"a region": {STS{Partition: "aws", STSRegions: []string{"eu-west-2"}}, []string{
			"sts.eu-west-2.amazonaws.com", "sts.eu-west-2.api.aws", "sts-fips.eu-west-2.amazonaws.com", "sts-fips.eu-west-2.api.aws",
		}},
		"regions, their plain hosts first": {STS{Partition: "aws", STSRegions: []string{"eu-west-2", "us-east-1"}}, []string{
			"sts.eu-west-2.amazonaws.com", "sts.us-east-1.amazonaws.com",
			"sts.eu-west-2.api.aws", "sts-fips.eu-west-2.amazonaws.com", "sts-fips.eu-west-2.api.aws",
			"sts.amazonaws.com", "sts.us-east-1.api.aws", "sts-fips.us-east-1.amazonaws.com", "sts-fips.us-east-1.api.aws",
		}},
		"China": {STS{Partition: "aws-cn", STSRegions: []string{"cn-north-1"}}, []string{
			"sts.cn-north-1.amazonaws.com.cn", "sts.cn-north-1.api.amazonwebservices.com.cn",
			"sts-fips.cn-north-1.amazonaws.com.cn", "sts-fips.cn-north-1.api.amazonwebservices.com.cn",
		}},
		"an endpoint": {STS{Partition: "aws", STSEndpoint: "http://127.0.0.1:4566/"}, []string{"127.0.0.1:4566"}},
		"an endpoint beside a region": {STS{Partition: "aws-us-gov", STSRegions: []string{"us-gov-west-1"}, STSEndpoint: "https://sts.example.com"}, []string{
			"sts.example.com", "sts.us-gov-west-1.amazonaws.com", "sts.us-gov-west-1.api.aws", "sts-fips.us-gov-west-1.api.aws",
		}},
	} {
		if got := test.options.NamedHosts(); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

// TestDialAddresses checks that the address replaces the one that a client dials for the
// endpoint: a host and a port.
func TestDialAddresses(t *testing.T) {
	const dial = "172.18.0.1:4566"
	for endpoint, want := range map[string]string{
		"http://127.0.0.1:4566/": "127.0.0.1:4566",
		"http://localhost":       "localhost:80",
		"http://[::1]:4566":      "[::1]:4566",
		"http://[::1]":           "[::1]:80",
	} {
		options := STS{STSEndpoint: endpoint, STSEndpointDial: dial}
		if got, err := options.DialAddresses(); err != nil || len(got) != 1 || got[want] != dial {
			t.Errorf("%s: %v, %v, want %s", endpoint, got, err, want)
		}
	}
}

// TestWarnings checks that a region is reported that cannot be the one that is meant.
func TestWarnings(t *testing.T) {
	for _, test := range []struct{ partition, region, want string }{
		{"aws", "eu-west-2", ""},
		{"aws-us-gov", "us-gov-east-1", ""},
		{"aws", "eu-wset-2", "AWS has no region with such a name today"},
		{"aws-cn", "us-east-1", "--sts-region us-east-1: it is a region of partition aws, but --partition is aws-cn; nobody can sign in through it"},
		{"aws", "us-gov-west-1", "it is a region of partition aws-us-gov, but --partition is aws"},
		{"aws-cn", "xx-east-1", ""}, // a future region
	} {
		warnings := (&STS{Partition: test.partition, STSRegions: []string{test.region}}).Warnings()
		got := strings.Join(warnings, "; ")
		if !strings.Contains(got, test.want) || (got == "") != (test.want == "") {
			t.Errorf("%s in %s: %q, want %q", test.region, test.partition, got, test.want)
		}
	}
}
