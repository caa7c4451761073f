//go:build e2e

package clients

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudtrail"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/ssm"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

// A call is made by every client, in the order of calls. To cover an operation, add
// one.
type call struct {
	Service   string          `json:"service"`
	Operation string          `json:"operation"`
	Input     json.RawMessage `json:"input"` // as the service's API names it
	// want are texts in the output as JSON without spaces, or the code of an error. Case
	// does not matter: SDKs name fields in their own.
	want []string
}

func calls() []call {
	return []call{
		{"sts", "GetCallerIdentity", json.RawMessage(`{}`), []string{`"arn":"arn:aws:iam::231144931069:user/administrator"`}},
		{"iam", "CreateRole", json.RawMessage(`{"RoleName":"dev","AssumeRolePolicyDocument":` + quoted(trustEKS) + `}`), []string{`role/dev"`}},
		{"iam", "GetRole", json.RawMessage(`{"RoleName":"nobody"}`), []string{"NoSuchEntity"}},
		{"iam", "GenerateServiceLastAccessedDetails", json.RawMessage(`{"Arn":"arn:aws:iam::231144931069:user/administrator","Granularity":"ACTION_LEVEL"}`), []string{`"jobid":"`}},
		{"iam", "GetServiceLastAccessedDetails", json.RawMessage(`{"JobId":"8fb2a4d6-1c3e-4f5a-9b7c-0d1e2f3a4b5c"}`), []string{"NoSuchEntity"}},
		{"iam", "GetServiceLastAccessedDetailsWithEntities", json.RawMessage(`{"JobId":"8fb2a4d6-1c3e-4f5a-9b7c-0d1e2f3a4b5c","ServiceNamespace":"eks"}`), []string{"NoSuchEntity"}},
		{"iam", "ListPoliciesGrantingServiceAccess", json.RawMessage(`{"Arn":"arn:aws:iam::231144931069:user/administrator","ServiceNamespaces":["eks"]}`), []string{`"policyname":"AdministratorAccess"`}},
		{"eks", "ListClusters", json.RawMessage(`{}`), []string{`"clusters":["kubedemy"]`}},
		{"eks", "DescribeCluster", json.RawMessage(`{"name":"kubedemy"}`), []string{`"status":"ACTIVE"`, `"endpoint":"https://127.0.0.1:1"`}},
		{"eks", "DescribeCluster", json.RawMessage(`{"name":"nowhere"}`), []string{"ResourceNotFoundException"}},
		{"eks", "ListAccessPolicies", json.RawMessage(`{}`), []string{`"AmazonEKSViewPolicy"`}},
		{"eks", "TagResource", json.RawMessage(`{"resourceArn":"arn:aws:eks:eu-west-2:231144931069:cluster/kubedemy","tags":{"a":"b"}}`), nil},
		{"eks", "ListTagsForResource", json.RawMessage(`{"resourceArn":"arn:aws:eks:eu-west-2:231144931069:cluster/kubedemy"}`), []string{`"a":"b"`}},
		{"ec2", "DescribeRegions", json.RawMessage(`{"RegionNames":["eu-west-2"]}`), []string{`"eu-west-2"`}},
		{"ec2", "DescribeVpcs", json.RawMessage(`{"Filters":[{"Name":"is-default","Values":["true"]}]}`), []string{`"vpcid":"vpc-06214c82f2b8bb869"`}},
		{"ec2", "CreateVpc", json.RawMessage(`{"CidrBlock":"10.0.0.0/16","TagSpecifications":[{"ResourceType":"vpc","Tags":[{"Key":"Name","Value":"n"}]}]}`), []string{`"cidrblock":"10.0.0.0/16"`}},
		{"ec2", "DeleteVpc", json.RawMessage(`{"VpcId":"vpc-01234567"}`), []string{`InvalidVpcID.NotFound`}},
		{"ec2", "ModifyVpcAttribute", json.RawMessage(`{"VpcId":"vpc-06214c82f2b8bb869","EnableDnsHostnames":{"Value":true}}`), nil},
		{"ec2", "DescribeVpcAttribute", json.RawMessage(`{"VpcId":"vpc-06214c82f2b8bb869","Attribute":"enableDnsHostnames"}`), []string{`"value":true`}},
		{"ec2", "DescribeSubnets", json.RawMessage(`{"SubnetIds":["subnet-0474c160b06da3550"]}`), []string{`"cidrblock":"172.31.0.0/20"`}},
		{"ec2", "CreateSubnet", json.RawMessage(`{"VpcId":"vpc-06214c82f2b8bb869","CidrBlock":"172.31.128.0/20","AvailabilityZone":"eu-west-2b"}`), []string{`"availabilityzone":"eu-west-2b"`}},
		{"ec2", "ModifySubnetAttribute", json.RawMessage(`{"SubnetId":"subnet-0474c160b06da3550","MapPublicIpOnLaunch":{"Value":false}}`), nil},
		{"ec2", "DeleteSubnet", json.RawMessage(`{"SubnetId":"subnet-01234567"}`), []string{`InvalidSubnetID.NotFound`}},
		{"ec2", "DescribeRouteTables", json.RawMessage(`{"Filters":[{"Name":"association.main","Values":["true"]},{"Name":"vpc-id","Values":["vpc-06214c82f2b8bb869"]}]}`), []string{`"rtb-06af83fa20b3a32bb"`}},
		{"ec2", "CreateRouteTable", json.RawMessage(`{"VpcId":"vpc-06214c82f2b8bb869"}`), []string{`"vpcid":"vpc-06214c82f2b8bb869"`}},
		{"ec2", "CreateRoute", json.RawMessage(`{"RouteTableId":"rtb-06af83fa20b3a32bb","DestinationCidrBlock":"192.0.2.0/24","GatewayId":"igw-02c9773b6edb0531c"}`), nil},
		{"ec2", "ReplaceRoute", json.RawMessage(`{"RouteTableId":"rtb-06af83fa20b3a32bb","DestinationCidrBlock":"192.0.2.0/24","GatewayId":"igw-02c9773b6edb0531c"}`), nil},
		{"ec2", "DeleteRoute", json.RawMessage(`{"RouteTableId":"rtb-06af83fa20b3a32bb","DestinationCidrBlock":"192.0.2.0/24"}`), nil},
		{"ec2", "AssociateRouteTable", json.RawMessage(`{"RouteTableId":"rtb-06af83fa20b3a32bb","SubnetId":"subnet-0474c160b06da3550"}`), []string{`"rtbassoc-`}},
		{"ec2", "ReplaceRouteTableAssociation", json.RawMessage(`{"AssociationId":"rtbassoc-00231ea06faf87624","RouteTableId":"rtb-06af83fa20b3a32bb"}`), []string{`"rtbassoc-`}},
		{"ec2", "DisassociateRouteTable", json.RawMessage(`{"AssociationId":"rtbassoc-01234567"}`), []string{`InvalidAssociationID.NotFound`}},
		{"ec2", "DeleteRouteTable", json.RawMessage(`{"RouteTableId":"rtb-01234567"}`), []string{`InvalidRouteTableID.NotFound`}},
		{"ec2", "DescribeInternetGateways", json.RawMessage(`{"Filters":[{"Name":"attachment.vpc-id","Values":["vpc-06214c82f2b8bb869"]}]}`), []string{`"igw-02c9773b6edb0531c"`}},
		{"ec2", "CreateInternetGateway", json.RawMessage(`{}`), []string{`"igw-`}},
		{"ec2", "AttachInternetGateway", json.RawMessage(`{"InternetGatewayId":"igw-02c9773b6edb0531c","VpcId":"vpc-06214c82f2b8bb869"}`), []string{`Resource.AlreadyAssociated`}},
		{"ec2", "DetachInternetGateway", json.RawMessage(`{"InternetGatewayId":"igw-01234567","VpcId":"vpc-06214c82f2b8bb869"}`), []string{`InvalidInternetGatewayID.NotFound`}},
		{"ec2", "DeleteInternetGateway", json.RawMessage(`{"InternetGatewayId":"igw-02c9773b6edb0531c"}`), []string{`DependencyViolation`}},
		{"ec2", "AllocateAddress", json.RawMessage(`{"Domain":"vpc","TagSpecifications":[{"ResourceType":"elastic-ip","Tags":[{"Key":"Name","Value":"n"}]}]}`), []string{`"publicip":"198.1`}},
		{"ec2", "DescribeAddresses", json.RawMessage(`{"Filters":[{"Name":"tag:Name","Values":["n"]}]}`), []string{`"domain":"vpc"`}},
		{"ec2", "DescribeAddressesAttribute", json.RawMessage(`{"Attribute":"domain-name"}`), []string{`"eipalloc-`}},
		{"ec2", "AssociateAddress", json.RawMessage(`{"AllocationId":"eipalloc-01234567","InstanceId":"i-01234567"}`), []string{`InvalidAllocationID.NotFound`}},
		{"ec2", "DisassociateAddress", json.RawMessage(`{"AssociationId":"eipassoc-01234567"}`), []string{`InvalidAssociationID.NotFound`}},
		{"ec2", "ReleaseAddress", json.RawMessage(`{"AllocationId":"eipalloc-01234567"}`), []string{`InvalidAllocationID.NotFound`}},
		{"ec2", "CreateNatGateway", json.RawMessage(`{"SubnetId":"subnet-0474c160b06da3550","ConnectivityType":"private"}`), []string{`"state":"pending"`}},
		{"ec2", "DescribeNatGateways", json.RawMessage(`{"Filter":[{"Name":"subnet-id","Values":["subnet-0474c160b06da3550"]}]}`), []string{`"state":"available"`}},
		{"ec2", "DeleteNatGateway", json.RawMessage(`{"NatGatewayId":"nat-01234567"}`), []string{`NatGatewayNotFound`}},
		{"ec2", "DescribeNetworkAcls", json.RawMessage(`{}`), []string{`"isdefault":true`}},
		{"ec2", "DescribeNetworkInterfaces", json.RawMessage(`{}`), nil},
		{"ec2", "DescribeAvailabilityZones", json.RawMessage(`{}`), []string{`"euw2-az1"`}},
		{"ec2", "DescribeAccountAttributes", json.RawMessage(`{"AttributeNames":["default-vpc"]}`), []string{`"vpc-06214c82f2b8bb869"`}},
		{"ec2", "CreateSecurityGroup", json.RawMessage(`{"GroupName":"web","Description":"d"}`), []string{`"sg-`}},
		{"ec2", "AuthorizeSecurityGroupIngress", json.RawMessage(`{"GroupName":"web","IpPermissions":[{"IpProtocol":"tcp","FromPort":443,"ToPort":443,"IpRanges":[{"CidrIp":"0.0.0.0/0","Description":"all"}]}]}`), []string{`"sgr-`}},
		{"ec2", "AuthorizeSecurityGroupEgress", json.RawMessage(`{"GroupId":"sg-000c5c2241fe56d3b","IpPermissions":[{"IpProtocol":"tcp","FromPort":443,"ToPort":443,"IpRanges":[{"CidrIp":"192.0.2.0/24"}]}]}`), []string{`"isegress":true`}},
		{"ec2", "DescribeSecurityGroups", json.RawMessage(`{"GroupNames":["web"]}`), []string{`"description":"all"`}},
		{"ec2", "DescribeSecurityGroupRules", json.RawMessage(`{"Filters":[{"Name":"group-id","Values":["sg-000c5c2241fe56d3b"]}]}`), []string{`"192.0.2.0/24"`}},
		{"ec2", "ModifySecurityGroupRules", json.RawMessage(`{"GroupId":"sg-000c5c2241fe56d3b","SecurityGroupRules":[{"SecurityGroupRuleId":"sgr-01234567","SecurityGroupRule":{"IpProtocol":"-1","CidrIpv4":"192.0.2.0/24"}}]}`), []string{`InvalidSecurityGroupRuleId.NotFound`}},
		{"ec2", "RevokeSecurityGroupEgress", json.RawMessage(`{"GroupId":"sg-000c5c2241fe56d3b","IpPermissions":[{"IpProtocol":"tcp","FromPort":443,"ToPort":443,"IpRanges":[{"CidrIp":"192.0.2.0/24"}]}]}`), nil},
		{"ec2", "RevokeSecurityGroupIngress", json.RawMessage(`{"GroupName":"web","IpPermissions":[{"IpProtocol":"tcp","FromPort":443,"ToPort":443,"IpRanges":[{"CidrIp":"0.0.0.0/0"}]}]}`), nil},
		{"ec2", "DeleteSecurityGroup", json.RawMessage(`{"GroupName":"web"}`), nil},
		{"ec2", "CreateKeyPair", json.RawMessage(`{"KeyName":"made"}`), []string{`"keymaterial":"-----BEGIN`}},
		{"ec2", "DescribeKeyPairs", json.RawMessage(`{"KeyNames":["made"]}`), []string{`"keyname":"made"`}},
		{"ec2", "DeleteKeyPair", json.RawMessage(`{"KeyName":"made"}`), nil},
		{"ec2", "DescribeImages", json.RawMessage(`{"Owners":["amazon"],"Filters":[{"Name":"name","Values":["amazon-eks-node-al2023-x86_64-standard-1.36-*"]}]}`), []string{`"imageid":"ami-0`}},
		{"ec2", "DescribeInstanceTypes", json.RawMessage(`{"InstanceTypes":["m5.large"]}`), []string{`"defaultvcpus":2`}},
		{"ec2", "DescribeInstanceTypeOfferings", json.RawMessage(`{"LocationType":"availability-zone","Filters":[{"Name":"instance-type","Values":["m5.large"]}]}`), []string{`"eu-west-2c"`}},
		{"ec2", "CreateLaunchTemplate", json.RawMessage(`{"LaunchTemplateName":"nodes","LaunchTemplateData":{"InstanceType":"t3.micro","ImageId":"resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64","UserData":"IyE="}}`), []string{`"latestversionnumber":1`}},
		{"ec2", "CreateLaunchTemplateVersion", json.RawMessage(`{"LaunchTemplateName":"nodes","SourceVersion":"1","LaunchTemplateData":{"InstanceType":"t3.small"}}`), []string{`"userdata":"IyE="`}},
		{"ec2", "DescribeLaunchTemplates", json.RawMessage(`{"LaunchTemplateNames":["nodes"]}`), []string{`"latestversionnumber":2`}},
		{"ec2", "DescribeLaunchTemplateVersions", json.RawMessage(`{"LaunchTemplateName":"nodes","Versions":["$Latest"]}`), []string{`"instancetype":"t3.small"`}},
		{"ec2", "ModifyLaunchTemplate", json.RawMessage(`{"LaunchTemplateName":"nodes","DefaultVersion":"2"}`), []string{`"defaultversionnumber":2`}},
		{"ec2", "RunInstances", json.RawMessage(`{"MinCount":1,"MaxCount":1,"LaunchTemplate":{"LaunchTemplateName":"nodes"}}`), []string{`"instancetype":"t3.small"`, `"subnetid":"subnet-0474c160b06da3550"`}},
		{"ec2", "DeleteLaunchTemplateVersions", json.RawMessage(`{"LaunchTemplateName":"nodes","Versions":["1"]}`), []string{`"versionnumber":1`}},
		{"ec2", "DeleteLaunchTemplate", json.RawMessage(`{"LaunchTemplateName":"nodes"}`), []string{`"launchtemplatename":"nodes"`}},
		{"ec2", "CreateVolume", json.RawMessage(`{"AvailabilityZone":"eu-west-2a","Size":10,"VolumeType":"gp3"}`), []string{`"iops":3000`}},
		{"ec2", "DescribeVolumes", json.RawMessage(`{"Filters":[{"Name":"status","Values":["in-use"]}]}`), []string{`"device":"/dev/xvda"`}},
		{"ec2", "ModifyVolume", json.RawMessage(`{"VolumeId":"vol-01234567","Size":20}`), []string{`InvalidVolume.NotFound`}},
		{"ec2", "DescribeVolumesModifications", json.RawMessage(`{}`), nil},
		{"ec2", "DeleteVolume", json.RawMessage(`{"VolumeId":"vol-01234567"}`), []string{`InvalidVolume.NotFound`}},
		{"ssm", "GetParameter", json.RawMessage(`{"Name":"/aws/service/eks/optimized-ami/1.36/amazon-linux-2023/x86_64/standard/recommended/image_id","WithDecryption":true}`), []string{`"value":"ami-0`}},
		{"ssm", "GetParameters", json.RawMessage(`{"Names":["/aws/service/eks/optimized-ami/1.36/amazon-linux-2023/x86_64/standard/recommended/image_id","/nothing"]}`), []string{`"value":"ami-0`, `"invalidparameters":["/nothing"]`}},
		{"ssm", "GetParametersByPath", json.RawMessage(`{"Path":"/aws/service/eks/optimized-ami/1.36/amazon-linux-2023/x86_64/standard/recommended"}`), []string{`recommended/release_version"`}},
		{"ssm", "GetParameter", json.RawMessage(`{"Name":"/nothing"}`), []string{`ParameterNotFound`}},
		{"cloudformation", "ListStacks", json.RawMessage(`{"StackStatusFilter":["CREATE_COMPLETE"]}`), nil},
		{"cloudformation", "ListStackSets", json.RawMessage(`{}`), nil},
		{"cloudformation", "ListExports", json.RawMessage(`{}`), nil},
		{"cloudformation", "DescribeStacks", json.RawMessage(`{}`), nil},
		{"cloudformation", "DescribeStacks", json.RawMessage(`{"StackName":"eksctl"}`), []string{`ValidationError`}},
		{"cloudformation", "DescribeStackEvents", json.RawMessage(`{"StackName":"eksctl"}`), []string{`ValidationError`}},
		{"cloudformation", "DescribeStackResource", json.RawMessage(`{"StackName":"eksctl","LogicalResourceId":"VPC"}`), []string{`ValidationError`}},
		{"cloudformation", "DescribeStackResources", json.RawMessage(`{"StackName":"eksctl"}`), []string{`ValidationError`}},
		{"cloudformation", "GetTemplate", json.RawMessage(`{"StackName":"eksctl"}`), []string{`ValidationError`}},
		{"cloudformation", "ListChangeSets", json.RawMessage(`{"StackName":"eksctl"}`), []string{`ValidationError`}},
		{"cloudformation", "ListStackResources", json.RawMessage(`{"StackName":"eksctl"}`), []string{`ValidationError`}},
		{"cloudtrail", "CreateTrail", json.RawMessage(`{"Name":"audit","S3BucketName":"logs"}`), []string{`"arn:aws:cloudtrail:eu-west-2:231144931069:trail/audit"`}},
		{"cloudtrail", "UpdateTrail", json.RawMessage(`{"Name":"audit","IsMultiRegionTrail":true}`), []string{`"ismultiregiontrail":true`}},
		{"cloudtrail", "StartLogging", json.RawMessage(`{"Name":"audit"}`), nil},
		{"cloudtrail", "GetTrailStatus", json.RawMessage(`{"Name":"audit"}`), []string{`"islogging":true`}},
		{"cloudtrail", "StopLogging", json.RawMessage(`{"Name":"audit"}`), nil},
		{"cloudtrail", "DescribeTrails", json.RawMessage(`{}`), []string{`"homeregion":"eu-west-2"`}},
		{"cloudtrail", "GetTrail", json.RawMessage(`{"Name":"audit"}`), []string{`"s3bucketname":"logs"`}},
		{"cloudtrail", "ListTrails", json.RawMessage(`{}`), []string{`"audit"`}},
		{"cloudtrail", "PutEventSelectors", json.RawMessage(`{"TrailName":"audit","EventSelectors":[{"ReadWriteType":"WriteOnly"}]}`), []string{`"WriteOnly"`}},
		{"cloudtrail", "GetEventSelectors", json.RawMessage(`{"TrailName":"audit"}`), []string{`"WriteOnly"`}},
		{"cloudtrail", "AddTags", json.RawMessage(`{"ResourceId":"arn:aws:cloudtrail:eu-west-2:231144931069:trail/audit","TagsList":[{"Key":"a","Value":"b"}]}`), nil},
		{"cloudtrail", "ListTags", json.RawMessage(`{"ResourceIdList":["arn:aws:cloudtrail:eu-west-2:231144931069:trail/audit"]}`), []string{`"key":"a"`}},
		{"cloudtrail", "RemoveTags", json.RawMessage(`{"ResourceId":"arn:aws:cloudtrail:eu-west-2:231144931069:trail/audit","TagsList":[{"Key":"a"}]}`), nil},
		{"cloudtrail", "LookupEvents", json.RawMessage(`{"LookupAttributes":[{"AttributeKey":"EventName","AttributeValue":"CreateTrail"}]}`), []string{`"eventname":"CreateTrail"`}},
		{"cloudtrail", "DeleteTrail", json.RawMessage(`{"Name":"audit"}`), nil},
		{"organizations", "DescribeOrganization", json.RawMessage(`{}`), []string{`AWSOrganizationsNotInUseException`}},
		{"organizations", "CreateOrganization", json.RawMessage(`{}`), []string{`"masteraccountid":"231144931069"`}},
		{"organizations", "DescribeOrganization", json.RawMessage(`{}`), []string{`"featureset":"ALL"`}},
		{"organizations", "ListRoots", json.RawMessage(`{}`), []string{`"SERVICE_CONTROL_POLICY"`}},
		{"organizations", "ListAccounts", json.RawMessage(`{}`), []string{`"id":"231144931069"`}},
		{"organizations", "DescribeAccount", json.RawMessage(`{"AccountId":"231144931069"}`), []string{`"status":"ACTIVE"`}},
		{"organizations", "ListParents", json.RawMessage(`{"ChildId":"231144931069"}`), []string{`"type":"ROOT"`}},
		{"organizations", "EnablePolicyType", json.RawMessage(`{"RootId":"r-none","PolicyType":"SERVICE_CONTROL_POLICY"}`), []string{`RootNotFoundException`}},
		{"organizations", "DisablePolicyType", json.RawMessage(`{"RootId":"r-none","PolicyType":"SERVICE_CONTROL_POLICY"}`), []string{`RootNotFoundException`}},
		{"organizations", "CreateOrganizationalUnit", json.RawMessage(`{"ParentId":"r-none","Name":"dev"}`), []string{`ParentNotFoundException`}},
		{"organizations", "UpdateOrganizationalUnit", json.RawMessage(`{"OrganizationalUnitId":"ou-none-12345678","Name":"dev"}`), []string{`OrganizationalUnitNotFoundException`}},
		{"organizations", "DescribeOrganizationalUnit", json.RawMessage(`{"OrganizationalUnitId":"ou-none-12345678"}`), []string{`OrganizationalUnitNotFoundException`}},
		{"organizations", "DeleteOrganizationalUnit", json.RawMessage(`{"OrganizationalUnitId":"ou-none-12345678"}`), []string{`OrganizationalUnitNotFoundException`}},
		{"organizations", "ListOrganizationalUnitsForParent", json.RawMessage(`{"ParentId":"ou-none-12345678"}`), []string{`ParentNotFoundException`}},
		{"organizations", "ListAccountsForParent", json.RawMessage(`{"ParentId":"ou-none-12345678"}`), []string{`ParentNotFoundException`}},
		{"organizations", "ListChildren", json.RawMessage(`{"ParentId":"ou-none-12345678","ChildType":"ACCOUNT"}`), []string{`ParentNotFoundException`}},
		{"organizations", "MoveAccount", json.RawMessage(`{"AccountId":"231144931069","SourceParentId":"ou-none-12345678","DestinationParentId":"ou-none-12345678"}`), []string{`SourceParentNotFoundException`}},
		{"organizations", "CreatePolicy", json.RawMessage(`{"Name":"deny","Description":"","Type":"SERVICE_CONTROL_POLICY","Content":` + quoted(denyEKS) + `}`), []string{`"name":"deny"`}},
		{"organizations", "ListPolicies", json.RawMessage(`{"Filter":"SERVICE_CONTROL_POLICY"}`), []string{`"p-FullAWSAccess"`}},
		{"organizations", "DescribePolicy", json.RawMessage(`{"PolicyId":"p-FullAWSAccess"}`), []string{`"awsmanaged":true`}},
		{"organizations", "UpdatePolicy", json.RawMessage(`{"PolicyId":"p-none12345","Name":"a"}`), []string{`PolicyNotFoundException`}},
		{"organizations", "DeletePolicy", json.RawMessage(`{"PolicyId":"p-none12345"}`), []string{`PolicyNotFoundException`}},
		{"organizations", "AttachPolicy", json.RawMessage(`{"PolicyId":"p-FullAWSAccess","TargetId":"231144931069"}`), []string{`DuplicatePolicyAttachmentException`}},
		{"organizations", "DetachPolicy", json.RawMessage(`{"PolicyId":"p-FullAWSAccess","TargetId":"231144931069"}`), []string{`ConstraintViolationException`}},
		{"organizations", "ListPoliciesForTarget", json.RawMessage(`{"TargetId":"231144931069","Filter":"SERVICE_CONTROL_POLICY"}`), []string{`"FullAWSAccess"`}},
		{"organizations", "ListTargetsForPolicy", json.RawMessage(`{"PolicyId":"p-FullAWSAccess"}`), []string{`"targetid":"231144931069"`}},
		{"organizations", "ListTagsForResource", json.RawMessage(`{"ResourceId":"231144931069"}`), nil},
		{"organizations", "DeleteOrganization", json.RawMessage(`{}`), []string{`OrganizationNotEmptyException`}},
	}
}

