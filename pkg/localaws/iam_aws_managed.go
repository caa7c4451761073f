package localaws

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"net/http"
	"time"
)

// awsPolicyARN is the ARN of a policy that AWS manages, by its name and, but for
// the first slash, its path before it.
func (a *AWS) awsPolicyARN(name string) string {
	return "arn:" + a.partition + ":iam::aws:policy/" + name
}

// An awsPolicy is one that AWS manages.
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

// awsManagedPolicies are those of a partition, by ARN.
func awsManagedPolicies(partition string) (map[string]*managedPolicy, *Error) {
	// AWS began to have such policies on this day, which will do for all of them.
	created := time.Date(2015, time.February, 6, 0, 0, 0, 0, time.UTC)
	policies := map[string]*managedPolicy{}
	for _, p := range awsPolicies(partition) {
		text, err := json.MarshalIndent(struct {
			Version   string
			Statement []awsStatement
		}{"2012-10-17", p.statements}, "", "    ")
		if err != nil {
			return nil, newError(http.StatusInternalServerError, "ServiceFailure", "writing the policy "+p.name+": "+err.Error())
		}
		parsed, e := parseDocument(string(text))
		if e != nil {
			return nil, e
		}
		id := sha256.Sum256([]byte(p.name)) // the same ID in every account, as AWS has it
		m := &managedPolicy{
			Name: p.name, Path: p.path, ARN: "arn:" + partition + ":iam::aws:policy" + p.path + p.name,
			ID: "ANPA" + base32.StdEncoding.EncodeToString(id[:])[:17], Description: p.description, Created: created,
		}
		m.Default = m.add(parsed, created).ID
		policies[m.ARN] = m
	}
	return policies, nil
}

