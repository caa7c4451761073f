package localaws_test

import (
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/kube-iam/authenticator/pkg/localaws"
	"github.com/kube-iam/authenticator/pkg/localaws/localawstest"
)

// An ec2Answer is the answer to a call of EC2, as XML, and the code of its error.
type ec2Answer struct{ text, code, message string }

// callEC2 makes a call with parameters "Name=value".
func callEC2(t testing.TB, s *localawstest.Server, operation string, parameters ...string) ec2Answer {
	t.Helper()
	form := url.Values{"Action": {operation}, "Version": {"2016-11-15"}}
	for _, p := range parameters {
		name, value, _ := strings.Cut(p, "=")
		form.Set(name, value)
	}
	text := sendForm(t, s, s.SDK(), "ec2.eu-west-2.amazonaws.com", form.Encode(), "ec2", "eu-west-2")
	var failure struct {
		Code    string `xml:"Errors>Error>Code"`
		Message string `xml:"Errors>Error>Message"`
	}
	must(t, xml.Unmarshal([]byte(text), &failure))
	return ec2Answer{text, failure.Code, failure.Message}
}

// all returns the contents of the elements with a name.
func (a ec2Answer) all(name string) (found []string) {
	for rest := a.text; ; {
		_, after, ok := strings.Cut(rest, "<"+name+">")
		if !ok {
			return found
		}
		value, next, _ := strings.Cut(after, "</"+name+">")
		found, rest = append(found, value), next
	}
}

func (a ec2Answer) first(name string) string {
	if all := a.all(name); len(all) > 0 {
		return all[0]
	}
	return ""
}

// TestDefaultVPC checks that a region has the same default VPC at every call, also in
// an account whose state was written before there were any.
func TestDefaultVPC(t *testing.T) {
	s := start(t, localaws.Config{})
	again := start(t, localaws.Config{})
	for operation, elements := range map[string][]string{
		"DescribeVpcs":                 {"vpcId", "dhcpOptionsId"},
		"DescribeSubnets":              {"subnetId", "cidrBlock", "availabilityZone", "availabilityZoneId"},
		"DescribeRouteTables":          {"routeTableId", "routeTableAssociationId", "gatewayId"},
		"DescribeInternetGateways":     {"internetGatewayId", "vpcId"},
		"DescribeNatGateways":          {"natGatewayId"},
		"DescribeAddresses":            {"allocationId"},
		"DescribeAddressesAttribute":   {"allocationId"},
		"DescribeNetworkAcls":          {"networkAclId", "networkAclAssociationId"},
		"DescribeSecurityGroups":       {"groupId", "groupName"},
		"DescribeSecurityGroupRules":   {"securityGroupRuleId"},
		"DescribeAvailabilityZones":    {"zoneName"},
		"DescribeAccountAttributes":    {"attributeValue"},
		"DescribeInstanceTypes":        {"instanceType"},
		"DescribeImages":               {"imageId"},
		"DescribeNetworkInterfaces":    {"networkInterfaceId"},
		"DescribeLaunchTemplates":      {"launchTemplateId"},
		"DescribeVolumes":              {"volumeId"},
		"DescribeKeyPairs":             {"keyPairId"},
		"DescribeVolumesModifications": {"volumeId"},
	} {
		first := callEC2(t, s, operation)
		if first.code != "" {
			t.Errorf("%s: %s %s", operation, first.code, first.message)
		}
		for _, other := range []ec2Answer{callEC2(t, s, operation), callEC2(t, again, operation)} {
			for _, element := range elements {
				if !slices.Equal(first.all(element), other.all(element)) {
					t.Errorf("%s: %s %q, then %q", operation, element, first.all(element), other.all(element))
				}
			}
		}
	}
	if zones := callEC2(t, s, "DescribeSubnets").all("availabilityZoneId"); len(zones) != 3 || !slices.Contains(zones, "euw2-az1") {
		t.Errorf("subnets in %q", zones)
	}
	if got := callEC2(t, s, "DescribeVpcs", "Filter.1.Name=isDefault", "Filter.1.Value.1=true").all("cidrBlock"); len(got) == 0 || got[0] != "172.31.0.0/16" {
		t.Errorf("the default VPC has %q", got)
	}
}

