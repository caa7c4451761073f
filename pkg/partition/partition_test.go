package partition_test

import (
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/partition"
)

func TestOfRegion(t *testing.T) {
	for region, want := range map[string]string{
		"eu-west-2":      "aws",
		"cn-north-1":     "aws-cn",
		"us-gov-west-1":  "aws-us-gov",
		"us-isob-east-1": "aws-iso-b",
		"aws-global":     "",
		"":               "",
	} {
		p, err := partition.OfRegion(region)
		if (err == nil) != (want != "") || p.Name != want {
			t.Errorf("%q: %q, %v; want %q", region, p.Name, err, want)
		}
	}
}

func TestIsUsual(t *testing.T) {
	for region, want := range map[string]bool{
		"eu-west-2": true, "us-gov-east-1": true, "us-isob-east-1": true, "ap-southeast-7": true, "eusc-de-east-1": true,
		"eu-wst-2": false, "us-east-01": false, "us-east-0": false, "us-east-x": false, "east-1": false, "1": false, "": false,
	} {
		if got := partition.IsUsual(region); got != want {
			t.Errorf("%q: %v, want %v", region, got, want)
		}
	}
}

// TestRegionLength checks the bound on what a token can make the server hold.
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
