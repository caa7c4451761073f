package localaws_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

// privateNetwork makes a VPC with a public subnet, an internet gateway and the table of a
// private subnet.
func privateNetwork() []ec2Step {
	return []ec2Step{
		{"CreateVpc", "CidrBlock=10.0.0.0/16", "", "vpc=vpcId"},
		{"CreateSubnet", "VpcId=$vpc CidrBlock=10.0.0.0/28 AvailabilityZone=eu-west-2a", "", "subnet=subnetId"},
		{"CreateInternetGateway", "", "", "igw=internetGatewayId"},
		{"CreateRouteTable", "VpcId=$vpc", "", "rtb=routeTableId"},
	}
}

func TestNATGateways(t *testing.T) {
	s := start(t, localaws.Config{})
	makeSteps(t, s, append(privateNetwork(), []ec2Step{
		{"AllocateAddress", "Domain=vpc TagSpecification.1.ResourceType=elastic-ip TagSpecification.1.Tag.1.Key=Name TagSpecification.1.Tag.1.Value=n", "<domain>vpc", "eip=allocationId"},
		{"AllocateAddress", "DryRun=true", "DryRunOperation", ""},
		{"CreateNatGateway", "SubnetId=$subnet", "MissingParameter", ""},
		{"CreateNatGateway", "SubnetId=$subnet AllocationId=$eip ConnectivityType=x", "InvalidParameterValue", ""},
		{"CreateNatGateway", "SubnetId=$subnet AllocationId=$eip ConnectivityType=private", "InvalidParameterCombination", ""},
		{"CreateNatGateway", "SubnetId=$subnet AllocationId=$eip AvailabilityMode=regional", "InvalidParameterValue", ""},
		{"CreateNatGateway", "SubnetId=$subnet AllocationId=$eip SecondaryAllocationId.1=$eip", "ValidationError", ""},
		{"CreateNatGateway", "SubnetId=$subnet AllocationId=$eip ClientToken=" + strings.Repeat("t", 65), "InvalidParameterValue", ""},
		{"CreateNatGateway", "SubnetId=subnet-01234567 AllocationId=$eip", "InvalidSubnetID.NotFound", ""},
		{"CreateNatGateway", "SubnetId=$subnet AllocationId=eipalloc-01234567", "InvalidAllocationID.NotFound", ""},
		{"CreateNatGateway", "SubnetId=$subnet AllocationId=$eip", "Gateway.NotAttached", ""},
		{"AttachInternetGateway", "InternetGatewayId=$igw VpcId=$vpc", "", ""},
		{"CreateNatGateway", "SubnetId=$subnet AllocationId=$eip PrivateIpAddress=10.0.0.1", "InvalidParameterValue", ""},
		{"CreateNatGateway", "SubnetId=$subnet AllocationId=$eip DryRun=true", "DryRunOperation", ""},
		{"CreateNatGateway", "SubnetId=$subnet AllocationId=$eip ClientToken=t TagSpecification.1.ResourceType=natgateway TagSpecification.1.Tag.1.Key=Name TagSpecification.1.Tag.1.Value=n", "<state>pending", "nat=natGatewayId"},
		{"CreateNatGateway", "SubnetId=$subnet AllocationId=$eip ClientToken=t", "IdempotentParameterMismatch", ""},
		{"CreateNatGateway", "SubnetId=$subnet AllocationId=$eip ClientToken=t TagSpecification.1.ResourceType=natgateway TagSpecification.1.Tag.1.Key=Name TagSpecification.1.Tag.1.Value=n", "<natGatewayId>$nat<", ""},
		{"CreateNatGateway", "SubnetId=$subnet AllocationId=$eip", "Resource.AlreadyAssociated", ""},
		{"DescribeNatGateways", "NatGatewayId.1=$nat", "<state>available", "eni=networkInterfaceId"},
		{"DescribeNatGateways", "NatGatewayId.1=$nat", "<privateIp>10.0.0.4", "ip=publicIp"},
		{"DescribeNatGateways", "NatGatewayId.1=nat-x", "NatGatewayMalformed", ""},
		{"DescribeNatGateways", "NatGatewayId.1=nat-01234567", "NatGatewayNotFound", ""},
		{"DescribeNatGateways", "Filter.1.Name=connectivity-type Filter.1.Value.1=public", "InvalidParameterValue", ""},
		{"DescribeTags", "Filter.1.Name=resource-type Filter.1.Value.1=natgateway", "<resourceId>$nat", ""},
		{"DescribeTags", "Filter.1.Name=resource-type Filter.1.Value.1=elastic-ip", "<resourceId>$eip", ""},
		{"DescribeSubnets", "SubnetId.1=$subnet", "<availableIpAddressCount>10<", ""},
		{"DescribeAddresses", "AllocationId.1=$eip", "<networkInterfaceId>$eni", "association=associationId"},
		{"DescribeNetworkInterfaces", "NetworkInterfaceId.1=$eni", "<interfaceType>nat_gateway", ""},

		// What belongs to a NAT gateway is let go by deleting that alone.
		{"ReleaseAddress", "AllocationId=$eip", "AuthFailure", ""},
		{"DisassociateAddress", "AssociationId=$association", "AuthFailure", ""},
		{"DetachInternetGateway", "InternetGatewayId=$igw VpcId=$vpc", "DependencyViolation", ""},
		{"DeleteSubnet", "SubnetId=$subnet", "DependencyViolation", ""},

		{"CreateRoute", "RouteTableId=$rtb DestinationCidrBlock=0.0.0.0/0", "MissingParameter", ""},
		{"CreateRoute", "RouteTableId=$rtb DestinationCidrBlock=0.0.0.0/0 NatGatewayId=$nat GatewayId=$igw", "InvalidParameterCombination", ""},
		{"CreateRoute", "RouteTableId=$rtb DestinationCidrBlock=0.0.0.0/0 NatGatewayId=nat-01234567", "InvalidNatGatewayID.NotFound", ""},
		{"DescribeRouteTables", "Filter.1.Name=vpc-id Filter.1.Value.1=" + "vpc-06214c82f2b8bb869", "<routeTableId>", "far=routeTableId"},
		{"CreateRoute", "RouteTableId=$far DestinationCidrBlock=192.0.2.0/24 NatGatewayId=$nat", "InvalidParameterValue", ""},
		{"CreateRoute", "RouteTableId=$rtb DestinationCidrBlock=0.0.0.0/0 NatGatewayId=$nat", "", ""},
		{"CreateRoute", "RouteTableId=$rtb DestinationCidrBlock=0.0.0.0/0 NatGatewayId=$nat", "", ""},
		{"CreateRoute", "RouteTableId=$rtb DestinationCidrBlock=0.0.0.0/0 GatewayId=$igw", "RouteAlreadyExists", ""},
		{"DescribeRouteTables", "Filter.1.Name=route.nat-gateway-id Filter.1.Value.1=$nat", "<natGatewayId>$nat</natGatewayId><state>active", ""},
		{"ReplaceRoute", "RouteTableId=$rtb DestinationCidrBlock=0.0.0.0/0 GatewayId=$igw", "", ""},
		{"DescribeRouteTables", "RouteTableId.1=$rtb", "<gatewayId>$igw</gatewayId><state>active", ""},
		{"ReplaceRoute", "RouteTableId=$rtb DestinationCidrBlock=0.0.0.0/0 NatGatewayId=$nat", "", ""},

		{"DeleteNatGateway", "NatGatewayId=$nat", "<natGatewayId>$nat", ""},
		{"DeleteNatGateway", "NatGatewayId=$nat", "NatGatewayNotFound", ""},
		{"DescribeRouteTables", "RouteTableId.1=$rtb", "<natGatewayId>$nat</natGatewayId><state>blackhole", ""},
		{"DescribeNetworkInterfaces", "NetworkInterfaceId.1=$eni", "InvalidNetworkInterfaceID.NotFound", ""},
		{"ReleaseAddress", "AllocationId=$eip NetworkBorderGroup=x", "InvalidAddress.NotFound", ""},
		{"ReleaseAddress", "AllocationId=$eip NetworkBorderGroup=eu-west-2", "", ""},
		{"ReleaseAddress", "AllocationId=$eip", "InvalidAllocationID.NotFound", ""},
		{"DetachInternetGateway", "InternetGatewayId=$igw VpcId=$vpc", "", ""},

		{"CreateNatGateway", "SubnetId=$subnet ConnectivityType=private PrivateIpAddress=10.0.0.9", "<privateIp>10.0.0.9", "private=natGatewayId"},
		{"CreateNatGateway", "SubnetId=$subnet ConnectivityType=private PrivateIpAddress=10.0.0.9", "InvalidIPAddress.InUse", ""},
		{"DeleteNatGateway", "NatGatewayId=$private", "", ""},
		{"DeleteSubnet", "SubnetId=$subnet", "", ""},
	}...))
}