// TestNetworksAreKept checks that networks are in the state, and that a deleted default
// VPC does not come back.
func TestNetworksAreKept(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	s := start(t, localaws.Config{StateFile: file})
	made := callEC2(t, s, "CreateVpc", "CidrBlock=10.0.0.5/16").first("vpcId")
	standard := callEC2(t, s, "DescribeVpcs", "Filter.1.Name=is-default", "Filter.1.Value.1=true").first("vpcId")
	for _, id := range callEC2(t, s, "DescribeSubnets").all("subnetId") {
		callEC2(t, s, "DeleteSubnet", "SubnetId="+id)
	}
	gateway := callEC2(t, s, "DescribeInternetGateways").first("internetGatewayId")
	callEC2(t, s, "DetachInternetGateway", "InternetGatewayId="+gateway, "VpcId="+standard)
	if got := callEC2(t, s, "DeleteVpc", "VpcId="+standard); got.code != "" {
		t.Errorf("%+v", got)
	}
	must(t, s.Close())
	s = start(t, localaws.Config{StateFile: file})
	if got := callEC2(t, s, "DescribeVpcs").all("vpcId"); !slices.Equal(got, []string{made}) {
		t.Errorf("VPCs %q, want %q", got, made)
	}
	if got := callEC2(t, s, "RunInstances", "ImageId="+image, "MinCount=1", "MaxCount=1"); got.code != "MissingInput" {
		t.Errorf("a launch without a default VPC: %+v", got)
	}
}

// An ec2Step is a call. A want is an error's code, or a part of the answer that begins with
// "<"; $x is what a former call returned as x.
type ec2Step struct {
	operation, parameters, want string
	keep                        string // "x=element"
}

// makeSteps makes calls in order, and returns what they kept.
func makeSteps(t *testing.T, s *localawstest.Server, steps []ec2Step) (known map[string]string) {
	t.Helper()
	known = map[string]string{}
	expand := func(text string) string {
		for name, value := range known {
			text = strings.ReplaceAll(text, "$"+name, value)
		}
		return text
	}
	for _, step := range steps {
		parameters := strings.Fields(expand(step.parameters))
		got := callEC2(t, s, step.operation, parameters...)
		want := expand(step.want)
		if strings.HasPrefix(want, "<") && !strings.Contains(got.text, want) || !strings.HasPrefix(want, "<") && got.code != want {
			t.Errorf("%s %q: %s, want %q", step.operation, parameters, got.text, want)
		}
		if name, element, ok := strings.Cut(step.keep, "="); ok {
			known[name] = got.first(element)
		}
	}
	return known
}

