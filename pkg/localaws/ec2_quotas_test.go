package localaws_test

import (
	"encoding/base64"
	"strconv"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

// TestEC2Quotas makes as many of each kind as there can be. The next one is rejected with
// AWS's code, until one is deleted.
func TestEC2Quotas(t *testing.T) {
	key := base64.StdEncoding.EncodeToString([]byte("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJmhjKmwiM5Qnl5uzSmn9ER28VNuZVTlNiFgvUOVnyZs"))
	for _, test := range []struct {
		// parameters has # for a number that differs from call to call.
		operation, parameters string
		have, limit           int // those that there are before
		code, says            string
		// remove deletes $1, the contents of the element of the first answer.
		remove, element string
	}{
		{"CreateSubnet", "VpcId=$vpc CidrBlock=10.0.#.0/24", 0, 200, "SubnetLimitExceeded", "The maximum number of subnets", "DeleteSubnet SubnetId=$1", "subnetId"},
		{"CreateRouteTable", "VpcId=$vpc", 2, 200, "RouteTableLimitExceeded", "The maximum number of route tables", "DeleteRouteTable RouteTableId=$1", "routeTableId"},
		{"CreateRoute", "RouteTableId=$rtb DestinationCidrBlock=20.#.0.0/16 GatewayId=$igw", 0, 50, "RouteLimitExceeded", "The maximum number of routes", "DeleteRoute RouteTableId=$rtb DestinationCidrBlock=20.0.0.0/16", ""},
		{"CreateInternetGateway", "", 2, 5, "InternetGatewayLimitExceeded", "The maximum number of internet gateways", "DeleteInternetGateway InternetGatewayId=$1", "internetGatewayId"},
		{"CreateSecurityGroup", "GroupName=group-# GroupDescription=d VpcId=$vpc", 3, 500, "SecurityGroupLimitExceeded", "localaws keeps 500 security groups", "DeleteSecurityGroup GroupId=$1", "groupId"},
		{"AuthorizeSecurityGroupIngress", "GroupId=$sg IpProtocol=tcp FromPort=# ToPort=# CidrIp=10.0.0.0/8", 0, 60, "RulesPerSecurityGroupLimitExceeded", "The maximum number of rules", "RevokeSecurityGroupIngress GroupId=$sg SecurityGroupRuleId.1=$1", "securityGroupRuleId"},
		{"AuthorizeSecurityGroupEgress", "GroupId=$sg IpPermissions.1.IpProtocol=tcp IpPermissions.1.FromPort=# IpPermissions.1.ToPort=# IpPermissions.1.IpRanges.1.CidrIp=10.0.0.0/8", 1, 60, "RulesPerSecurityGroupLimitExceeded", "The maximum number of rules", "RevokeSecurityGroupEgress GroupId=$sg SecurityGroupRuleId.1=$1", "securityGroupRuleId"},
		{"CreateLaunchTemplate", "LaunchTemplateName=template-# LaunchTemplateData.InstanceType=t3.micro", 1, 500, "MaxTemplateLimitExceeded", "localaws keeps 500 launch templates", "DeleteLaunchTemplate LaunchTemplateId=$1", "launchTemplateId"},
		{"CreateLaunchTemplateVersion", "LaunchTemplateId=$lt LaunchTemplateData.InstanceType=t3.micro", 1, 100, "MaxTemplateVersionLimitExceeded", "localaws keeps 100 versions", "DeleteLaunchTemplateVersions LaunchTemplateId=$lt LaunchTemplateVersion.1=2", ""},
		{"CreateVolume", "AvailabilityZone=eu-west-2a Size=1", 0, 1000, "VolumeLimitExceeded", "localaws keeps 1000 volumes", "DeleteVolume VolumeId=$1", "volumeId"},
		{"ImportKeyPair", "KeyName=key-# PublicKeyMaterial=" + key, 0, 500, "KeyPairLimitExceeded", "localaws keeps 500 key pairs", "DeleteKeyPair KeyPairId=$1", "keyPairId"},
	} {
		t.Run(test.operation, func(t *testing.T) {
			t.Parallel()
			s := start(t, localaws.Config{})
			known := makeSteps(t, s, append(privateNetwork(), []ec2Step{
				{"DeleteSubnet", "SubnetId=$subnet", "", ""},
				{"AttachInternetGateway", "InternetGatewayId=$igw VpcId=$vpc", "", ""},
				{"CreateSecurityGroup", "GroupName=g GroupDescription=d VpcId=$vpc", "", "sg=groupId"},
				{"CreateLaunchTemplate", "LaunchTemplateName=first LaunchTemplateData.InstanceType=t3.micro", "", "lt=launchTemplateId"},
			}...))
			beyond := strconv.Itoa(test.limit)
			call := func(operation, parameters, number string) ec2Answer {
				for name, value := range known {
					parameters = strings.ReplaceAll(parameters, "$"+name, value)
				}
				return callEC2(t, s, operation, strings.Fields(strings.ReplaceAll(parameters, "#", number))...)
			}
			for i := range test.limit - test.have {
				made := call(test.operation, test.parameters, strconv.Itoa(i))
				if made.code != "" {
					t.Fatalf("number %d of %d: %s %s", test.have+i+1, test.limit, made.code, made.message)
				}
				if i == 0 {
					known["1"] = made.first(test.element)
				}
			}
			if got := call(test.operation, test.parameters, beyond); got.code != test.code || !strings.HasPrefix(got.message, test.says) {
				t.Errorf("one more than %d: %s %s, want %s %s", test.limit, got.code, got.message, test.code, test.says)
			}
			operation, parameters, _ := strings.Cut(test.remove, " ")
			if got := call(operation, parameters, ""); got.code != "" {
				t.Errorf("%s: %s %s", test.remove, got.code, got.message)
			}
			if got := call(test.operation, test.parameters, beyond); got.code != "" {
				t.Errorf("after %s: %s %s", test.remove, got.code, got.message)
			}
		})
	}
}
