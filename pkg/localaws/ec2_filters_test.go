package localaws_test

import (
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

func TestEC2FilterValues(t *testing.T) {
	const zones = "Filter.1.Name=zone-name Filter.1.Value.1="
	makeSteps(t, start(t, localaws.Config{}), []ec2Step{
		{"DescribeAvailabilityZones", zones + "eu-west-2?", "<zoneName>eu-west-2c", ""},
		{"DescribeAvailabilityZones", zones + `\e*-2\a`, "<zoneName>eu-west-2a", ""},
		{"DescribeAvailabilityZones", zones + `eu-west-2\*`, "<availabilityZoneInfo></availabilityZoneInfo>", ""},
		{"DescribeAvailabilityZones", zones + strings.Repeat("*", 255), "<zoneName>eu-west-2a", ""},
		{"DescribeAvailabilityZones", zones + strings.Repeat("é", 255), "<availabilityZoneInfo></availabilityZoneInfo>", ""},
		{"DescribeAvailabilityZones", zones + strings.Repeat("é", 256), "FilterLimitExceeded", ""},
	})
}