func TestAddresses(t *testing.T) {
	s := start(t, localaws.Config{Instances: []localaws.Instance{{ID: "i-0123456789abcdef0"}}})
	known := makeSteps(t, s, append(privateNetwork(), []ec2Step{
		{"AllocateAddress", "Domain=standard", "InvalidParameterValue", ""},
		{"AllocateAddress", "NetworkBorderGroup=us-east-1", "InvalidParameterValue", ""},
		{"AllocateAddress", "PublicIpv4Pool=mine", "ValidationError", ""},
		{"AllocateAddress", "", "<publicIp>198.1", "eip=allocationId"},
		{"AllocateAddress", "", "<networkBorderGroup>eu-west-2", "other=allocationId"},
		{"DescribeAddresses", "AllocationId.1=$eip", "<publicIpv4Pool>amazon", "ip=publicIp"},
		{"DescribeAddresses", "PublicIp.1=$ip", "<allocationId>$eip", ""},
		{"DescribeAddresses", "PublicIp.1=192.0.2.1", "InvalidAddress.NotFound", ""},
		{"DescribeAddresses", "AllocationId.1=x", "InvalidAllocationID.Malformed", ""},
		{"DescribeAddresses", "Filter.1.Name=carrier-ip Filter.1.Value.1=x", "InvalidParameterValue", ""},
		{"DescribeAddressesAttribute", "AllocationId.1=$eip Attribute=domain-name", "<publicIp>$ip", ""},
		{"DescribeAddressesAttribute", "AllocationId.1=$eip Attribute=x", "InvalidParameterValue", ""},
		{"RunInstances", "ImageId=" + image + " InstanceType=t3.micro MinCount=1 MaxCount=1 SubnetId=$subnet", "", "instance=instanceId"},
		{"RunInstances", "ImageId=" + image + " InstanceType=t3.micro MinCount=1 MaxCount=1 SubnetId=$subnet", "", "second=instanceId"},
		{"DescribeInstances", "InstanceId.1=$instance", "<networkInterfaceId>", "eni=networkInterfaceId"},

		{"AssociateAddress", "AllocationId=$eip", "MissingParameter", ""},
		{"AssociateAddress", "InstanceId=$instance", "MissingParameter", ""},
		{"AssociateAddress", "AllocationId=$eip InstanceId=$instance NetworkInterfaceId=$eni", "InvalidParameterCombination", ""},
		{"AssociateAddress", "AllocationId=$eip InstanceId=i-01234567", "InvalidInstanceID.NotFound", ""},
		{"AssociateAddress", "AllocationId=$eip InstanceId=i-0123456789abcdef0", "UnsupportedOperation", ""},
		{"AssociateAddress", "AllocationId=$eip NetworkInterfaceId=eni-01234567", "InvalidNetworkInterfaceID.NotFound", ""},
		{"AssociateAddress", "AllocationId=$eip InstanceId=$instance", "Gateway.NotAttached", ""},
		{"AttachInternetGateway", "InternetGatewayId=$igw VpcId=$vpc", "", ""},
		{"AssociateAddress", "AllocationId=$eip InstanceId=$instance PrivateIpAddress=10.0.0.9", "InvalidParameterValue", ""},
		{"AssociateAddress", "AllocationId=$eip InstanceId=$instance DryRun=true", "DryRunOperation", ""},
		{"AssociateAddress", "AllocationId=$eip InstanceId=$instance PrivateIpAddress=10.0.0.4", "<associationId>eipassoc-", "association=associationId"},
		{"AssociateAddress", "AllocationId=$eip NetworkInterfaceId=$eni AllowReassociation=false", "<associationId>$association", ""},
		{"AssociateAddress", "AllocationId=$eip InstanceId=$second AllowReassociation=false", "Resource.AlreadyAssociated", ""},
		{"DescribeInstances", "Filter.1.Name=ip-address Filter.1.Value.1=$ip", "<ipAddress>$ip", "dns=dnsName"},
		{"DescribeInstances", "Filter.1.Name=network-interface.association.public-dns-name Filter.1.Value.1=$dns", "<instanceId>$instance", ""},
		{"DescribeAddresses", "Filter.1.Name=instance-id Filter.1.Value.1=$instance", "<associationId>$association", ""},
		{"DescribeNetworkInterfaces", "Filter.1.Name=association.allocation-id Filter.1.Value.1=$eip", "<publicIp>$ip", ""},
		{"ReleaseAddress", "AllocationId=$eip", "InvalidIPAddress.InUse", ""},

		{"AssociateAddress", "AllocationId=$other InstanceId=$instance", "<associationId>eipassoc-", "another=associationId"}, // in place of the first
		{"DisassociateAddress", "AssociationId=$association", "InvalidAssociationID.NotFound", ""},
		{"AssociateAddress", "AllocationId=$other InstanceId=$second", "<associationId>eipassoc-", "moved=associationId"},
		{"DisassociateAddress", "AssociationId=$another", "InvalidAssociationID.NotFound", ""},
		{"DisassociateAddress", "AssociationId=$moved DryRun=true", "DryRunOperation", ""},
		{"DisassociateAddress", "AssociationId=$moved", "", ""},
		{"ReleaseAddress", "AllocationId=$other", "", ""},

		{"AssociateAddress", "AllocationId=$eip InstanceId=$second", "", "last=associationId"},
		{"StopInstances", "InstanceId.1=$second", "", ""},
		{"DescribeAddresses", "AllocationId.1=$eip", "<instanceId>$second", ""}, // stays
		{"TerminateInstances", "InstanceId.1=$second", "", ""},
		{"DisassociateAddress", "AssociationId=$last", "InvalidAssociationID.NotFound", ""},
		{"AssociateAddress", "AllocationId=$eip InstanceId=$second", "IncorrectInstanceState", ""},
		{"ReleaseAddress", "AllocationId=$eip", "", ""},

		// An instance in the default VPC loses its address.
		{"RunInstances", "ImageId=" + image + " InstanceType=t3.micro MinCount=1 MaxCount=1", "", "default=instanceId"},
		{"AllocateAddress", "", "", "eip=allocationId"},
		{"AssociateAddress", "AllocationId=$eip InstanceId=$default", "", ""},
		{"ReleaseAddress", "AllocationId=$eip", "", ""},
		{"DescribeAddresses", "AllocationId.1=$eip", "InvalidAllocationID.NotFound", ""},

		// The interface of a NAT gateway is not the caller's.
		{"AllocateAddress", "", "", "eip=allocationId"},
		{"CreateNatGateway", "SubnetId=$subnet ConnectivityType=private", "<networkInterfaceId>", "managed=networkInterfaceId"},
		{"AssociateAddress", "AllocationId=$eip NetworkInterfaceId=$managed", "AuthFailure", ""},
	}...))
	if ip, dns := known["ip"], known["dns"]; dns != "ec2-"+strings.ReplaceAll(ip, ".", "-")+".eu-west-2.compute.amazonaws.com" {
		t.Errorf("%s is named %s", ip, dns)
	}
}

