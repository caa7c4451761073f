package iam

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"time"
)

// Policies are the AWS managed policies of a partition, by ARN.
type Policies map[string]*managedPolicy

// An awsPolicy is an AWS managed policy.
type awsPolicy struct {
	path, name, description string
	statements              []awsStatement
}

type awsStatement struct {
	Effect    string
	Action    []string `json:",omitempty"`
	NotAction []string `json:",omitempty"`
	Resource  string
	Condition map[string]map[string]any `json:",omitempty"`
}

func allow(actions ...string) awsStatement {
	return awsStatement{Effect: "Allow", Action: actions, Resource: "*"}
}

func allowAllBut(actions ...string) awsStatement {
	return awsStatement{Effect: "Allow", NotAction: actions, Resource: "*"}
}

func (s awsStatement) on(resource string) awsStatement {
	s.Resource = resource
	return s
}

func (s awsStatement) when(operator, key string, value any) awsStatement {
	s.Condition = map[string]map[string]any{operator: {key: value}}
	return s
}

// AWSPolicies returns the AWS managed policies of a partition.
func AWSPolicies(partition string) (Policies, error) {
	// The day of the first AWS managed policies serves as the date of all.
	created := time.Date(2015, time.February, 6, 0, 0, 0, 0, time.UTC)
	policies := Policies{}
	for _, p := range awsPolicies(partition) {
		text, err := json.MarshalIndent(struct {
			Version   string
			Statement []awsStatement
		}{"2012-10-17", p.statements}, "", "    ")
		if err != nil {
			return nil, fmt.Errorf("writing the policy %s: %w", p.name, err)
		}
		parsed, err := parseDocument(string(text))
		if err != nil {
			return nil, fmt.Errorf("parsing the policy %s: %w", p.name, err)
		}
		id := sha256.Sum256([]byte(p.name)) // as in AWS, the same ID in every account
		m := &managedPolicy{
			Name: p.name, Path: p.path, ARN: "arn:" + partition + ":iam::aws:policy" + p.path + p.name,
			ID: "ANPA" + base32.StdEncoding.EncodeToString(id[:])[:17], Description: p.description, Created: created,
		}
		m.Default = m.add(parsed, created).ID
		policies[m.ARN] = m
	}
	return policies, nil
}

