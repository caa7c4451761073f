package partition_test

import (
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/partition"
)

func TestOfRegion(t *testing.T) {
	for region, want := range map[string]string{
		"eu-west-2":      "sts.eu-west-2.amazonaws.com",
		"cn-north-1":     "sts.cn-north-1.amazonaws.com.cn",
		"us-gov-west-1":  "sts.us-gov-west-1.amazonaws.com",
		"us-isob-east-1": "sts.us-isob-east-1.sc2s.sgov.gov",
		"aws-global":     "",
		"":               "",
	} {
		p, err := partition.OfRegion(region)
		if (err == nil) != (want != "") {
			t.Errorf("%q: %v", region, err)
		} else if err == nil && p.STSHost(region) != want {
			t.Errorf("%q: %q, want %q", region, p.STSHost(region), want)
		}
	}
}

// TestRegionLength holds the bound on what a token can make the server hold.
func TestRegionLength(t *testing.T) {
	aws, err := partition.Named("aws")
	if err != nil {
		t.Fatal(err)
	}
	longest := "eu-" + strings.Repeat("x", partition.MaxRegionLength-len("eu--1")) + "-1"
	for region, want := range map[string]bool{longest: true, longest + "1": false} {
		if aws.Has(region) != want || partition.IsRegion(region) != want {
			t.Errorf("%d characters: %v, %v; want %v", len(region), aws.Has(region), partition.IsRegion(region), want)
		}
	}
}

func TestNamed(t *testing.T) {
	if _, err := partition.Named("azure"); err == nil || !strings.Contains(err.Error(), "aws-us-gov") {
		t.Errorf("an unknown partition: %v", err)
	}
}