// TestAddressesAreKept checks that NAT gateways, their addresses and routes are in the
// state.
func TestAddressesAreKept(t *testing.T) {
	config := localaws.Config{StateFile: filepath.Join(t.TempDir(), "state.json")}
	s := start(t, config)
	makeSteps(t, s, append(privateNetwork(), []ec2Step{
		{"AttachInternetGateway", "InternetGatewayId=$igw VpcId=$vpc", "", ""},
		{"AllocateAddress", "", "", "eip=allocationId"},
		{"CreateNatGateway", "SubnetId=$subnet AllocationId=$eip", "", "nat=natGatewayId"},
		{"CreateRoute", "RouteTableId=$rtb DestinationCidrBlock=0.0.0.0/0 NatGatewayId=$nat", "", ""},
	}...))
	before := map[string]string{}
	for _, operation := range []string{"DescribeNatGateways", "DescribeAddresses", "DescribeRouteTables", "DescribeNetworkInterfaces"} {
		before[operation] = withoutRequestID(callEC2(t, s, operation))
	}
	must(t, s.Close())
	s = start(t, config)
	for operation, want := range before {
		if got := withoutRequestID(callEC2(t, s, operation)); got != want {
			t.Errorf("%s: %s, before %s", operation, got, want)
		}
	}
}