const denyEKS = `{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"eks:*","Resource":"*"}]}`

const trustEKS = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"eks.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

func quoted(text string) string {
	encoded, _ := json.Marshal(text) // a string always encodes
	return string(encoded)
}

// A result is what a client made of a call.
type result struct {
	Output  any    `json:"output,omitempty"`
	Error   string `json:"error,omitempty"`
	Message string `json:"message,omitempty"`
	// Unsupported means that the client lacks the operation or one of its parameters.
	Unsupported bool `json:"unsupported,omitempty"`
}

// TestCalls makes the calls with every client of this machine. Newer clients know
// more of them: what a client lacks is logged.
func TestCalls(t *testing.T) {
	for _, c := range clients(t) {
		t.Run(c.name, func(t *testing.T) {
			program := c.find(t)
			way := byVariable
			if c.outcome[way] == ignored {
				way = byProxy
			}
			l := start(t, way)
			l.server.NewCluster(t, "kubedemy", "https://127.0.0.1:1", []byte("CA"))
			results := l.makeCalls(c, program)
			for i, made := range calls() {
				if i >= len(results) {
					t.Fatalf("%d results of %d calls", len(results), len(calls()))
				}
				checkResult(t, c.name, made, results[i])
			}
		})
	}
}

func checkResult(t *testing.T, client string, made call, got result) {
	t.Helper()
	if got.Unsupported {
		t.Logf("SKIP %s: %s does not have it, or not all of the parameters", made.Operation, client)
		return
	}
	text, err := json.Marshal(got)
	if err != nil {
		t.Fatal(err)
	}
	if got.Error != "" && len(made.want) != 1 {
		t.Errorf("%s: %s: %s", made.Operation, got.Error, got.Message)
	}
	for _, want := range made.want {
		if !strings.Contains(strings.ToLower(string(text)), strings.ToLower(want)) {
			t.Errorf("%s %s: nothing says %s: %s", made.Operation, made.Input, want, text)
		}
	}
}