func TestNetworks(t *testing.T) {
	makeSteps(t, start(t, localaws.Config{}), []ec2Step{
		{"CreateVpc", "CidrBlock=10.0.0.0/15", "InvalidVpc.Range", ""},
		{"CreateVpc", "CidrBlock=x", "InvalidParameterValue", ""},
		{"CreateVpc", "CidrBlock=10.0.0.0/16 AmazonProvidedIpv6CidrBlock=true", "InvalidParameterValue", ""},
		{"CreateVpc", "CidrBlock=10.0.0.0/16 DryRun=true", "DryRunOperation", ""},
		{"CreateVpc", "CidrBlock=10.0.0.0/16 TagSpecification.1.ResourceType=vpc TagSpecification.1.Tag.1.Key=Name TagSpecification.1.Tag.1.Value=n", "<key>Name", "vpc=vpcId"},
		{"CreateVpc", "CidrBlock=10.1.0.0/16", "<state>pending", "other=vpcId"},
		{"DescribeVpcs", "VpcId.1=x", "InvalidVpcID.Malformed", ""},
		{"DescribeVpcs", "VpcId.1=vpc-01234567", "InvalidVpcID.NotFound", ""},
		{"DescribeVpcs", "Filter.1.Name=tag:Name Filter.1.Value.1=n", "<vpcId>$vpc", ""},
		{"DescribeVpcs", "Filter.1.Name=ipv6-cidr-block-association.state Filter.1.Value.1=n", "InvalidParameterValue", ""},
		{"ModifyVpcAttribute", "VpcId=$vpc EnableDnsHostnames.Value=true", "", ""},
		{"ModifyVpcAttribute", "VpcId=$vpc", "InvalidParameterCombination", ""},
		{"DescribeVpcAttribute", "VpcId=$vpc Attribute=enableDnsHostnames", "<enableDnsHostnames><value>true", ""},
		{"DescribeVpcAttribute", "VpcId=$vpc Attribute=x", "InvalidParameterValue", ""},
		{"CreateSubnet", "VpcId=$vpc CidrBlock=10.1.0.0/24", "InvalidSubnet.Range", ""},
		{"CreateSubnet", "VpcId=$vpc CidrBlock=10.0.0.0/29", "InvalidSubnet.Range", ""},
		{"CreateSubnet", "VpcId=$vpc CidrBlock=10.0.0.0/24 AvailabilityZone=eu-west-2z", "InvalidParameterValue", ""},
		{"CreateSubnet", "VpcId=$vpc CidrBlock=10.0.0.0/28 AvailabilityZoneId=euw2-az2", "<availabilityZone>eu-west-2b", "subnet=subnetId"},
		{"CreateSubnet", "VpcId=$vpc CidrBlock=10.0.0.0/24", "InvalidSubnet.Conflict", ""},
		{"ModifySubnetAttribute", "SubnetId=$subnet MapPublicIpOnLaunch.Value=true", "", ""},
		{"DescribeSubnets", "Filter.1.Name=vpc-id Filter.1.Value.1=$vpc", "<mapPublicIpOnLaunch>true", ""},
		{"DescribeSubnets", "SubnetId.1=$subnet", "<availableIpAddressCount>11<", ""},
		{"CreateInternetGateway", "", "<attachmentSet>", "igw=internetGatewayId"},
		{"AttachInternetGateway", "InternetGatewayId=$igw VpcId=$vpc", "", ""},
		{"AttachInternetGateway", "InternetGatewayId=$igw VpcId=$other", "Resource.AlreadyAssociated", ""},
		{"DeleteInternetGateway", "InternetGatewayId=$igw", "DependencyViolation", ""},
		{"CreateRouteTable", "VpcId=$vpc", "<origin>CreateRouteTable", "rtb=routeTableId"},
		{"CreateRoute", "RouteTableId=$rtb DestinationCidrBlock=0.0.0.0/0 GatewayId=igw-01234567", "InvalidGatewayID.NotFound", ""},
		{"CreateRoute", "RouteTableId=$rtb DestinationCidrBlock=10.0.0.0/20 GatewayId=$igw", "InvalidParameterValue", ""},
		{"CreateRoute", "RouteTableId=$rtb DestinationCidrBlock=0.0.0.0/0 GatewayId=$igw", "", ""},
		{"CreateRoute", "RouteTableId=$rtb DestinationIpv6CidrBlock=::/0 GatewayId=$igw", "", ""},
		{"ReplaceRoute", "RouteTableId=$rtb DestinationCidrBlock=192.0.2.0/24 GatewayId=$igw", "InvalidParameterValue", ""},
		{"DeleteRoute", "RouteTableId=$rtb DestinationCidrBlock=192.0.2.0/24", "InvalidRoute.NotFound", ""},
		{"DescribeRouteTables", "RouteTableId.1=$rtb", "<destinationIpv6CidrBlock>::/0", ""},
		{"AssociateRouteTable", "RouteTableId=$rtb SubnetId=$subnet", "<state>associated", "association=associationId"},
		{"DeleteRouteTable", "RouteTableId=$rtb", "DependencyViolation", ""},
		{"DescribeRouteTables", "Filter.1.Name=association.subnet-id Filter.1.Value.1=$subnet", "<routeTableId>$rtb", ""},
		{"DescribeRouteTables", "Filter.1.Name=vpc-id Filter.1.Value.1=$vpc Filter.2.Name=association.main Filter.2.Value.1=true", "<main>true", "main=routeTableAssociationId"},
		{"DisassociateRouteTable", "AssociationId=$main", "InvalidParameterValue", ""},
		{"DisassociateRouteTable", "AssociationId=rtbassoc-01234567", "InvalidAssociationID.NotFound", ""},
		{"DisassociateRouteTable", "AssociationId=$association", "", ""},
		{"ReplaceRouteTableAssociation", "AssociationId=$main RouteTableId=$rtb", "<newAssociationId>", ""},
		{"DeleteRouteTable", "RouteTableId=$rtb", "DependencyViolation", ""},
		{"CreateSecurityGroup", "GroupName=default GroupDescription=d VpcId=$vpc", "InvalidGroup.Reserved", ""},
		{"CreateSecurityGroup", "GroupName=sg-x GroupDescription=d", "InvalidParameterValue", ""},
		{"CreateSecurityGroup", "GroupName=g GroupDescription=d VpcId=$vpc", "<groupId>sg-", "sg=groupId"},
		{"CreateSecurityGroup", "GroupName=g GroupDescription=d VpcId=$vpc", "InvalidGroup.Duplicate", ""},
		{"CreateSecurityGroup", "GroupName=h GroupDescription=d VpcId=$vpc", "<groupId>sg-", "peer=groupId"},
		{"AuthorizeSecurityGroupIngress", "GroupId=$sg IpPermissions.1.IpProtocol=tcp IpPermissions.1.FromPort=22 IpPermissions.1.ToPort=22 IpPermissions.1.IpRanges.1.CidrIp=10.0.0.9/8 IpPermissions.1.Groups.1.GroupId=$peer", "<cidrIpv4>10.0.0.0/8", "rule=securityGroupRuleId"},
		{"AuthorizeSecurityGroupIngress", "GroupId=$sg IpProtocol=6 FromPort=22 ToPort=22 CidrIp=10.0.0.0/8", "InvalidPermission.Duplicate", ""},
		{"AuthorizeSecurityGroupIngress", "GroupId=$sg IpProtocol=tcp CidrIp=10.0.0.0/8", "InvalidParameterValue", ""},
		{"AuthorizeSecurityGroupIngress", "GroupId=$sg IpProtocol=tcp FromPort=2 ToPort=1 CidrIp=10.0.0.0/8", "InvalidParameterValue", ""},
		{"AuthorizeSecurityGroupIngress", "GroupId=$sg IpProtocol=tcp FromPort=1 ToPort=1 CidrIp=10.0.0.0", "InvalidParameterValue", ""},
		{"AuthorizeSecurityGroupIngress", "GroupId=$sg IpPermissions.1.IpProtocol=tcp IpPermissions.1.PrefixListIds.1.PrefixListId=pl-1", "ValidationError", ""},
		{"DeleteSecurityGroup", "GroupId=$peer", "DependencyViolation", ""},
		{"DescribeSecurityGroupRules", "Filter.1.Name=group-id Filter.1.Value.1=$sg", "<isEgress>true", ""},
		{"ModifySecurityGroupRules", "GroupId=$sg SecurityGroupRule.1.SecurityGroupRuleId=$rule SecurityGroupRule.1.SecurityGroupRule.IpProtocol=-1 SecurityGroupRule.1.SecurityGroupRule.CidrIpv6=::/0", "", ""},
		{"DescribeSecurityGroupRules", "SecurityGroupRuleId.1=$rule", "<cidrIpv6>::/0", ""},
		{"RevokeSecurityGroupIngress", "GroupId=$sg SecurityGroupRuleId.1=$rule", "<return>true", ""},
		{"RevokeSecurityGroupEgress", "GroupId=$sg IpPermissions.1.IpProtocol=-1 IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0", "<return>true", ""},
		{"RevokeSecurityGroupEgress", "GroupId=$sg IpPermissions.1.IpProtocol=-1 IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0", "InvalidPermission.NotFound", ""},
		{"CreateTags", "ResourceId.1=$subnet ResourceId.2=$sg Tag.1.Key=k Tag.1.Value=v", "", ""},
		{"DescribeTags", "Filter.1.Name=resource-type Filter.1.Value.1=security-group", "<resourceId>$sg", ""},
		{"RunInstances", "ImageId=" + image + " InstanceType=t3.micro MinCount=1 MaxCount=1 SubnetId=$subnet SecurityGroupId.1=$sg", "<vpcId>$vpc", "instance=instanceId"},
		{"RunInstances", "ImageId=" + image + " InstanceType=t3.micro MinCount=11 MaxCount=11 SubnetId=$subnet", "InsufficientFreeAddressesInSubnet", ""},
		{"DescribeNetworkInterfaces", "Filter.1.Name=subnet-id Filter.1.Value.1=$subnet", "<privateIpAddress>10.0.0.4", ""},
		{"DescribeVolumes", "Filter.1.Name=attachment.instance-id Filter.1.Value.1=$instance", "<device>/dev/xvda", "root=volumeId"},
		{"DeleteVolume", "VolumeId=$root", "VolumeInUse", ""},
		{"DeleteSubnet", "SubnetId=$subnet", "DependencyViolation", ""},
		{"DeleteSecurityGroup", "GroupId=$sg", "DependencyViolation", ""},
		{"TerminateInstances", "InstanceId.1=$instance", "<name>shutting-down", ""},
		{"DescribeVolumes", "VolumeId.1=$root", "InvalidVolume.NotFound", ""},
		{"DeleteVpc", "VpcId=$vpc", "DependencyViolation", ""},
		{"DeleteSubnet", "SubnetId=$subnet", "", ""},
		{"DeleteSecurityGroup", "GroupId=$sg", "", ""},
		{"DeleteSecurityGroup", "GroupId=$peer", "", ""},
		{"DetachInternetGateway", "InternetGatewayId=$igw VpcId=$vpc", "", ""},
		{"DetachInternetGateway", "InternetGatewayId=$igw VpcId=$vpc", "Gateway.NotAttached", ""},
		{"DeleteInternetGateway", "InternetGatewayId=$igw", "", ""},
		{"DescribeVpcs", "", "<isDefault>true", ""},
		{"CreateVpc", "CidrBlock=10.2.0.0/16", "", ""},
		{"CreateVpc", "CidrBlock=10.3.0.0/16", "", ""},
		{"CreateVpc", "CidrBlock=10.4.0.0/16", "VpcLimitExceeded", ""},
		{"DeleteVpc", "VpcId=$other", "", ""},
		{"CreateVpc", "CidrBlock=10.4.0.0/16", "", ""},

		{"CreateVolume", "AvailabilityZone=eu-west-2a Size=5 VolumeType=io1", "MissingParameter", ""},
		{"CreateVolume", "AvailabilityZone=eu-west-2a Size=16385", "InvalidParameterValue", ""},
		{"CreateVolume", "AvailabilityZone=eu-west-2a Size=16384 ClientToken=t", "<volumeType>gp2", "volume=volumeId"},
		{"CreateVolume", "AvailabilityZone=eu-west-2a Size=16384 ClientToken=t", "<volumeId>$volume", ""},
		{"CreateVolume", "AvailabilityZone=eu-west-2a Size=1 ClientToken=t", "IdempotentParameterMismatch", ""},
		{"ModifyVolume", "VolumeId=$volume Size=1", "InvalidParameterValue", ""},
		{"ModifyVolume", "VolumeId=$volume VolumeType=gp3", "<targetVolumeType>gp3", ""},
		{"DeleteVolume", "VolumeId=$volume", "", ""},

		{"CreateLaunchTemplate", "LaunchTemplateName=t LaunchTemplateData.InstanceType=t3.micro", "InvalidLaunchTemplateName.MalformedException", ""},
		{"CreateLaunchTemplate", "LaunchTemplateName=template LaunchTemplateData.InstanceType=t3.huge", "InvalidParameterValue", ""},
		{"CreateLaunchTemplate", "LaunchTemplateName=template LaunchTemplateData.InstanceType=t3.micro LaunchTemplateData.UserData=IyE= LaunchTemplateData.ImageId=resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64", "<latestVersionNumber>1<", "lt=launchTemplateId"},
		{"CreateLaunchTemplate", "LaunchTemplateName=template LaunchTemplateData.InstanceType=t3.micro", "InvalidLaunchTemplateName.AlreadyExistsException", ""},
		{"CreateLaunchTemplateVersion", "LaunchTemplateName=template SourceVersion=1 LaunchTemplateData.InstanceType=t3.small", "<instanceType>t3.small", ""},
		{"DescribeLaunchTemplateVersions", "LaunchTemplateId=$lt LaunchTemplateVersion.1=$Latest", "<userData>IyE=", ""},
		{"DescribeLaunchTemplateVersions", "LaunchTemplateId=$lt LaunchTemplateVersion.1=3", "InvalidLaunchTemplateId.VersionNotFound", ""},
		{"DescribeLaunchTemplateVersions", "LaunchTemplateId=$lt MinVersion=2 MaxVersion=2 Filter.1.Name=is-default-version Filter.1.Value.1=true", "<launchTemplateVersionSet></launchTemplateVersionSet>", ""},
		{"DescribeLaunchTemplateVersions", "LaunchTemplateId=$lt MinVersion=x", "InvalidParameterValue", ""},
		{"RunInstances", "MinCount=1 MaxCount=1 LaunchTemplate.LaunchTemplateId=$lt LaunchTemplate.Version=2", "<instanceType>t3.small", ""},
		{"ModifyLaunchTemplate", "LaunchTemplateId=$lt SetDefaultVersion=2", "<defaultVersionNumber>2<", ""},
		{"DeleteLaunchTemplateVersions", "LaunchTemplateId=$lt LaunchTemplateVersion.1=2", "InvalidParameterValue", ""},
		{"DeleteLaunchTemplate", "LaunchTemplateName=template", "<launchTemplateId>$lt", ""},
		{"DescribeLaunchTemplates", "LaunchTemplateName.1=template", "InvalidLaunchTemplateName.NotFoundException", ""},

		{"DescribeImages", "ImageId.1=x", "InvalidAMIID.Malformed", ""},
		{"DescribeImages", "ImageId.1=ami-01234567", "InvalidAMIID.NotFound", ""},
		{"DescribeImages", "ImageId.1=" + image + " Owner.1=amazon", "<architecture>x86_64", ""},
		{"DescribeInstanceTypes", "InstanceType.1=x", "InvalidInstanceType", ""},
		{"DescribeInstanceTypes", "InstanceType.1=m5.large", "<defaultVCpus>2<", ""},
		{"DescribeInstanceTypeOfferings", "LocationType=availability-zone Filter.1.Name=instance-type Filter.1.Value.1=m5.large", "<location>eu-west-2c", ""},
		{"DescribeAvailabilityZones", "ZoneName.1=x", "InvalidParameterValue", ""},
	})
}

