package token_test

import (
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/token"
)

func TestHosts(t *testing.T) {
	for _, test := range []struct{ partition, host, region string }{
		{"aws", "sts.amazonaws.com", "us-east-1"},
		{"aws", "sts.eu-west-2.amazonaws.com", "eu-west-2"},
		{"aws", "sts.il-central-1.amazonaws.com", "il-central-1"},
		{"aws", "sts.mx-central-1.api.aws", "mx-central-1"},
		{"aws", "sts-fips.us-east-2.amazonaws.com", "us-east-2"},
		{"aws", "sts-fips.us-east-2.api.aws", "us-east-2"},
		{"aws", "sts.us-gov-west-1.amazonaws.com", ""},
		{"aws", "sts.cn-north-1.amazonaws.com.cn", ""},
		{"aws", "sts.us-iso-east-1.c2s.ic.gov", ""},
		{"aws", "sts.us-west-2.amazonaws.com.cn", ""},
		{"aws", "", ""},
		{"aws-cn", "sts.cn-northwest-1.amazonaws.com.cn", "cn-northwest-1"},
		{"aws-cn", "sts-fips.cn-north-1.amazonaws.com.cn", "cn-north-1"},
		{"aws-cn", "sts.cn-north-1.api.amazonwebservices.com.cn", "cn-north-1"},
		{"aws-cn", "sts.amazonaws.com", ""},
		{"aws-cn", "sts.cn-north-1.amazonaws.com", ""},
		{"aws-us-gov", "sts.us-gov-east-1.amazonaws.com", "us-gov-east-1"},
		{"aws-us-gov", "sts-fips.us-gov-east-1.amazonaws.com", ""}, // the plain host is the FIPS one
		{"aws-us-gov", "sts-fips.us-gov-east-1.api.aws", "us-gov-east-1"},
		{"aws-us-gov", "sts.us-east-1.amazonaws.com", ""},
		{"aws-iso", "sts.us-iso-east-1.c2s.ic.gov", "us-iso-east-1"},
		{"aws-iso", "sts.us-isob-east-1.c2s.ic.gov", ""},
		{"aws-iso-b", "sts.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1"},
		{"aws-iso-b", "sts.us-isob-east-1.api.aws.scloud", "us-isob-east-1"},
		{"aws-iso-e", "sts.eu-isoe-west-1.cloud.adc-e.uk", "eu-isoe-west-1"},
		{"aws-iso-f", "sts.us-isof-south-1.csp.hci.ic.gov", "us-isof-south-1"},
		{"aws-eusc", "sts.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"},
		{"aws-eusc", "sts.eu-west-1.amazonaws.eu", ""},
	} {
		region, ok := hostsOf(t, test.partition).Region(test.host)
		if ok != (test.region != "") || ok && region != test.region {
			t.Errorf("%s: %q is accepted: %v, region %q; want %q", test.partition, test.host, ok, region, test.region)
		}
	}
}

func TestHostsOfCertainRegions(t *testing.T) {
	hosts := hostsOf(t, "aws", "eu-west-2", "zz-new-1")
	for host, want := range map[string]bool{
		"sts.eu-west-2.amazonaws.com": true,
		"sts.zz-new-1.amazonaws.com":  true, // newer than the table
		"sts.eu-west-1.amazonaws.com": false,
		"sts.amazonaws.com":           false, // us-east-1 is not among them
	} {
		if _, ok := hosts.Region(host); ok != want {
			t.Errorf("%s is accepted: %v", host, ok)
		}
	}
	if _, ok := hostsOf(t, "aws", "us-east-1").Region("sts.amazonaws.com"); !ok {
		t.Error("the global host is not accepted with us-east-1")
	}
	// An empty list, as an empty flag or key gives it, restricts nothing.
	if _, ok := hostsOf(t, "aws", []string{}...).Region("sts.eu-west-2.amazonaws.com"); !ok {
		t.Error("an empty list of regions accepts no host")
	}
}

func TestNewHostsRefuses(t *testing.T) {
	if _, err := token.NewHosts("aws-mars"); err == nil {
		t.Error("partition aws-mars is accepted")
	}
	for _, region := range []string{"", "eu", "eu-west", "EU-WEST-2", "eu-west-2.evil.example", "*"} {
		if _, err := token.NewHosts("aws", region); err == nil {
			t.Errorf("region %q is accepted", region)
		}
	}
	if _, ok := (token.Hosts{}).Region("sts.amazonaws.com"); ok {
		t.Error("the zero value accepts a host")
	}
}

func TestWithEndpointRefuses(t *testing.T) {
	for _, endpoint := range []string{
		"", "/", "127.0.0.1:4566", "localhost:4566", "//127.0.0.1:4566", "http:127.0.0.1", "http://", "https:///", // no scheme or no host
		"http://127.0.0.1:4566/x", "http://127.0.0.1:4566//", "http://127.0.0.1:4566?x", "http://127.0.0.1:4566/?", "http://127.0.0.1:4566#", // more than that
		"http://user@127.0.0.1:4566", "http://user:pw@127.0.0.1:4566", " http://127.0.0.1:4566", "http://127.0.0.1:4566\n",
		"HTTP://127.0.0.1:4566", "http://LOCALHOST:4566", "https://STS.lab.example", "http://[::1%25lo]:4566", "http://ⅼocalhost:4566", "https://sts%2elab.example", // another spelling
		"http://127.0.0.1:", "http://127.0.0.1:0", "http://127.0.0.1:65536", "http://127.0.0.1:04566", "http://127.0.0.1:80", "https://sts.lab.example:443", // no port to sign
		"ftp://127.0.0.1:4566", "http://sts.lab.example", "http://localhost.evil.example:4566", "http://10.0.0.1:4566", "http://[::2]:4566", "http://127.1:4566", // http beyond loopback
		"https://sts.amazonaws.com", "https://sts.eu-west-2.amazonaws.com", // AWS's own
	} {
		hosts, err := hostsOf(t, "aws").WithEndpoint(endpoint)
		if err == nil {
			t.Errorf("%q is accepted", endpoint)
			continue
		}
		if hosts.Endpoint() != "" || hosts.Partition() != "" {
			t.Errorf("%q is refused, and yet %+v is answered", endpoint, hosts)
		}
		if strings.Contains(err.Error(), "pw@") {
			t.Errorf("%v gives a password away", err)
		}
	}
}
