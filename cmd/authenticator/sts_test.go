package main

import (
	"slices"
	"testing"
)

func TestNamedHosts(t *testing.T) {
	for name, test := range map[string]struct {
		options stsOptions
		want    []string
	}{
		"none":        {stsOptions{partition: "aws"}, nil},
		"regions":     {stsOptions{partition: "aws", stsRegions: []string{"eu-west-2", "us-east-1"}}, []string{"sts.eu-west-2.amazonaws.com", "sts.us-east-1.amazonaws.com"}},
		"China":       {stsOptions{partition: "aws-cn", stsRegions: []string{"cn-north-1"}}, []string{"sts.cn-north-1.amazonaws.com.cn"}},
		"an endpoint": {stsOptions{partition: "aws", stsEndpoint: "http://127.0.0.1:4566/"}, []string{"127.0.0.1:4566"}},
	} {
		if got := test.options.namedHosts(); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