// TestKeyPairs checks keys with another implementation.
func TestKeyPairs(t *testing.T) {
	s := start(t, localaws.Config{})
	keygen, _ := exec.LookPath("ssh-keygen")
	for _, kind := range []string{"rsa", "ed25519"} {
		made := callEC2(t, s, "CreateKeyPair", "KeyName="+kind, "KeyType="+kind)
		described := callEC2(t, s, "DescribeKeyPairs", "KeyName.1="+kind, "IncludePublicKey=true")
		public := described.first("publicKey")
		if keygen == "" {
			t.Log("nothing checks the private key: ssh-keygen is not on the PATH")
		} else {
			file := filepath.Join(t.TempDir(), "key")
			must(t, os.WriteFile(file, []byte(strings.ReplaceAll(made.first("keyMaterial"), "&#xA;", "\n")), 0o600))
			output, err := exec.Command(keygen, "-y", "-f", file).Output()
			if err != nil || !strings.HasPrefix(public, strings.Join(strings.Fields(string(output))[:2], " ")) {
				t.Errorf("%s: ssh-keygen finds %q, %v; want %q", kind, output, err, public)
			}
		}
		line := base64.StdEncoding.EncodeToString([]byte(public))
		if imported := callEC2(t, s, "ImportKeyPair", "KeyName=again-"+kind, "PublicKeyMaterial="+line); imported.code != "" || imported.first("keyFingerprint") == "" {
			t.Errorf("%s: %+v", kind, imported)
		}
	}
	for name, test := range map[string]struct{ operation, parameters, want string }{
		"twice":                 {"CreateKeyPair", "KeyName=rsa", "InvalidKeyPair.Duplicate"},
		"another format":        {"CreateKeyPair", "KeyName=k&KeyFormat=ppk", "InvalidParameterValue"},
		"no base64":             {"ImportKeyPair", "KeyName=k&PublicKeyMaterial=!", "InvalidKey.Format"},
		"no key":                {"ImportKeyPair", "KeyName=k&PublicKeyMaterial=" + base64.StdEncoding.EncodeToString([]byte("ssh-rsa AAAA")), "InvalidKey.Format"},
		"none":                  {"DescribeKeyPairs", "KeyName.1=none", "InvalidKeyPair.NotFound"},
		"delete none":           {"DeleteKeyPair", "KeyName=none", ""},
		"delete without a name": {"DeleteKeyPair", "DryRun=false", "MissingParameter"},
	} {
		if got := callEC2(t, s, test.operation, strings.Split(test.parameters, "&")...); got.code != test.want {
			t.Errorf("%s: %+v, want %q", name, got, test.want)
		}
	}
}