func withoutRequestID(a ec2Answer) string {
	return strings.Replace(a.text, a.first("requestId"), "", 1)
}

// TestAddressFilters uses every filter that AWS documents, with a value that matches and
// one that does not.
func TestAddressFilters(t *testing.T) {
	s := start(t, localaws.Config{})
	known := makeSteps(t, s, append(privateNetwork(), []ec2Step{
		{"AttachInternetGateway", "InternetGatewayId=$igw VpcId=$vpc", "", ""},
		{"AllocateAddress", "TagSpecification.1.ResourceType=elastic-ip TagSpecification.1.Tag.1.Key=k TagSpecification.1.Tag.1.Value=v", "", "eip=allocationId"},
		{"CreateNatGateway", "SubnetId=$subnet AllocationId=$eip TagSpecification.1.ResourceType=natgateway TagSpecification.1.Tag.1.Key=k TagSpecification.1.Tag.1.Value=v", "", "nat=natGatewayId"},
		{"DescribeAddresses", "", "", "association=associationId"},
		{"DescribeAddresses", "", "", "eni=networkInterfaceId"},
		{"DescribeAddresses", "", "", "ip=publicIp"},
	}...))
	known["name"] = "ec2-" + strings.ReplaceAll(known["ip"], ".", "-") + ".eu-west-2.compute.amazonaws.com"
	for operation, filters := range map[string]map[string]string{
		"DescribeNatGateways": {"nat-gateway-id": "$nat", "state": "available", "subnet-id": "$subnet", "vpc-id": "$vpc", "tag:k": "v", "tag-key": "k"},
		"DescribeAddresses": {
			"allocation-id": "$eip", "association-id": "$association", "network-border-group": "eu-west-2", "network-interface-id": "$eni", "network-interface-owner-id": account,
			"private-ip-address": "10.0.0.4", "public-ip": "$ip", "tag:k": "v", "tag-key": "k", "domain": "vpc",
		},
		"DescribeNetworkInterfaces": {
			"association.allocation-id": "$eip", "association.association-id": "$association", "association.ip-owner-id": account, "association.public-ip": "$ip", "association.public-dns-name": "$name",
			"addresses.association.owner-id": account, "addresses.association.public-ip": "$ip", "addresses.association.public-dns-name": "$name", "addresses.primary": "true", "addresses.private-ip-address": "10.0.0.4",
			"attachment.attachment-id": "ela-attach-*", "attachment.delete-on-termination": "false", "attachment.device-index": "1", "attachment.instance-owner-id": "amazon-aws", "attachment.status": "attached",
			"availability-zone": "eu-west-2a", "availability-zone-id": "euw2-az1", "description": "Interface for NAT Gateway $nat", "interface-type": "nat_gateway", "mac-address": "02:*", "network-interface-id": "$eni",
			"owner-id": account, "private-ip-address": "10.0.0.4", "requester-id": "amazon-aws", "requester-managed": "true", "source-dest-check": "false", "status": "in-use", "subnet-id": "$subnet", "vpc-id": "$vpc",
		},
	} {
		for name, value := range filters {
			for kept, id := range known {
				value = strings.ReplaceAll(value, "$"+kept, id)
			}
			for asked, want := range map[string]bool{value: true, "none": false} {
				got := callEC2(t, s, operation, "Filter.1.Name="+name, "Filter.1.Value.1="+asked)
				if got.code != "" || strings.Contains(got.text, "<item>") != want {
					t.Errorf("%s by %s %q: %s, want a match: %v", operation, name, asked, got.text, want)
				}
			}
		}
	}
	for _, of := range []string{"DescribeAddresses", "DescribeNetworkInterfaces"} {
		for _, name := range []string{"instance-id", "attachment.instance-id", "group-id"} {
			if got := callEC2(t, s, of, "Filter.1.Name="+name, "Filter.1.Value.1=*"); strings.Contains(got.text, "<item>") {
				t.Errorf("%s finds a NAT gateway by %s: %s", of, name, got.text)
			}
		}
	}
}