// makeCalls makes the calls: with a process each for a CLI, and in one otherwise.
func (l *led) makeCalls(c client, program string) []result {
	l.t.Helper()
	if strings.HasPrefix(c.version, "aws-cli/") {
		results := make([]result, 0, len(calls()))
		for _, made := range calls() {
			results = append(results, l.typeCall(c, program, made))
		}
		return results
	}
	input, err := json.Marshal(calls())
	if err != nil {
		l.t.Fatal(err)
	}
	output, err := l.runWith(string(input), c, program, "--calls")
	if err != nil {
		l.t.Fatal(err)
	}
	var results []result
	if err := json.Unmarshal([]byte(output), &results); err != nil {
		l.t.Fatalf("%v: %s", err, output)
	}
	return results
}

// typeCall makes a call with an AWS CLI.
func (l *led) typeCall(c client, program string, made call) result {
	l.t.Helper()
	output, err := l.run(c, program, made.Service, kebab(made.Operation), "--cli-input-json", string(made.Input), "--output", "json")
	exit, failed := errors.AsType[*exec.ExitError](err)
	switch {
	case failed && strings.Contains(err.Error(), "An error occurred ("):
		_, rest, _ := strings.Cut(err.Error(), "An error occurred (")
		code, message, _ := strings.Cut(rest, ")")
		return result{Error: code, Message: message}
	case failed && (exit.ExitCode() == 252 || strings.Contains(err.Error(), "Invalid choice") || strings.Contains(err.Error(), "Unknown parameter")):
		return result{Unsupported: true}
	case err != nil:
		l.t.Fatal(err)
	}
	var decoded any
	if err := json.Unmarshal([]byte(output), &decoded); output != "" && err != nil {
		l.t.Fatalf("%v: %s", err, output)
	}
	return result{Output: decoded}
}