// TestKeyPairOnce creates key pairs of one name at a time: one is created.
func TestKeyPairOnce(t *testing.T) {
	s := start(t, localaws.Config{})
	codes := make(chan string, 3)
	for range cap(codes) {
		go func() { codes <- callEC2(t, s, "CreateKeyPair", "KeyName=k", "KeyType=rsa").code }()
	}
	got := map[string]int{}
	for range cap(codes) {
		got[<-codes]++
	}
	if got[""] != 1 || got["InvalidKeyPair.Duplicate"] != 2 {
		t.Errorf("%v", got)
	}
	if made := callEC2(t, s, "DescribeKeyPairs").all("keyName"); !slices.Equal(made, []string{"k"}) {
		t.Errorf("%q", made)
	}
}

// TestUserData reads user data from the metadata service.
func TestUserData(t *testing.T) {
	s := start(t, localaws.Config{})
	id := callEC2(t, s, "RunInstances", "ImageId="+image, "MinCount=1", "MaxCount=1", "UserData="+base64.StdEncoding.EncodeToString([]byte("#!/bin/sh"))).first("instanceId")
	endpoint := metadata(t, s, id)
	if status, body, _ := ask(t, http.MethodGet, endpoint+"/latest/user-data", map[string]string{tokenField: newToken(t, endpoint, "60")}); status != 200 || body != "#!/bin/sh" {
		t.Errorf("%d %q", status, body)
	}
}