// TestAddressPermissions leaves out each permission that a call needs.
func TestAddressPermissions(t *testing.T) {
	s := start(t, localaws.Config{})
	known := makeSteps(t, s, append(privateNetwork(), []ec2Step{
		{"AttachInternetGateway", "InternetGatewayId=$igw VpcId=$vpc", "", ""},
		{"AllocateAddress", "TagSpecification.1.ResourceType=elastic-ip TagSpecification.1.Tag.1.Key=team TagSpecification.1.Tag.1.Value=a", "", "eip=allocationId"},
		{"AllocateAddress", "", "", "used=allocationId"},
		{"CreateNatGateway", "SubnetId=$subnet ConnectivityType=private", "", "nat=natGatewayId"},
		{"RunInstances", "ImageId=" + image + " InstanceType=t3.micro MinCount=1 MaxCount=1 SubnetId=$subnet", "", "instance=instanceId"},
		{"DescribeInstances", "InstanceId.1=$instance", "", "eni=networkInterfaceId"},
		{"AssociateAddress", "AllocationId=$used InstanceId=$instance", "", "association=associationId"},
	}...))
	expand := func(text string) string {
		for name, value := range known {
			text = strings.ReplaceAll(text, "$"+name, value)
		}
		return text
	}
	for i, test := range []struct {
		operation, parameters string
		resources             []string
	}{
		{"AllocateAddress", "", []string{"elastic-ip/*"}},
		{"AssociateAddress", "AllocationId=$eip&InstanceId=$instance", []string{"elastic-ip/$eip", "instance/$instance"}},
		{"AssociateAddress", "AllocationId=$eip&NetworkInterfaceId=$eni", []string{"elastic-ip/$eip", "network-interface/$eni"}},
		{"DisassociateAddress", "AssociationId=$association", []string{"elastic-ip/$used"}},
		{"DisassociateAddress", "AssociationId=eipassoc-0", []string{"elastic-ip/*"}},
		{"ReleaseAddress", "AllocationId=$eip", []string{"elastic-ip/$eip"}},
		{"CreateNatGateway", "SubnetId=$subnet&AllocationId=$eip", []string{"subnet/$subnet", "elastic-ip/$eip", "natgateway/*"}},
		{"DeleteNatGateway", "NatGatewayId=$nat", []string{"natgateway/$nat"}},
	} {
		for left := range len(test.resources) + 1 { // the last has them all
			var statement []string
			for j, resource := range test.resources {
				if j != left {
					statement = append(statement, fmt.Sprintf(`"arn:aws:ec2:eu-west-2:%s:%s"`, account, expand(resource)))
				}
			}
			policy := statements(`{"Effect":"Allow","Action":"ec2:` + test.operation + `","Resource":[` + strings.Join(append(statement, `"arn:aws:ec2:eu-west-2:`+account+`:volume/none"`), ",") + `]}`)
			as := newUser(t, s, fmt.Sprintf("user-%d-%d", i, left), policy)
			got := sendForm(t, s, as, "ec2.eu-west-2.amazonaws.com", expand("Action="+test.operation+"&Version=2016-11-15&DryRun=true&"+test.parameters), "ec2", "eu-west-2")
			want := "UnauthorizedOperation"
			if left == len(test.resources) {
				want = "DryRunOperation"
			}
			if !strings.Contains(got, "<Code>"+want) {
				t.Errorf("%s %s without %d of %q: %s", test.operation, test.parameters, left, test.resources, got)
			}
		}
	}
}

