package account

import (
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
)

var regionPattern = pattern.New(`^[a-z]{2,4}(-[a-z]+)+-\d+$`)

// PartitionOf returns the partition of a region, by its prefix, and whether the name
// is one of a region.
func PartitionOf(region string) (partition string, ok bool) {
	if !regionPattern.MatchString(region) {
		return "", false
	}
	for _, p := range []struct{ prefix, partition string }{
		{"cn-", "aws-cn"}, {"us-gov-", "aws-us-gov"}, {"us-isob-", "aws-iso-b"}, {"us-isof-", "aws-iso-f"},
		{"us-iso-", "aws-iso"}, {"eu-isoe-", "aws-iso-e"}, {"eusc-", "aws-eusc"},
	} {
		if strings.HasPrefix(region, p.prefix) {
			return p.partition, true
		}
	}
	return "aws", true
}

// GlobalRegion returns the region that signatures for the global endpoints of a
// partition name.
func GlobalRegion(partition string) string {
	switch partition {
	case "aws-cn":
		return "cn-north-1"
	case "aws-us-gov":
		return "us-gov-west-1"
	default:
		return "us-east-1"
	}
}