// awsPolicies returns the policies that the EKS guides name, and common ones for
// people. They allow what AWS's do for the services here; for other services they
// only contain enough to be recognisable.
func awsPolicies(partition string) []awsPolicy {
	serviceLinked := func(operator string, services ...string) awsStatement {
		return allow("iam:CreateServiceLinkedRole").when(operator, "iam:AWSServiceName", services)
	}
	return []awsPolicy{
		// For people.
		{"/", "AdministratorAccess", "Everything.", []awsStatement{allow("*")}},
		{"/", "PowerUserAccess", "Full access, except to users, groups and accounts.", []awsStatement{
			allowAllBut("iam:*", "organizations:*", "account:*"),
			allow("iam:CreateServiceLinkedRole", "iam:DeleteServiceLinkedRole", "iam:ListRoles", "organizations:DescribeOrganization",
				"account:ListRegions", "account:GetAccountInformation"),
		}},
		{"/", "ReadOnlyAccess", "Read access to everything.", []awsStatement{allow(
			"autoscaling:Describe*", "cloudtrail:Describe*", "cloudtrail:Get*", "cloudtrail:List*", "cloudtrail:LookupEvents",
			"cloudwatch:Describe*", "cloudwatch:Get*", "cloudwatch:List*", "ec2:Describe*", "ec2:Get*", "ecr:BatchCheck*", "ecr:BatchGet*",
			"ecr:Describe*", "ecr:Get*", "ecr:List*", "eks:Describe*", "eks:List*", "elasticloadbalancing:Describe*", "iam:Generate*",
			"iam:Get*", "iam:List*", "iam:Simulate*", "kms:Describe*", "kms:Get*", "kms:List*", "s3:Get*", "s3:List*",
			"ssm:Describe*", "ssm:Get*", "ssm:List*", "sts:GetAccessKeyInfo", "sts:GetCallerIdentity", "sts:GetSessionToken",
		)}},
		{"/job-function/", "ViewOnlyAccess", "Lists resources, without their contents.", []awsStatement{allow(
			"autoscaling:Describe*", "cloudtrail:DescribeTrails", "cloudtrail:LookupEvents", "ec2:Describe*", "ecr:DescribeRepositories",
			"ecr:ListImages", "eks:List*", "elasticloadbalancing:Describe*", "iam:GetAccountSummary", "iam:GetLoginProfile", "iam:List*",
			"kms:ListAliases", "kms:ListKeys", "s3:ListAllMyBuckets", "s3:ListBucket",
		)}},
		{"/", "SecurityAudit", "Read access to security settings.", []awsStatement{allow(
			"cloudtrail:Describe*", "cloudtrail:GetEventSelectors", "cloudtrail:GetTrailStatus", "cloudtrail:ListTags", "cloudtrail:LookupEvents",
			"ec2:Describe*", "ecr:DescribeRepositories", "ecr:GetRepositoryPolicy", "eks:Describe*", "eks:List*",
			"elasticloadbalancing:Describe*", "iam:GenerateCredentialReport", "iam:GenerateServiceLastAccessedDetails", "iam:Get*", "iam:List*",
			"iam:SimulateCustomPolicy", "iam:SimulatePrincipalPolicy", "kms:Describe*", "kms:GetKeyPolicy", "kms:List*",
			"s3:GetBucket*", "s3:ListAllMyBuckets",
		)}},
		{"/", "IAMFullAccess", "Full access to IAM.", []awsStatement{allow(
			"iam:*", "organizations:DescribeAccount", "organizations:DescribeOrganization", "organizations:DescribeOrganizationalUnit",
			"organizations:DescribePolicy", "organizations:ListChildren", "organizations:ListParents", "organizations:ListPolicies",
			"organizations:ListPoliciesForTarget", "organizations:ListRoots", "organizations:ListTargetsForPolicy",
		)}},
		{"/", "IAMReadOnlyAccess", "Read access to IAM.", []awsStatement{allow(
			"iam:GenerateCredentialReport", "iam:GenerateServiceLastAccessedDetails", "iam:Get*", "iam:List*", "iam:SimulateCustomPolicy",
			"iam:SimulatePrincipalPolicy",
		)}},
		{"/", "AmazonEC2FullAccess", "Full access to EC2.", []awsStatement{
			allow("ec2:*", "elasticloadbalancing:*", "cloudwatch:*", "autoscaling:*"),
			serviceLinked("StringEquals", "autoscaling.amazonaws.com", "ec2scheduled.amazonaws.com", "elasticloadbalancing.amazonaws.com",
				"spot.amazonaws.com", "spotfleet.amazonaws.com", "transitgateway.amazonaws.com"),
		}},
		{"/", "AmazonEC2ReadOnlyAccess", "Read access to EC2.", []awsStatement{allow(
			"ec2:Describe*", "ec2:GetSecurityGroupsForVpc", "elasticloadbalancing:Describe*", "cloudwatch:ListMetrics",
			"cloudwatch:GetMetricStatistics", "cloudwatch:Describe*", "autoscaling:Describe*",
		)}},

		// For the role of a cluster.
		{"/", "AmazonEKSClusterPolicy", "Lets a control plane manage nodes, volumes and load balancers.", []awsStatement{
			allow(
				"autoscaling:DescribeAutoScalingGroups", "autoscaling:UpdateAutoScalingGroup", "ec2:AttachVolume",
				"ec2:AuthorizeSecurityGroupIngress", "ec2:CreateRoute", "ec2:CreateSecurityGroup", "ec2:CreateTags", "ec2:CreateVolume",
				"ec2:DeleteRoute", "ec2:DeleteSecurityGroup", "ec2:DeleteVolume", "ec2:DescribeAccountAttributes", "ec2:DescribeAddresses",
				"ec2:DescribeAvailabilityZones", "ec2:DescribeDhcpOptions", "ec2:DescribeInstances", "ec2:DescribeInternetGateways",
				"ec2:DescribeNetworkInterfaces", "ec2:DescribeRouteTables", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets",
				"ec2:DescribeVolumes", "ec2:DescribeVolumesModifications", "ec2:DescribeVpcs", "ec2:DetachVolume",
				"ec2:ModifyInstanceAttribute", "ec2:ModifyVolume", "ec2:RevokeSecurityGroupIngress",
				"elasticloadbalancing:CreateListener", "elasticloadbalancing:CreateLoadBalancer", "elasticloadbalancing:CreateTargetGroup",
				"elasticloadbalancing:DeleteLoadBalancer", "elasticloadbalancing:DescribeLoadBalancers", "elasticloadbalancing:RegisterTargets",
				"kms:DescribeKey",
			),
			serviceLinked("StringEquals", "elasticloadbalancing.amazonaws.com"),
		}},
		{"/", "AmazonEKSServicePolicy", "For clusters created before April 2020.", []awsStatement{
			allow(
				"ec2:CreateNetworkInterface", "ec2:CreateNetworkInterfacePermission", "ec2:DeleteNetworkInterface", "ec2:DescribeInstances",
				"ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs",
				"ec2:DetachNetworkInterface", "ec2:ModifyNetworkInterfaceAttribute", "eks:UpdateClusterVersion", "iam:ListAttachedRolePolicies",
				"logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents", "route53:AssociateVPCWithHostedZone",
			),
			serviceLinked("StringLike", "eks.amazonaws.com"),
		}},
		{"/", "AmazonEKSVPCResourceController", "Lets a cluster manage network interfaces and addresses of nodes.", []awsStatement{
			allow("ec2:CreateNetworkInterfacePermission").
				when("ForAnyValue:StringEquals", "ec2:ResourceTag/eks:eni:owner", "eks-vpc-resource-controller"),
			allow("ec2:AssignPrivateIpAddresses", "ec2:AttachNetworkInterface", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
				"ec2:DetachNetworkInterface", "ec2:ModifyNetworkInterfaceAttribute", "ec2:UnassignPrivateIpAddresses"),
		}},

		// For the role of nodes, and of Fargate.
		{"/", "AmazonEKSWorkerNodePolicy", "Lets a node join a cluster.", []awsStatement{allow(
			"ec2:DescribeInstances", "ec2:DescribeInstanceTypes", "ec2:DescribeRouteTables", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets",
			"ec2:DescribeVolumes", "ec2:DescribeVolumesModifications", "ec2:DescribeVpcs", "eks:DescribeCluster",
			"eks-auth:AssumeRoleForPodIdentity",
		)}},
		{"/", "AmazonEKSWorkerNodeMinimalPolicy", "Lets a node of EKS Auto Mode join a cluster.", []awsStatement{
			allow("eks-auth:AssumeRoleForPodIdentity"),
		}},
		{"/", "AmazonEKS_CNI_Policy", "Lets the VPC CNI plug-in give addresses to pods.", []awsStatement{
			allow(
				"ec2:AssignPrivateIpAddresses", "ec2:AttachNetworkInterface", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
				"ec2:DescribeInstances", "ec2:DescribeInstanceTypes", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DescribeTags",
				"ec2:DetachNetworkInterface", "ec2:ModifyNetworkInterfaceAttribute", "ec2:UnassignPrivateIpAddresses",
			),
			allow("ec2:CreateTags").on("arn:" + partition + ":ec2:*:*:network-interface/*"),
		}},
		{"/", "AmazonEC2ContainerRegistryReadOnly", "Read access to the container registry.", []awsStatement{allow(
			"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:DescribeImages", "ecr:DescribeImageScanFindings",
			"ecr:DescribeRepositories", "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer", "ecr:GetLifecyclePolicy",
			"ecr:GetLifecyclePolicyPreview", "ecr:GetRepositoryPolicy", "ecr:ListImages", "ecr:ListTagsForResource",
		)}},
		{"/", "AmazonEC2ContainerRegistryPullOnly", "Lets a node pull images from the container registry.", []awsStatement{allow(
			"ecr:BatchGetImage", "ecr:BatchImportUpstreamImage", "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer",
		)}},
		{"/", "AmazonSSMManagedInstanceCore", "Lets Systems Manager manage an instance.", []awsStatement{
			allow(
				"ssm:DescribeAssociation", "ssm:DescribeDocument", "ssm:GetDeployablePatchSnapshotForInstance", "ssm:GetDocument",
				"ssm:GetManifest", "ssm:GetParameter", "ssm:GetParameters", "ssm:ListAssociations", "ssm:ListInstanceAssociations",
				"ssm:PutComplianceItems", "ssm:PutConfigurePackageResult", "ssm:PutInventory", "ssm:UpdateAssociationStatus",
				"ssm:UpdateInstanceAssociationStatus", "ssm:UpdateInstanceInformation",
			),
			allow("ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel"),
			allow("ec2messages:AcknowledgeMessage", "ec2messages:DeleteMessage", "ec2messages:FailMessage", "ec2messages:GetEndpoint",
				"ec2messages:GetMessages", "ec2messages:SendReply"),
		}},
		{"/", "AmazonEKSFargatePodExecutionRolePolicy", "Lets Fargate run the pods of a cluster.", []awsStatement{allow(
			"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer",
		)}},
	}
}