// TestAddressQuotas checks that the last address and NAT gateway that AWS's quotas allow
// are made, and the next are not.
func TestAddressQuotas(t *testing.T) {
	s := start(t, localaws.Config{})
	network := makeSteps(t, s, append(privateNetwork(), ec2Step{"CreateSubnet", "VpcId=$vpc CidrBlock=10.0.1.0/24 AvailabilityZone=eu-west-2b", "", "other=subnetId"}))
	gateway := "ConnectivityType=private SubnetId="
	var made []string
	for i := range 6 {
		want := map[string]string{"AllocateAddress": "", "CreateNatGateway": ""}
		if i == 5 {
			want = map[string]string{"AllocateAddress": "AddressLimitExceeded", "CreateNatGateway": "NatGatewayLimitExceeded"}
		}
		if got := callEC2(t, s, "AllocateAddress"); got.code != want["AllocateAddress"] {
			t.Errorf("address %d: %+v", i+1, got)
		} else if got.code == "" {
			made = append(made, got.first("publicIp"))
		}
		if got := callEC2(t, s, "CreateNatGateway", strings.Fields(gateway+network["subnet"])...); got.code != want["CreateNatGateway"] {
			t.Errorf("NAT gateway %d: %+v", i+1, got)
		}
	}
	if got := callEC2(t, s, "CreateNatGateway", strings.Fields(gateway+network["other"])...); got.code != "" {
		t.Errorf("a NAT gateway in another zone: %+v", got)
	}
	slices.Sort(made)
	if distinct := slices.Compact(made); len(distinct) != 5 {
		t.Errorf("the addresses are %q", distinct)
	}
	// A full subnet has no room for one.
	makeSteps(t, s, []ec2Step{
		{"CreateSubnet", "VpcId=" + network["vpc"] + " CidrBlock=10.0.2.0/28 AvailabilityZone=eu-west-2c", "", "subnet=subnetId"},
		{"RunInstances", "ImageId=" + image + " InstanceType=t3.micro MinCount=11 MaxCount=11 SubnetId=$subnet", "", ""},
		{"CreateNatGateway", "ConnectivityType=private SubnetId=$subnet", "InsufficientFreeAddressesInSubnet", ""},
	})
}