// TestRegionsAreBounded changes something in as many regions as localaws keeps. Calls
// that are denied, or that only read, keep nothing.
func TestRegionsAreBounded(t *testing.T) {
	const most = 64
	s := start(t, localaws.Config{})
	nobody := s.SDKAs(s.NewUser(t, "nobody", ""), "")
	call := func(as aws.Config, operation string, region int, parameters string) string {
		name := fmt.Sprintf("eu-south-%d", region)
		return sendForm(t, s, as, "ec2."+name+".amazonaws.com", "Action="+operation+"&Version=2016-11-15&"+parameters, "ec2", name)
	}
	for region := range most + 1 {
		if got := call(nobody, "CreateVpc", region, "CidrBlock=10.0.0.0/16"); !strings.Contains(got, "UnauthorizedOperation") {
			t.Fatalf("region %d: somebody without permission is answered %s", region, got)
		}
		if got := call(s.SDK(), "DescribeVpcs", region, ""); !strings.Contains(got, "<isDefault>true") {
			t.Fatalf("region %d: %s", region, got)
		}
	}
	for region := range most {
		if got := call(s.SDK(), "CreateVpc", region, "CidrBlock=10.0.0.0/16"); !strings.Contains(got, "<vpcId>") {
			t.Fatalf("region %d: %s", region, got)
		}
	}
	if got := call(s.SDK(), "CreateVpc", most, "CidrBlock=10.0.0.0/16"); !strings.Contains(got, "localaws keeps the resources of 64 regions at most") {
		t.Errorf("one region more: %s", got)
	}
	if got := call(s.SDK(), "DescribeVpcs", most, ""); !strings.Contains(got, "<isDefault>true") {
		t.Errorf("reading one region more: %s", got)
	}
	if got := call(s.SDK(), "CreateVpc", 0, "CidrBlock=10.1.0.0/16"); !strings.Contains(got, "<vpcId>") {
		t.Errorf("a region that is kept: %s", got)
	}
}