// awsPolicies are those that the guides of EKS name, and those that people give to
// people. They allow what AWS's do with the services that there are here; of other
// services, only what makes them recognisable.
func awsPolicies(partition string) []awsPolicy {
	serviceLinked := func(operator string, services ...string) awsStatement {
		return allow("iam:CreateServiceLinkedRole").when(operator, "iam:AWSServiceName", services)
	}
	return []awsPolicy{
		// For people.
		{"/", "AdministratorAccess", "Everything.", []awsStatement{allow("*")}},
		{"/", "PowerUserAccess", "Everything but to manage users, groups and accounts.", []awsStatement{
			allowAllBut("iam:*", "organizations:*", "account:*"),
			allow("iam:CreateServiceLinkedRole", "iam:DeleteServiceLinkedRole", "iam:ListRoles", "organizations:DescribeOrganization",
				"account:ListRegions", "account:GetAccountInformation"),
		}},
		{"/", "ReadOnlyAccess", "To read everything.", []awsStatement{allow(
			"autoscaling:Describe*", "cloudtrail:Describe*", "cloudtrail:Get*", "cloudtrail:List*", "cloudtrail:LookupEvents",
			"cloudwatch:Describe*", "cloudwatch:Get*", "cloudwatch:List*", "ec2:Describe*", "ec2:Get*", "ecr:BatchCheck*", "ecr:BatchGet*",
			"ecr:Describe*", "ecr:Get*", "ecr:List*", "eks:Describe*", "eks:List*", "elasticloadbalancing:Describe*", "iam:Generate*",
			"iam:Get*", "iam:List*", "iam:Simulate*", "kms:Describe*", "kms:Get*", "kms:List*", "s3:Get*", "s3:List*",
			"ssm:Describe*", "ssm:Get*", "ssm:List*", "sts:GetAccessKeyInfo", "sts:GetCallerIdentity", "sts:GetSessionToken",
		)}},
		{"/job-function/", "ViewOnlyAccess", "To see what there is, but not what is in it.", []awsStatement{allow(
			"autoscaling:Describe*", "cloudtrail:DescribeTrails", "cloudtrail:LookupEvents", "ec2:Describe*", "ecr:DescribeRepositories",
			"ecr:ListImages", "eks:List*", "elasticloadbalancing:Describe*", "iam:GetAccountSummary", "iam:GetLoginProfile", "iam:List*",
			"kms:ListAliases", "kms:ListKeys", "s3:ListAllMyBuckets", "s3:ListBucket",
		)}},
		{"/", "SecurityAudit", "To read how everything is secured.", []awsStatement{allow(
			"cloudtrail:Describe*", "cloudtrail:GetEventSelectors", "cloudtrail:GetTrailStatus", "cloudtrail:ListTags", "cloudtrail:LookupEvents",
			"ec2:Describe*", "ecr:DescribeRepositories", "ecr:GetRepositoryPolicy", "eks:Describe*", "eks:List*",
			"elasticloadbalancing:Describe*", "iam:GenerateCredentialReport", "iam:GenerateServiceLastAccessedDetails", "iam:Get*", "iam:List*",
			"iam:SimulateCustomPolicy", "iam:SimulatePrincipalPolicy", "kms:Describe*", "kms:GetKeyPolicy", "kms:List*",
			"s3:GetBucket*", "s3:ListAllMyBuckets",
		)}},
		{"/", "IAMFullAccess", "Everything of IAM.", []awsStatement{allow(
			"iam:*", "organizations:DescribeAccount", "organizations:DescribeOrganization", "organizations:DescribeOrganizationalUnit",
			"organizations:DescribePolicy", "organizations:ListChildren", "organizations:ListParents", "organizations:ListPolicies",
			"organizations:ListPoliciesForTarget", "organizations:ListRoots", "organizations:ListTargetsForPolicy",
		)}},
		{"/", "IAMReadOnlyAccess", "To read everything of IAM.", []awsStatement{allow(
			"iam:GenerateCredentialReport", "iam:GenerateServiceLastAccessedDetails", "iam:Get*", "iam:List*", "iam:SimulateCustomPolicy",
			"iam:SimulatePrincipalPolicy",
		)}},
		{"/", "AmazonEC2FullAccess", "Everything of EC2.", []awsStatement{
			allow("ec2:*", "elasticloadbalancing:*", "cloudwatch:*", "autoscaling:*"),
			serviceLinked("StringEquals", "autoscaling.amazonaws.com", "ec2scheduled.amazonaws.com", "elasticloadbalancing.amazonaws.com",
				"spot.amazonaws.com", "spotfleet.amazonaws.com", "transitgateway.amazonaws.com"),
		}},
		{"/", "AmazonEC2ReadOnlyAccess", "To read everything of EC2.", []awsStatement{allow(
			"ec2:Describe*", "ec2:GetSecurityGroupsForVpc", "elasticloadbalancing:Describe*", "cloudwatch:ListMetrics",
			"cloudwatch:GetMetricStatistics", "cloudwatch:Describe*", "autoscaling:Describe*",
		)}},

		// For the role of a cluster.
		{"/", "AmazonEKSClusterPolicy", "What a control plane needs for nodes, volumes and load balancers.", []awsStatement{
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
		{"/", "AmazonEKSServicePolicy", "What clusters made before April 2020 need.", []awsStatement{
			allow(
				"ec2:CreateNetworkInterface", "ec2:CreateNetworkInterfacePermission", "ec2:DeleteNetworkInterface", "ec2:DescribeInstances",
				"ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets", "ec2:DescribeVpcs",
				"ec2:DetachNetworkInterface", "ec2:ModifyNetworkInterfaceAttribute", "eks:UpdateClusterVersion", "iam:ListAttachedRolePolicies",
				"logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents", "route53:AssociateVPCWithHostedZone",
			),
			serviceLinked("StringLike", "eks.amazonaws.com"),
		}},
		{"/", "AmazonEKSVPCResourceController", "To give network interfaces and addresses to nodes.", []awsStatement{
			allow("ec2:CreateNetworkInterfacePermission").
				when("ForAnyValue:StringEquals", "ec2:ResourceTag/eks:eni:owner", "eks-vpc-resource-controller"),
			allow("ec2:AssignPrivateIpAddresses", "ec2:AttachNetworkInterface", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
				"ec2:DetachNetworkInterface", "ec2:ModifyNetworkInterfaceAttribute", "ec2:UnassignPrivateIpAddresses"),
		}},

		// For the role of nodes, and of Fargate.
		{"/", "AmazonEKSWorkerNodePolicy", "What a node needs to join a cluster.", []awsStatement{allow(
			"ec2:DescribeInstances", "ec2:DescribeInstanceTypes", "ec2:DescribeRouteTables", "ec2:DescribeSecurityGroups", "ec2:DescribeSubnets",
			"ec2:DescribeVolumes", "ec2:DescribeVolumesModifications", "ec2:DescribeVpcs", "eks:DescribeCluster",
			"eks-auth:AssumeRoleForPodIdentity",
		)}},
		{"/", "AmazonEKSWorkerNodeMinimalPolicy", "What a node of EKS Auto Mode needs.", []awsStatement{
			allow("eks-auth:AssumeRoleForPodIdentity"),
		}},
		{"/", "AmazonEKS_CNI_Policy", "What the VPC CNI plug-in needs to give addresses to pods.", []awsStatement{
			allow(
				"ec2:AssignPrivateIpAddresses", "ec2:AttachNetworkInterface", "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface",
				"ec2:DescribeInstances", "ec2:DescribeInstanceTypes", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DescribeTags",
				"ec2:DetachNetworkInterface", "ec2:ModifyNetworkInterfaceAttribute", "ec2:UnassignPrivateIpAddresses",
			),
			allow("ec2:CreateTags").on("arn:" + partition + ":ec2:*:*:network-interface/*"),
		}},
		{"/", "AmazonEC2ContainerRegistryReadOnly", "To read the container registry.", []awsStatement{allow(
			"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:DescribeImages", "ecr:DescribeImageScanFindings",
			"ecr:DescribeRepositories", "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer", "ecr:GetLifecyclePolicy",
			"ecr:GetLifecyclePolicyPreview", "ecr:GetRepositoryPolicy", "ecr:ListImages", "ecr:ListTagsForResource",
		)}},
		{"/", "AmazonEC2ContainerRegistryPullOnly", "To pull images from the container registry.", []awsStatement{allow(
			"ecr:BatchGetImage", "ecr:BatchImportUpstreamImage", "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer",
		)}},
		{"/", "AmazonSSMManagedInstanceCore", "What an instance needs to be managed by Systems Manager.", []awsStatement{
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
		{"/", "AmazonEKSFargatePodExecutionRolePolicy", "What Fargate needs to run the pods of a cluster.", []awsStatement{allow(
			"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetAuthorizationToken", "ecr:GetDownloadUrlForLayer",
		)}},
	}
}
