package localaws_test

import (
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

func oneInstance() string {
	return "MinCount=1 MaxCount=1 InstanceType=t3.micro ImageId=" + image + " "
}

// TestLaunchParameters checks that a launch keeps what it is asked for, or is refused.
func TestLaunchParameters(t *testing.T) {
	s := start(t, localaws.Config{})
	steps := []ec2Step{
		{"RunInstances", oneInstance() + "Monitoring.Enabled=true EbsOptimized=true", "<monitoring><state>enabled", ""},
		{"DescribeInstances", "", "<ebsOptimized>true", ""},
		{"DescribeInstances", "Filter.1.Name=monitoring-state Filter.1.Value.1=enabled", "<state>enabled", ""},
		{"CreateLaunchTemplate", "LaunchTemplateName=t-1 LaunchTemplateData.CreditSpecification.CpuCredits=nonsense", "InvalidParameterValue", ""},
		{"CreateLaunchTemplate", "LaunchTemplateName=t-1 LaunchTemplateData.Placement.Tenancy=dedicated", "<launchTemplateName>t-1", ""},
		{"RunInstances", oneInstance() + "LaunchTemplate.LaunchTemplateName=t-1", "InvalidParameterValue", ""},
	}
	for _, parameter := range []string{
		"Placement.Tenancy=dedicated", "CreditSpecification.CpuCredits=nonsense", "NetworkInterface.1.AssociatePublicIpAddress=true",
		"NetworkInterface.1.DeleteOnTermination=false", "NetworkInterface.1.Description=d", "NetworkInterface.1.DeviceIndex=3",
		"DisableApiTermination=true", "DisableApiStop=true",
	} {
		steps = append(steps, ec2Step{"RunInstances", oneInstance() + parameter, "InvalidParameterValue", ""})
	}
	for _, parameter := range []string{
		"Placement.Tenancy=default", "CreditSpecification.CpuCredits=unlimited", "NetworkInterface.1.AssociatePublicIpAddress=false",
		"NetworkInterface.1.DeleteOnTermination=true", "NetworkInterface.1.DeviceIndex=0", "Monitoring.Enabled=false",
	} {
		steps = append(steps, ec2Step{"RunInstances", oneInstance() + parameter, "<monitoring><state>disabled", ""})
	}
	makeSteps(t, s, steps)
}

func TestBlockDevices(t *testing.T) {
	const key = "Ebs.KmsKeyId=k"
	makeSteps(t, start(t, localaws.Config{}), []ec2Step{
		{"RunInstances", oneInstance() + "BlockDeviceMapping.1.DeviceName=/dev/sdf BlockDeviceMapping.1.Ebs.VolumeSize=1 BlockDeviceMapping.1." + key, "InvalidParameterDependency", ""},
		{"RunInstances", oneInstance() + "BlockDeviceMapping.1.DeviceName=/dev/sdf BlockDeviceMapping.1.Ebs.VolumeSize=1 BlockDeviceMapping.2.DeviceName=/dev/sdf BlockDeviceMapping.2.Ebs.VolumeSize=2", "InvalidBlockDeviceMapping", ""},
		{"RunInstances", oneInstance() + "BlockDeviceMapping.1.DeviceName=/dev/sdf BlockDeviceMapping.1.Ebs.VolumeSize=1 BlockDeviceMapping.1.Ebs.Encrypted=true", "<instanceId>", ""},
		{"DescribeVolumes", "Filter.1.Name=encrypted Filter.1.Value.1=true", "<kmsKeyId>arn:aws:kms:eu-west-2:" + account + ":alias/aws/ebs<", ""},
		{"CreateVolume", "AvailabilityZone=eu-west-2a Size=1 KmsKeyId=k", "InvalidParameterDependency", ""},
	})
}

// TestReplays checks that a call with the client token of another makes nothing.
func TestReplays(t *testing.T) {
	s := start(t, localaws.Config{})
	known := makeSteps(t, s, append(privateNetwork(), ec2Step{"CreateLaunchTemplate", "LaunchTemplateName=t-1 LaunchTemplateData.InstanceType=t3.micro", "", "lt=launchTemplateId"}))
	for _, test := range []struct{ operation, parameters, other, element string }{
		{"CreateRouteTable", "VpcId=$vpc", "TagSpecification.1.ResourceType=route-table TagSpecification.1.Tag.1.Key=k", "routeTableId"},
		{"CreateLaunchTemplate", "LaunchTemplateName=t-2 LaunchTemplateData.InstanceType=t3.micro", "VersionDescription=d", "launchTemplateId"},
		{"CreateLaunchTemplateVersion", "LaunchTemplateId=$lt LaunchTemplateData.InstanceType=t3.small", "VersionDescription=d", "versionNumber"},
		{"CreateVolume", "AvailabilityZone=eu-west-2a Size=1", "VolumeType=gp3", "volumeId"},
		{"CreateNatGateway", "SubnetId=$subnet ConnectivityType=private PrivateIpAddress=10.0.0.9", "AvailabilityMode=zonal", "natGatewayId"},
		{"RunInstances", oneInstance() + "SubnetId=$subnet PrivateIpAddress=10.0.0.10", "KeyName=", "instanceId"},
	} {
		parameters := test.parameters + " ClientToken=c"
		for name, value := range known {
			parameters = strings.ReplaceAll(parameters, "$"+name, value)
		}
		call := func(more ...string) ec2Answer {
			return callEC2(t, s, test.operation, append(strings.Fields(parameters), more...)...)
		}
		first, again := call(), call()
		if id := first.first(test.element); id == "" || again.first(test.element) != id {
			t.Errorf("%s: %s, again %s", test.operation, first.text, again.text)
		}
		if got := call(strings.Fields(test.other)...); got.code != "IdempotentParameterMismatch" {
			t.Errorf("%s with %s: %s", test.operation, test.other, got.text)
		}
		switch test.operation {
		case "CreateRouteTable", "CreateNatGateway":
			if first.first("clientToken") != "c" || again.first("clientToken") != "c" {
				t.Errorf("%s: no client token in %s", test.operation, first.text)
			}
		case "RunInstances":
			for name, value := range known {
				test.parameters = strings.ReplaceAll(test.parameters, "$"+name, value)
			}
			if got := callEC2(t, s, test.operation, strings.Fields(test.parameters)...); got.code != "InvalidIPAddress.InUse" {
				t.Errorf("an address twice: %s", got.text)
			}
		}
	}
}

func TestLaunchTemplateVersionsAreDeletedOneByOne(t *testing.T) {
	makeSteps(t, start(t, localaws.Config{}), []ec2Step{
		{"CreateLaunchTemplate", "LaunchTemplateName=t-1 LaunchTemplateData.InstanceType=t3.micro", "", "lt=launchTemplateId"},
		{"CreateLaunchTemplateVersion", "LaunchTemplateId=$lt LaunchTemplateData.InstanceType=t3.micro", "", ""},
		{"DeleteLaunchTemplateVersions", "LaunchTemplateId=$lt LaunchTemplateVersion.1=7 LaunchTemplateVersion.2=2",
			"<versionNumber>7</versionNumber><responseError><code>launchTemplateVersionDoesNotExist</code>", ""},
		{"DescribeLaunchTemplateVersions", "LaunchTemplateId=$lt LaunchTemplateVersion.1=2", "InvalidLaunchTemplateId.VersionNotFound", ""},
		{"DeleteLaunchTemplateVersions", "LaunchTemplateId=$lt LaunchTemplateVersion.1=x", "InvalidLaunchTemplateId.VersionNotFound", ""},
		{"DeleteLaunchTemplateVersions", "LaunchTemplateId=$lt LaunchTemplateVersion.1=1", "InvalidParameterValue", ""},
	})
}

func TestPageSizes(t *testing.T) {
	var steps []ec2Step
	for operation, sizes := range map[string][4]string{ // the bounds, and one less and one more
		"DescribeLaunchTemplates": {"1", "200", "0", "201"}, "DescribeRouteTables": {"5", "100", "4", "101"},
		"DescribeInstanceTypes": {"5", "100", "4", "101"}, "DescribeSubnets": {"5", "1000", "4", "1001"},
	} {
		for n, size := range sizes {
			want := ""
			if n >= 2 {
				want = "InvalidParameterValue"
			}
			steps = append(steps, ec2Step{operation, "MaxResults=" + size, want, ""})
		}
	}
	makeSteps(t, start(t, localaws.Config{}), append(steps,
		ec2Step{"DescribeAccountAttributes", "AttributeName.1=max-instances AttributeName.2=max-instances", "<attributeName>max-instances", ""},
		ec2Step{"DescribeAccountAttributes", "AttributeName.1=max-instances AttributeName.2=x", "InvalidParameterValue", ""}))
}
