package localaws_test

import (
	"testing"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

// TestGroupCharacters checks the names and the descriptions of security groups and rules.
func TestGroupCharacters(t *testing.T) {
	const valid = `a-zA-Z0-9._:/()#,@[]+=&;{}!$*`
	rule := "GroupId=$sg IpPermissions.1.IpProtocol=-1 IpPermissions.1.IpRanges.1.CidrIp=10.0.0.0/8 IpPermissions.1.IpRanges.1.Description="
	makeSteps(t, start(t, localaws.Config{}), []ec2Step{
		{"CreateSecurityGroup", "GroupName=ü GroupDescription=d", "InvalidParameterValue", ""},
		{"CreateSecurityGroup", "GroupName=a GroupDescription=ü", "InvalidParameterValue", ""},
		{"CreateSecurityGroup", "GroupName=a GroupDescription=don't", "InvalidParameterValue", ""},
		{"CreateSecurityGroup", "GroupName=" + valid + " GroupDescription=" + valid, "<return>true", "sg=groupId"},
		{"AuthorizeSecurityGroupIngress", rule + "ü", "InvalidParameterValue", ""},
		{"AuthorizeSecurityGroupIngress", rule + "don't", "InvalidParameterValue", ""},
		{"AuthorizeSecurityGroupIngress", rule + valid, "<return>true", "one=securityGroupRuleId"},
		{"ModifySecurityGroupRules", "GroupId=$sg SecurityGroupRule.1.SecurityGroupRuleId=$one SecurityGroupRule.1.SecurityGroupRule.IpProtocol=-1 SecurityGroupRule.1.SecurityGroupRule.CidrIpv4=10.0.0.0/8 SecurityGroupRule.1.SecurityGroupRule.Description=ü", "InvalidParameterValue", ""},
	})
}

// TestRevoke checks that a call names rules, and that its answer lists those that it revoked.
func TestRevoke(t *testing.T) {
	const web = "GroupId=$sg IpPermissions.1.IpProtocol=tcp IpPermissions.1.FromPort=80 IpPermissions.1.ToPort=80 IpPermissions.1.IpRanges.1.CidrIp=10.0.0.0/8"
	makeSteps(t, start(t, localaws.Config{}), []ec2Step{
		{"CreateSecurityGroup", "GroupName=g GroupDescription=d", "<return>true", "sg=groupId"},
		{"AuthorizeSecurityGroupIngress", web, "<return>true", "one=securityGroupRuleId"},
		{"RevokeSecurityGroupIngress", "GroupId=$sg", "MissingParameter", ""},
		{"RevokeSecurityGroupEgress", "GroupId=$sg", "MissingParameter", ""},
		{"RevokeSecurityGroupIngress", web + " SecurityGroupRuleId.1=$one", "<revokedSecurityGroupRuleSet><item><securityGroupRuleId>$one</securityGroupRuleId><groupId>$sg</groupId><isEgress>false</isEgress>" +
			"<ipProtocol>tcp</ipProtocol><fromPort>80</fromPort><toPort>80</toPort><cidrIpv4>10.0.0.0/8</cidrIpv4></item></revokedSecurityGroupRuleSet>", ""},
		{"RevokeSecurityGroupIngress", web, "InvalidPermission.NotFound", ""},
	})
}