// kebab returns the name of an operation as a CLI has it.
func kebab(operation string) string {
	var b strings.Builder
	for i, r := range operation {
		if i > 0 && unicode.IsUpper(r) {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// callEach makes the calls that it reads, with aws-sdk-go-v2.
func callEach(ctx context.Context, in io.Reader, out io.Writer) error {
	var made []call
	if err := json.NewDecoder(in).Decode(&made); err != nil {
		return err
	}
	loaded, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return err
	}
	services := map[string]any{
		"sts": sts.NewFromConfig(loaded), "iam": iam.NewFromConfig(loaded), "eks": eks.NewFromConfig(loaded), "ec2": ec2.NewFromConfig(loaded),
		"cloudformation": cloudformation.NewFromConfig(loaded), "cloudtrail": cloudtrail.NewFromConfig(loaded),
		"organizations": organizations.NewFromConfig(loaded), "ssm": ssm.NewFromConfig(loaded),
	}
	results := make([]result, 0, len(made))
	for _, one := range made {
		got, err := callOne(ctx, services[one.Service], one)
		if err != nil {
			return fmt.Errorf("%s: %w", one.Operation, err)
		}
		results = append(results, got)
	}
	return json.NewEncoder(out).Encode(results)
}

// callOne calls the client's method of an operation. Its input decodes from JSON:
// names of fields differ from the API's only in case.
func callOne(ctx context.Context, service any, made call) (result, error) {
	method := reflect.ValueOf(service).MethodByName(made.Operation)
	if !method.IsValid() {
		return result{Unsupported: true}, nil
	}
	input := reflect.New(method.Type().In(1).Elem())
	if err := json.Unmarshal(made.Input, input.Interface()); err != nil {
		return result{}, err
	}
	returned := method.Call([]reflect.Value{reflect.ValueOf(ctx), input})
	err, _ := returned[1].Interface().(error)
	if refusal, ok := errors.AsType[smithy.APIError](err); ok {
		return result{Error: refusal.ErrorCode(), Message: refusal.ErrorMessage()}, nil
	}
	if err != nil {
		return result{}, err
	}
	output := returned[0].Elem()
	output.FieldByName("ResultMetadata").SetZero()
	return result{Output: output.Interface()}, nil
}
