package account

import (
	"strings"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/pattern"
)

// regionPattern matches the names of AWS's regions, and of those that AWS may add: an area,
// a direction and a number.
var regionPattern = pattern.New(`^(us|eu|ap|sa|ca|me|af|il|mx|cn|us-gov|us-iso[bf]?|eu-isoe|eusc-de)-(central|north|south|(north|south)?(east|west))-\d{1,2}$`)

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

// GlobalRegions returns the partitions, each with the region that signatures for its
// global endpoints name.
func GlobalRegions() map[string]string {
	return map[string]string{
		"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1", "aws-eusc": "eusc-de-east-1",
		"aws-iso": "us-iso-east-1", "aws-iso-b": "us-isob-east-1", "aws-iso-e": "eu-isoe-west-1", "aws-iso-f": "us-isof-south-1",
	}
}
