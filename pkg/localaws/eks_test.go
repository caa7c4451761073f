package localaws_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/google/go-cmp/cmp"

	"github.com/kube-iam/authenticator/pkg/localaws"
	"github.com/kube-iam/authenticator/pkg/localaws/localawstest"
)

// newServiceRole creates a role that a service, such as eks, may assume.
func newServiceRole(t testing.TB, s *localawstest.Server, name, service string) (arn string) {
	t.Helper()
	return *newRole(t, s, name, trust(`{"Service":"`+service+`.amazonaws.com"}`)).Arn
}

// newCluster creates a cluster, and its role if that does not exist.
func newCluster(t testing.TB, s *localawstest.Server, config aws.Config, name string) {
	t.Helper()
	role := arn("role/eks")
	if _, err := iam.NewFromConfig(s.SDK()).GetRole(t.Context(), &iam.GetRoleInput{RoleName: aws.String("eks")}); err != nil {
		role = newServiceRole(t, s, "eks", "eks")
	}
	if _, err := eks.NewFromConfig(config).CreateCluster(t.Context(), &eks.CreateClusterInput{
		Name: &name, RoleArn: &role, ResourcesVpcConfig: twoSubnets(),
	}); err != nil {
		t.Fatal(err)
	}
}

// The subnets of the account's default VPC in eu-west-2, in different zones.
const (
	subnetA = "subnet-0474c160b06da3550"
	subnetB = "subnet-0d0a351c6de5834ef"
	subnetC = "subnet-078f6c287518782b3"
)

func twoSubnets() *ekstypes.VpcConfigRequest {
	return &ekstypes.VpcConfigRequest{SubnetIds: []string{subnetA, subnetB}}
}

func clusterARN(name string) string { return "arn:aws:eks:eu-west-2:" + account + ":cluster/" + name }

func statements(all ...string) string {
	return `{"Version":"2012-10-17","Statement":[` + strings.Join(all, ",") + `]}`
}

func TestClusters(t *testing.T) {
	s := start(t, localaws.Config{})
	client, ctx := eks.NewFromConfig(s.SDK()), t.Context()
	role := newServiceRole(t, s, "eks", "eks")
	input := eks.CreateClusterInput{
		Name: aws.String("made"), RoleArn: &role, ResourcesVpcConfig: twoSubnets(), Version: aws.String("1.35"),
		Tags: map[string]string{"env": "test"}, ClientRequestToken: aws.String("token"),
	}
	made, err := client.CreateCluster(ctx, &input)
	if err != nil {
		t.Fatal(err)
	}
	c := made.Cluster
	if c.Status != ekstypes.ClusterStatusCreating || !strings.HasSuffix(*c.Endpoint, ".eks.localaws.invalid") || c.CreatedAt == nil || *c.Arn != clusterARN("made") ||
		*c.Version != "1.35" || *c.RoleArn != role || c.Tags["env"] != "test" || !c.ResourcesVpcConfig.EndpointPublicAccess ||
		c.AccessConfig.AuthenticationMode != ekstypes.AuthenticationModeConfigMap {
		t.Errorf("%+v", c)
	}
	if len(c.Health.Issues) != 1 || !strings.Contains(*c.Health.Issues[0].Message, "--cluster-endpoint made=") {
		t.Errorf("the health of a cluster without an API server: %+v", c.Health)
	}
	if again, err := client.CreateCluster(ctx, &input); err != nil || *again.Cluster.CreatedAt != *c.CreatedAt {
		t.Errorf("the same request again: %+v, %v", again, err)
	}
	another := input
	another.Version = aws.String("1.34")
	if _, err := client.CreateCluster(ctx, &another); code(err) != "ResourceInUseException" {
		t.Errorf("another request with the same token: %v", err)
	}
	another = input
	another.ClientRequestToken = aws.String("another")
	if _, err := client.CreateCluster(ctx, &another); code(err) != "ResourceInUseException" {
		t.Errorf("created twice: %v", err)
	}

	if err := s.RegisterCluster("eu-west-2", "made", "https://127.0.0.1:1", []byte("CA")); err != nil {
		t.Fatal(err)
	}
	described, err := client.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: input.Name})
	if err != nil {
		t.Fatal(err)
	}
	if c := described.Cluster; c.Status != ekstypes.ClusterStatusActive || *c.Endpoint != "https://127.0.0.1:1" || *c.CertificateAuthority.Data != "Q0E=" || len(c.Health.Issues) != 0 {
		t.Errorf("%+v", c)
	}
	elsewhere, err := client.ListClusters(ctx, &eks.ListClustersInput{}, func(o *eks.Options) { o.Region = "eu-west-1" })
	if err != nil || len(elsewhere.Clusters) != 0 {
		t.Errorf("in another region: %+v, %v", elsewhere, err)
	}
	if deleted, err := client.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: input.Name}); err != nil || deleted.Cluster.Status != ekstypes.ClusterStatusDeleting {
		t.Errorf("%+v, %v", deleted, err)
	}
	if _, err := client.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: input.Name}); code(err) != "ResourceNotFoundException" {
		t.Errorf("deleted: %v", err)
	}
	if _, err := client.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: input.Name}); code(err) != "ResourceNotFoundException" {
		t.Errorf("deleted twice: %v", err)
	}
	if again, err := client.CreateCluster(ctx, &input); err != nil || *again.Cluster.Endpoint != "https://127.0.0.1:1" {
		t.Errorf("created again, with an API server: %+v, %v", again, err)
	}
	if _, err := client.ListCapabilities(ctx, &eks.ListCapabilitiesInput{ClusterName: input.Name}); code(err) != "NotFoundException" || !strings.Contains(err.Error(), "localaws") {
		t.Errorf("an unknown operation: %v", err)
	}
}

func TestRegisterCluster(t *testing.T) {
	s := start(t, localaws.Config{})
	for name, endpoint := range map[string]string{"": "https://127.0.0.1:1", "x": "http://127.0.0.1:1", "y": "nonsense"} {
		if err := s.RegisterCluster("eu-west-2", name, endpoint, nil); err == nil {
			t.Errorf("%q at %q: no error", name, endpoint)
		}
	}
	if _, ok := s.Cluster("eu-west-2", "x"); ok {
		t.Error("a cluster with an invalid endpoint was registered")
	}
	if err := s.RegisterCluster("eu-west-2", "z", "https://127.0.0.1:1", nil); err != nil {
		t.Fatal(err)
	}
	got, ok := s.Cluster("eu-west-2", "z")
	if !ok || got.Endpoint != "https://127.0.0.1:1" || got.CreatorARN != arn("user/administrator") {
		t.Errorf("%+v", got)
	}
}

func TestCreateClusterRefuses(t *testing.T) {
	s := start(t, localaws.Config{})
	role, ofEC2 := newServiceRole(t, s, "eks", "eks"), newServiceRole(t, s, "ec2", "ec2")
	for name, test := range map[string]struct {
		change func(*eks.CreateClusterInput)
		want   string
	}{
		"a name of dots":         {func(i *eks.CreateClusterInput) { i.Name = aws.String("a.b") }, "should match the regex"},
		"a long name":            {func(i *eks.CreateClusterInput) { i.Name = aws.String(strings.Repeat("x", 101)) }, "should match the regex"},
		"an unknown version":     {func(i *eks.CreateClusterInput) { i.Version = aws.String("1.12") }, "unsupported Kubernetes version 1.12"},
		"one subnet":             {func(i *eks.CreateClusterInput) { i.ResourcesVpcConfig.SubnetIds = []string{subnetA} }, "at least two different AZs"},
		"one subnet twice":       {func(i *eks.CreateClusterInput) { i.ResourcesVpcConfig.SubnetIds = []string{subnetA, subnetA} }, "at least two different AZs"},
		"no subnet's ID":         {func(i *eks.CreateClusterInput) { i.ResourcesVpcConfig.SubnetIds = []string{subnetA, "x"} }, "The subnet ID 'x' does not exist (Service: AmazonEC2; Status Code: 400; Error Code: InvalidSubnetID.NotFound; Request ID: "},
		"no security group's ID": {func(i *eks.CreateClusterInput) { i.ResourcesVpcConfig.SecurityGroupIds = []string{"x"} }, "The security group 'x' does not exist"},
		"six security groups": {func(i *eks.CreateClusterInput) {
			i.ResourcesVpcConfig.SecurityGroupIds = slices.Repeat([]string{"sg-1"}, 6)
		}, "more than 5"},
		"no access at all":   {func(i *eks.CreateClusterInput) { i.ResourcesVpcConfig.EndpointPublicAccess = aws.Bool(false) }, "cannot be false"},
		"no CIDR":            {func(i *eks.CreateClusterInput) { i.ResourcesVpcConfig.PublicAccessCidrs = []string{"10.0.0.1"} }, "CIDR '10.0.0.1'"},
		"a role that is not": {func(i *eks.CreateClusterInput) { i.RoleArn = aws.String(role + "x") }, "does not exist or the trusted entity is not correct"},
		"a role of EC2":      {func(i *eks.CreateClusterInput) { i.RoleArn = &ofEC2 }, "does not exist or the trusted entity is not correct"},
		"unknown logs": {func(i *eks.CreateClusterInput) {
			i.Logging = &ekstypes.Logging{ClusterLogging: []ekstypes.LogSetup{{Enabled: aws.Bool(true), Types: []ekstypes.LogType{"none"}}}}
		}, `type "none" is not valid (supported: api,`},
		"a tag of AWS's": {func(i *eks.CreateClusterInput) { i.Tags = map[string]string{"aws:x": "y"} }, "reserved"},
		"an unknown mode": {func(i *eks.CreateClusterInput) {
			i.AccessConfig = &ekstypes.CreateAccessConfigRequest{AuthenticationMode: "NONE"}
		}, "supported: CONFIG_MAP, API_AND_CONFIG_MAP, API"},
		"no owner": {func(i *eks.CreateClusterInput) {
			i.AccessConfig = &ekstypes.CreateAccessConfigRequest{BootstrapClusterCreatorAdminPermissions: aws.Bool(false)}
		}, "must be true"},
		"what localaws cannot do": {func(i *eks.CreateClusterInput) {
			i.OutpostConfig = &ekstypes.OutpostConfigRequest{OutpostArns: []string{"x"}, ControlPlaneInstanceType: aws.String("m5.large")}
		}, "localaws does not support the parameter outpostConfig"},
		"other flags of the scheduler": {func(i *eks.CreateClusterInput) {
			i.KubeSchedulerConfig = &ekstypes.KubeSchedulerConfigRequest{}
		}, "localaws does not support the parameter kubeSchedulerConfig"},
		"other flags of the controllers": {func(i *eks.CreateClusterInput) {
			i.KubeControllerManagerConfig = &ekstypes.KubeControllerManagerConfigRequest{}
		}, "localaws does not support the parameter kubeControllerManagerConfig"},
		"an unknown tier": {func(i *eks.CreateClusterInput) {
			i.ControlPlaneScalingConfig = &ekstypes.ControlPlaneScalingConfig{Tier: "tier-3xl"}
		}, `tier "tier-3xl" is not valid (supported: standard, tier-xl, tier-2xl, tier-4xl, tier-8xl)`},
		"an unknown way out": {func(i *eks.CreateClusterInput) { i.ResourcesVpcConfig.ControlPlaneEgressMode = "X" },
			`controlPlaneEgressMode "X" is not valid (supported: AWS_MANAGED, CUSTOMER_ROUTED, CUSTOMER_ISOLATED)`},
		"a public service CIDR": {func(i *eks.CreateClusterInput) {
			i.KubernetesNetworkConfig = &ekstypes.KubernetesNetworkConfigRequest{ServiceIpv4Cidr: aws.String("8.8.0.0/16")}
		}, "service CIDR 8.8.0.0/16 is not valid"},
		"a service CIDR with IPv6": {func(i *eks.CreateClusterInput) {
			i.KubernetesNetworkConfig = &ekstypes.KubernetesNetworkConfigRequest{IpFamily: "ipv6", ServiceIpv4Cidr: aws.String("10.0.0.0/16")}
		}, "cannot be specified with the IP family ipv6"},
		"no key": {func(i *eks.CreateClusterInput) {
			i.EncryptionConfig = []ekstypes.EncryptionConfig{{Resources: []string{"secrets"}, Provider: &ekstypes.Provider{KeyArn: aws.String("x")}}}
		}, `key ARN "x" is not valid`},
		"a third of Auto Mode": {func(i *eks.CreateClusterInput) {
			i.ComputeConfig, i.BootstrapSelfManagedAddons = &ekstypes.ComputeConfigRequest{Enabled: aws.Bool(true)}, aws.Bool(false)
		}, "either fully enabled or fully disabled"},
		"Auto Mode with add-ons": {func(i *eks.CreateClusterInput) {
			i.ComputeConfig = &ekstypes.ComputeConfigRequest{Enabled: aws.Bool(true)}
		}, "bootstrapSelfManagedAddons must be set to false"},
		"an unknown support": {func(i *eks.CreateClusterInput) { i.UpgradePolicy = &ekstypes.UpgradePolicyRequest{SupportType: "X"} }, "supported: STANDARD, EXTENDED"},
	} {
		input := eks.CreateClusterInput{Name: aws.String("x"), RoleArn: &role, ResourcesVpcConfig: twoSubnets()}
		test.change(&input)
		_, err := eks.NewFromConfig(s.SDK()).CreateCluster(t.Context(), &input)
		if code(err) != "InvalidParameterException" || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q in it", name, err, test.want)
		}
		if _, ok := s.Cluster("eu-west-2", "x"); ok {
			t.Fatalf("%s: the cluster was created", name)
		}
	}
}

func TestClusterQuota(t *testing.T) {
	s := start(t, localaws.Config{})
	for i := range 100 {
		newCluster(t, s, s.SDK(), fmt.Sprintf("c%03d", i))
	}
	role := arn("role/eks")
	_, err := eks.NewFromConfig(s.SDK()).CreateCluster(t.Context(), &eks.CreateClusterInput{Name: aws.String("x"), RoleArn: &role, ResourcesVpcConfig: twoSubnets()})
	if code(err) != "ResourceLimitExceededException" {
		t.Errorf("the 101st: %v", err)
	}
	var names []string
	for pages := eks.NewListClustersPaginator(eks.NewFromConfig(s.SDK()), &eks.ListClustersInput{MaxResults: aws.Int32(33)}); pages.HasMorePages(); {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Clusters) > 33 {
			t.Errorf("a page of %d clusters", len(page.Clusters))
		}
		names = append(names, page.Clusters...)
	}
	if len(names) != 100 || !slices.IsSorted(names) {
		t.Errorf("%q", names)
	}
	for _, input := range []eks.ListClustersInput{{MaxResults: aws.Int32(101)}, {NextToken: aws.String("!")}, {Include: []string{"some"}}} {
		if _, err := eks.NewFromConfig(s.SDK()).ListClusters(t.Context(), &input); code(err) != "InvalidParameterException" {
			t.Errorf("%+v: %v", input, err)
		}
	}
}

// TestClusterCreator checks the recorded creator of a cluster.
func TestClusterCreator(t *testing.T) {
	s := start(t, localaws.Config{})
	admin := iam.NewFromConfig(s.SDK())
	all := statement("Allow", "*", "*")
	alice := newUser(t, s, "alice", all)
	if _, err := admin.CreateRole(t.Context(), &iam.CreateRoleInput{
		RoleName: aws.String("Maker"), Path: aws.String("/team/"), AssumeRolePolicyDocument: trust(`{"AWS":"` + account + `"}`),
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := admin.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: aws.String("Maker"), PolicyName: aws.String("p"), PolicyDocument: &all}); err != nil {
		t.Fatal(err)
	}
	assumed, err := sts.NewFromConfig(alice).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: aws.String(arn("role/team/Maker")), RoleSessionName: aws.String("alice")})
	if err != nil {
		t.Fatal(err)
	}
	session := s.SDKAs(localaws.AccessKey{ID: *assumed.Credentials.AccessKeyId, Secret: *assumed.Credentials.SecretAccessKey}, *assumed.Credentials.SessionToken)
	for name, test := range map[string]struct {
		by   aws.Config
		want string
	}{
		"by-user": {alice, arn("user/alice")},
		"by-role": {session, arn("role/Maker")}, // without its path, as in the ARN of STS
	} {
		newCluster(t, s, test.by, name)
		if err := s.RegisterCluster("eu-west-2", name, "https://127.0.0.1:1", nil); err != nil {
			t.Fatal(err)
		}
		if got, _ := s.Cluster("eu-west-2", name); got.CreatorARN != test.want {
			t.Errorf("%s: the creator is %q, want %q", name, got.CreatorARN, test.want)
		}
	}
}

// TestEKSPermissions calls each operation as a user with only its permission, and as
// a user with every permission but it.
func TestEKSPermissions(t *testing.T) {
	s := start(t, localaws.Config{})
	newCluster(t, s, s.SDK(), "c")
	if err := s.RegisterCluster("eu-west-2", "c", "https://127.0.0.1:1", nil); err != nil {
		t.Fatal(err)
	}
	role := aws.String(arn("role/eks"))
	name, principal := aws.String("c"), aws.String(arn("user/team/bob"))
	admin := eks.NewFromConfig(s.SDK())
	if _, err := admin.TagResource(t.Context(), &eks.TagResourceInput{ResourceArn: aws.String(clusterARN("c")), Tags: map[string]string{"env": "test"}}); err != nil {
		t.Fatal(err)
	}
	entry := "arn:aws:eks:eu-west-2:" + account + ":access-entry/c/user/" + account + "/bob/*"
	const noEntries, missing = "InvalidRequestException", "ResourceNotFoundException"
	x, node := aws.String("x"), newServiceRole(t, s, "node", "ec2")
	made, err := admin.CreateNodegroup(t.Context(), &eks.CreateNodegroupInput{ClusterName: name, NodegroupName: aws.String("g"), NodeRole: &node, Subnets: []string{subnetA}, Tags: map[string]string{"team": "a"}})
	if err != nil {
		t.Fatal(err)
	}
	inCluster := func(resource string) string { return "arn:aws:eks:eu-west-2:" + account + ":" + resource }
	for action, test := range map[string]struct {
		resource  string
		condition string
		call      func(context.Context, *eks.Client) error
		want      string // the code for the user with the permission
	}{
		"CreateCluster": {clusterARN("new"), `"StringEquals":{"aws:RequestTag/team":"a","eks:authenticationMode":"CONFIG_MAP","eks:kubernetesVersion":"1.36"},"Bool":{"eks:bootstrapClusterCreatorAdminPermissions":"true","eks:endpointPublicAccess":"true"},"ForAnyValue:StringEquals":{"aws:TagKeys":["team"]}`, func(ctx context.Context, c *eks.Client) error {
			_, err := c.CreateCluster(ctx, &eks.CreateClusterInput{Name: aws.String("new"), RoleArn: role, ResourcesVpcConfig: twoSubnets(), Tags: map[string]string{"team": "a"}})
			return err
		}, ""},
		"DescribeCluster": {clusterARN("c"), `"StringEquals":{"aws:ResourceTag/env":"test"}`, func(ctx context.Context, c *eks.Client) error {
			_, err := c.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: name})
			return err
		}, ""},
		"ListClusters": {clusterARN("*"), "", func(ctx context.Context, c *eks.Client) error {
			_, err := c.ListClusters(ctx, &eks.ListClustersInput{})
			return err
		}, ""},
		"UpdateClusterConfig": {clusterARN("c"), `"StringEquals":{"aws:ResourceTag/env":"test"}`, func(ctx context.Context, c *eks.Client) error {
			_, err := c.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{Name: name})
			return err
		}, "InvalidParameterException"},
		"ListUpdates": {clusterARN("c"), "", func(ctx context.Context, c *eks.Client) error {
			_, err := c.ListUpdates(ctx, &eks.ListUpdatesInput{Name: name})
			return err
		}, ""},
		"DescribeUpdate": {clusterARN("c"), "", func(ctx context.Context, c *eks.Client) error {
			_, err := c.DescribeUpdate(ctx, &eks.DescribeUpdateInput{Name: name, UpdateId: aws.String("x")})
			return err
		}, "ResourceNotFoundException"},
		"TagResource": {clusterARN("c"), `"StringEquals":{"aws:RequestTag/team":"a","aws:ResourceTag/env":"test"}`, func(ctx context.Context, c *eks.Client) error {
			_, err := c.TagResource(ctx, &eks.TagResourceInput{ResourceArn: aws.String(clusterARN("c")), Tags: map[string]string{"team": "a"}})
			return err
		}, ""},
		"UntagResource": {clusterARN("c"), `"ForAnyValue:StringEquals":{"aws:TagKeys":["team"]}`, func(ctx context.Context, c *eks.Client) error {
			_, err := c.UntagResource(ctx, &eks.UntagResourceInput{ResourceArn: aws.String(clusterARN("c")), TagKeys: []string{"team"}})
			return err
		}, ""},
		"ListTagsForResource": {clusterARN("c"), "", func(ctx context.Context, c *eks.Client) error {
			_, err := c.ListTagsForResource(ctx, &eks.ListTagsForResourceInput{ResourceArn: aws.String(clusterARN("c"))})
			return err
		}, ""},
		"ListAccessPolicies": {"*", "", func(ctx context.Context, c *eks.Client) error {
			_, err := c.ListAccessPolicies(ctx, &eks.ListAccessPoliciesInput{})
			return err
		}, ""},
		"CreateAccessEntry": {clusterARN("c"), `"StringEquals":{"eks:principalArn":"` + *principal + `","eks:username":"bob"},"ForAnyValue:StringEquals":{"eks:kubernetesGroups":["a"]}`, func(ctx context.Context, c *eks.Client) error {
			_, err := c.CreateAccessEntry(ctx, &eks.CreateAccessEntryInput{ClusterName: name, PrincipalArn: principal, KubernetesGroups: []string{"a"}, Username: aws.String("bob")})
			return err
		}, noEntries},
		"ListAccessEntries": {clusterARN("c"), "", func(ctx context.Context, c *eks.Client) error {
			_, err := c.ListAccessEntries(ctx, &eks.ListAccessEntriesInput{ClusterName: name})
			return err
		}, noEntries},
		"DescribeAccessEntry": {entry, `"StringEquals":{"eks:clusterName":"c","eks:principalArn":"` + *principal + `"}`, func(ctx context.Context, c *eks.Client) error {
			_, err := c.DescribeAccessEntry(ctx, &eks.DescribeAccessEntryInput{ClusterName: name, PrincipalArn: principal})
			return err
		}, noEntries},
		"UpdateAccessEntry": {entry, "", func(ctx context.Context, c *eks.Client) error {
			_, err := c.UpdateAccessEntry(ctx, &eks.UpdateAccessEntryInput{ClusterName: name, PrincipalArn: principal, Username: aws.String("x")})
			return err
		}, noEntries},
		"DeleteAccessEntry": {entry, "", func(ctx context.Context, c *eks.Client) error {
			_, err := c.DeleteAccessEntry(ctx, &eks.DeleteAccessEntryInput{ClusterName: name, PrincipalArn: principal})
			return err
		}, noEntries},
		"AssociateAccessPolicy": {entry, "", func(ctx context.Context, c *eks.Client) error {
			_, err := c.AssociateAccessPolicy(ctx, &eks.AssociateAccessPolicyInput{ClusterName: name, PrincipalArn: principal, PolicyArn: aws.String("arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"), AccessScope: &ekstypes.AccessScope{Type: "cluster"}})
			return err
		}, noEntries},
		"ListAssociatedAccessPolicies": {entry, "", func(ctx context.Context, c *eks.Client) error {
			_, err := c.ListAssociatedAccessPolicies(ctx, &eks.ListAssociatedAccessPoliciesInput{ClusterName: name, PrincipalArn: principal})
			return err
		}, noEntries},
		"DisassociateAccessPolicy": {entry, "", func(ctx context.Context, c *eks.Client) error {
			_, err := c.DisassociateAccessPolicy(ctx, &eks.DisassociateAccessPolicyInput{ClusterName: name, PrincipalArn: principal, PolicyArn: aws.String("arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy")})
			return err
		}, noEntries},
		"DescribeClusterVersions": {"*", "", func(ctx context.Context, c *eks.Client) error { return errorOf(c.DescribeClusterVersions(ctx, nil)) }, ""},
		"DescribeAddonVersions":   {"*", "", func(ctx context.Context, c *eks.Client) error { return errorOf(c.DescribeAddonVersions(ctx, nil)) }, ""},
		"DescribeAddonConfiguration": {"*", "", func(ctx context.Context, c *eks.Client) error {
			return errorOf(c.DescribeAddonConfiguration(ctx, &eks.DescribeAddonConfigurationInput{AddonName: x, AddonVersion: x}))
		}, missing},
		"UpdateClusterVersion": {clusterARN("c"), `"StringEquals":{"eks:kubernetesVersion":"2"}`, func(ctx context.Context, c *eks.Client) error {
			return errorOf(c.UpdateClusterVersion(ctx, &eks.UpdateClusterVersionInput{Name: name, Version: aws.String("2")}))
		}, "InvalidParameterException"},
		"AssociateEncryptionConfig": {clusterARN("c"), "", func(ctx context.Context, c *eks.Client) error {
			return errorOf(c.AssociateEncryptionConfig(ctx, &eks.AssociateEncryptionConfigInput{ClusterName: name, EncryptionConfig: []ekstypes.EncryptionConfig{}}))
		}, "InvalidParameterException"},
		"ListInsights": {clusterARN("c"), "", func(ctx context.Context, c *eks.Client) error {
			return errorOf(c.ListInsights(ctx, &eks.ListInsightsInput{ClusterName: name}))
		}, ""},
		"DescribeInsight": {clusterARN("c"), "", func(ctx context.Context, c *eks.Client) error {
			return errorOf(c.DescribeInsight(ctx, &eks.DescribeInsightInput{ClusterName: name, Id: x}))
		}, missing},
		"CreateNodegroup": {clusterARN("c"), `"StringEquals":{"aws:RequestTag/team":"a"}`, func(ctx context.Context, c *eks.Client) error {
			return errorOf(c.CreateNodegroup(ctx, &eks.CreateNodegroupInput{ClusterName: name, NodegroupName: x, NodeRole: x, Subnets: []string{}, Tags: map[string]string{"team": "a"}}))
		}, "InvalidParameterException"},
		"ListNodegroups": {clusterARN("c"), "", func(ctx context.Context, c *eks.Client) error {
			return errorOf(c.ListNodegroups(ctx, &eks.ListNodegroupsInput{ClusterName: name}))
		}, ""},
		"DescribeNodegroup": {*made.Nodegroup.NodegroupArn, `"StringEquals":{"aws:ResourceTag/team":"a"}`, func(ctx context.Context, c *eks.Client) error {
			return errorOf(c.DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{ClusterName: name, NodegroupName: aws.String("g")}))
		}, ""},
		"UpdateNodegroupConfig": {inCluster("nodegroup/c/x/*"), "", func(ctx context.Context, c *eks.Client) error {
			return errorOf(c.UpdateNodegroupConfig(ctx, &eks.UpdateNodegroupConfigInput{ClusterName: name, NodegroupName: x}))
		}, missing},
		"UpdateNodegroupVersion": {inCluster("nodegroup/c/x/*"), "", func(ctx context.Context, c *eks.Client) error {
			return errorOf(c.UpdateNodegroupVersion(ctx, &eks.UpdateNodegroupVersionInput{ClusterName: name, NodegroupName: x}))
		}, missing},
		"DeleteNodegroup": {inCluster("nodegroup/c/x/*"), "", func(ctx context.Context, c *eks.Client) error {
			return errorOf(c.DeleteNodegroup(ctx, &eks.DeleteNodegroupInput{ClusterName: name, NodegroupName: x}))
		}, missing},
		"CreateFargateProfile": {clusterARN("c"), "", func(ctx context.Context, c *eks.Client) error {
			return errorOf(c.CreateFargateProfile(ctx, &eks.CreateFargateProfileInput{ClusterName: name, FargateProfileName: x, PodExecutionRoleArn: x}))
		}, "InvalidParameterException"},
		"ListFargateProfiles": {clusterARN("c"), "", func(ctx context.Context, c *eks.Client) error {
			return errorOf(c.ListFargateProfiles(ctx, &eks.ListFargateProfilesInput{ClusterName: name}))
		}, ""},
		"DescribeFargateProfile": {inCluster("fargateprofile/c/x/*"), "", func(ctx context.Context, c *eks.Client) error {
			return errorOf(c.DescribeFargateProfile(ctx, &eks.DescribeFargateProfileInput{ClusterName: name, FargateProfileName: x}))
		}, missing},
		"DeleteFargateProfile": {inCluster("fargateprofile/c/x/*"), "", func(ctx context.Context, c *eks.Client) error {
			return errorOf(c.DeleteFargateProfile(ctx, &eks.DeleteFargateProfileInput{ClusterName: name, FargateProfileName: x}))
		}, missing},
		"CreateAddon": {clusterARN("c"), "", func(ctx context.Context, c *eks.Client) error {
			return errorOf(c.CreateAddon(ctx, &eks.CreateAddonInput{ClusterName: name, AddonName: x}))
		}, missing},
		"ListAddons": {clusterARN("c"), "", func(ctx context.Context, c *eks.Client) error {
			return errorOf(c.ListAddons(ctx, &eks.ListAddonsInput{ClusterName: name}))
		}, ""},
		"DescribeAddon": {inCluster("addon/c/x/*"), "", func(ctx context.Context, c *eks.Client) error {
			return errorOf(c.DescribeAddon(ctx, &eks.DescribeAddonInput{ClusterName: name, AddonName: x}))
		}, missing},
		"UpdateAddon": {inCluster("addon/c/x/*"), "", func(ctx context.Context, c *eks.Client) error {
			return errorOf(c.UpdateAddon(ctx, &eks.UpdateAddonInput{ClusterName: name, AddonName: x}))
		}, missing},
		"DeleteAddon": {inCluster("addon/c/x/*"), "", func(ctx context.Context, c *eks.Client) error {
			return errorOf(c.DeleteAddon(ctx, &eks.DeleteAddonInput{ClusterName: name, AddonName: x}))
		}, missing},
		"CreatePodIdentityAssociation": {clusterARN("c"), "", func(ctx context.Context, c *eks.Client) error {
			return errorOf(c.CreatePodIdentityAssociation(ctx, &eks.CreatePodIdentityAssociationInput{ClusterName: name, Namespace: x, ServiceAccount: x, RoleArn: x}))
		}, "InvalidParameterException"},
		"ListPodIdentityAssociations": {clusterARN("c"), "", func(ctx context.Context, c *eks.Client) error {
			return errorOf(c.ListPodIdentityAssociations(ctx, &eks.ListPodIdentityAssociationsInput{ClusterName: name}))
		}, ""},
		"DescribePodIdentityAssociation": {inCluster("podidentityassociation/c/x"), "", func(ctx context.Context, c *eks.Client) error {
			return errorOf(c.DescribePodIdentityAssociation(ctx, &eks.DescribePodIdentityAssociationInput{ClusterName: name, AssociationId: x}))
		}, missing},
		"UpdatePodIdentityAssociation": {inCluster("podidentityassociation/c/x"), "", func(ctx context.Context, c *eks.Client) error {
			return errorOf(c.UpdatePodIdentityAssociation(ctx, &eks.UpdatePodIdentityAssociationInput{ClusterName: name, AssociationId: x}))
		}, missing},
		"DeletePodIdentityAssociation": {inCluster("podidentityassociation/c/x"), "", func(ctx context.Context, c *eks.Client) error {
			return errorOf(c.DeletePodIdentityAssociation(ctx, &eks.DeletePodIdentityAssociationInput{ClusterName: name, AssociationId: x}))
		}, missing},
		"AssociateIdentityProviderConfig": {clusterARN("c"), `"StringEquals":{"eks:clientId":"x","eks:issuerUrl":"x"}`, func(ctx context.Context, c *eks.Client) error {
			return errorOf(c.AssociateIdentityProviderConfig(ctx, &eks.AssociateIdentityProviderConfigInput{ClusterName: name, Oidc: &ekstypes.OidcIdentityProviderConfigRequest{IdentityProviderConfigName: x, ClientId: x, IssuerUrl: x}}))
		}, "InvalidParameterException"},
		"ListIdentityProviderConfigs": {clusterARN("c"), "", func(ctx context.Context, c *eks.Client) error {
			return errorOf(c.ListIdentityProviderConfigs(ctx, &eks.ListIdentityProviderConfigsInput{ClusterName: name}))
		}, ""},
		"DescribeIdentityProviderConfig": {inCluster("identityproviderconfig/c/oidc/x/*"), "", func(ctx context.Context, c *eks.Client) error {
			return errorOf(c.DescribeIdentityProviderConfig(ctx, &eks.DescribeIdentityProviderConfigInput{ClusterName: name, IdentityProviderConfig: &ekstypes.IdentityProviderConfig{Name: x, Type: aws.String("oidc")}}))
		}, missing},
		"DisassociateIdentityProviderConfig": {inCluster("identityproviderconfig/c/oidc/x/*"), "", func(ctx context.Context, c *eks.Client) error {
			return errorOf(c.DisassociateIdentityProviderConfig(ctx, &eks.DisassociateIdentityProviderConfigInput{ClusterName: name, IdentityProviderConfig: &ekstypes.IdentityProviderConfig{Name: x, Type: aws.String("oidc")}}))
		}, missing},
		"DeleteCluster": {clusterARN("gone"), "", func(ctx context.Context, c *eks.Client) error {
			_, err := c.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: aws.String("gone")})
			return err
		}, "ResourceNotFoundException"},
	} {
		t.Run(action, func(t *testing.T) {
			pass := `{"Effect":"Allow","Action":"iam:PassRole","Resource":"` + *role + `","Condition":{"StringEquals":{"iam:PassedToService":"eks.amazonaws.com"}}}`
			may := newUser(t, s, "may-"+action, statements(pass, `{"Effect":"Allow","Action":"eks:`+action+`","Resource":"`+test.resource+`","Condition":{`+test.condition+`}}`))
			mayNot := newUser(t, s, "may-not-"+action, statements(pass, `{"Effect":"Allow","NotAction":"eks:`+action+`","Resource":"*"}`))
			err := test.call(t.Context(), eks.NewFromConfig(mayNot))
			if code(err) != "AccessDeniedException" || !strings.Contains(err.Error(), "is not authorized to perform: eks:"+action+" on resource: "+test.resource+" because") {
				t.Errorf("without permission: %v", err)
			}
			err = test.call(t.Context(), eks.NewFromConfig(may))
			if code(err) != test.want {
				t.Errorf("with permission: %v, want %q", err, test.want)
			}
			if test.want == noEntries && !strings.Contains(err.Error(), "The cluster's authentication mode must be set to one of [API, API_AND_CONFIG_MAP] to perform this operation.") {
				t.Errorf("with permission: %v", err)
			}
		})
	}
}

func TestCreateClusterPassesRole(t *testing.T) {
	s := start(t, localaws.Config{})
	role := newServiceRole(t, s, "eks", "eks")
	bob := newUser(t, s, "bob", statement("Allow", "eks:*", "*"))
	_, err := eks.NewFromConfig(bob).CreateCluster(t.Context(), &eks.CreateClusterInput{Name: aws.String("x"), RoleArn: &role, ResourcesVpcConfig: twoSubnets()})
	if code(err) != "AccessDeniedException" || !strings.Contains(err.Error(), "iam:PassRole on resource: "+role) {
		t.Errorf("without iam:PassRole: %v", err)
	}
}

func TestAccessEntriesOfNoPrincipal(t *testing.T) {
	s := start(t, localaws.Config{})
	_, err := eks.NewFromConfig(s.SDK()).DescribeAccessEntry(t.Context(), &eks.DescribeAccessEntryInput{ClusterName: aws.String("c"), PrincipalArn: aws.String("bob")})
	if code(err) != "InvalidParameterException" {
		t.Errorf("not an ARN: %v", err)
	}
	_, err = eks.NewFromConfig(s.SDK()).DescribeAccessEntry(t.Context(), &eks.DescribeAccessEntryInput{ClusterName: aws.String("c"), PrincipalArn: aws.String(arn("user/bob"))})
	if code(err) != "ResourceNotFoundException" {
		t.Errorf("no such cluster: %v", err)
	}
}

func TestListAccessPolicies(t *testing.T) {
	s := start(t, localaws.Config{})
	arns := map[string]string{}
	var names []string
	for pages := eks.NewListAccessPoliciesPaginator(eks.NewFromConfig(s.SDK()), &eks.ListAccessPoliciesInput{MaxResults: aws.Int32(7)}); pages.HasMorePages(); {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, policy := range page.AccessPolicies {
			arns[*policy.Name] = *policy.Arn
			names = append(names, *policy.Name)
		}
	}
	if arns["AmazonEKSClusterAdminPolicy"] != "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy" || len(names) != len(arns) || len(names) < 20 || !slices.IsSorted(names) {
		t.Errorf("%q", names)
	}
}

func TestClusterTags(t *testing.T) {
	s := start(t, localaws.Config{})
	newCluster(t, s, s.SDK(), "c")
	client, ctx, arn := eks.NewFromConfig(s.SDK()), t.Context(), aws.String(clusterARN("c"))
	tag := func(tags map[string]string) string {
		_, err := client.TagResource(ctx, &eks.TagResourceInput{ResourceArn: arn, Tags: tags})
		return code(err)
	}
	for _, step := range []struct {
		do   func() string
		want map[string]string
		code string
	}{
		{func() string { return tag(map[string]string{"a": "1", "B": "2"}) }, map[string]string{"a": "1", "B": "2"}, ""},
		{func() string { return tag(map[string]string{"a": "3", "b": "4"}) }, map[string]string{"a": "3", "B": "2", "b": "4"}, ""},
		{func() string { return tag(map[string]string{"aws:a": "3"}) }, map[string]string{"a": "3", "B": "2", "b": "4"}, "BadRequestException"},
		{func() string { return tag(map[string]string{"": "3"}) }, map[string]string{"a": "3", "B": "2", "b": "4"}, "BadRequestException"},
		{func() string { return tag(map[string]string{"c": strings.Repeat("x", 257)}) }, map[string]string{"a": "3", "B": "2", "b": "4"}, "BadRequestException"},
		{func() string { return tag(map[string]string{}) }, map[string]string{"a": "3", "B": "2", "b": "4"}, "BadRequestException"},
		{func() string {
			many := map[string]string{}
			for i := range 48 {
				many[fmt.Sprint(i)] = ""
			}
			return tag(many)
		}, map[string]string{"a": "3", "B": "2", "b": "4"}, "BadRequestException"},
		{func() string {
			_, err := client.UntagResource(ctx, &eks.UntagResourceInput{ResourceArn: arn, TagKeys: []string{"a", "B", "nothing"}})
			return code(err)
		}, map[string]string{"b": "4"}, ""},
	} {
		if got := step.do(); got != step.code {
			t.Errorf("%q, want %q", got, step.code)
		}
		got, err := client.ListTagsForResource(ctx, &eks.ListTagsForResourceInput{ResourceArn: arn})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(step.want, got.Tags); diff != "" {
			t.Error(diff)
		}
	}
	if err := s.RegisterCluster("eu-west-1", "c", "https://127.0.0.1:1", nil); err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{clusterARN("d"), strings.Replace(*arn, "eu-west-2", "eu-west-1", 1), "x"} {
		if _, err := client.ListTagsForResource(ctx, &eks.ListTagsForResourceInput{ResourceArn: &gone}); code(err) != "NotFoundException" {
			t.Errorf("%s: %v", gone, err)
		}
	}
}

func TestUpdateClusterConfig(t *testing.T) {
	s := start(t, localaws.Config{})
	newCluster(t, s, s.SDK(), "c")
	client, ctx, name := eks.NewFromConfig(s.SDK()), t.Context(), aws.String("c")
	access := &ekstypes.VpcConfigRequest{EndpointPrivateAccess: aws.Bool(true), PublicAccessCidrs: []string{"10.0.0.0/8"}}
	for want, input := range map[string]eks.UpdateClusterConfigInput{
		"The type for cluster update was not provided":                                {},
		"Only one type of update":                                                     {ResourcesVpcConfig: access, Logging: &ekstypes.Logging{}},
		"No changes needed for the logging config provided":                           {Logging: &ekstypes.Logging{ClusterLogging: []ekstypes.LogSetup{{Enabled: aws.Bool(false)}}}},
		"Unsupported authentication mode update from CONFIG_MAP to API":               {AccessConfig: &ekstypes.UpdateAccessConfigRequest{AuthenticationMode: "API"}},
		"Unsupported authentication mode update from CONFIG_MAP to CONFIG_MAP":        {AccessConfig: &ekstypes.UpdateAccessConfigRequest{AuthenticationMode: "CONFIG_MAP"}},
		"Cluster is already at the desired configuration with endpointPrivateAccess:": {ResourcesVpcConfig: &ekstypes.VpcConfigRequest{EndpointPublicAccess: aws.Bool(true)}},
		"The networks of a cluster, the access to its endpoint":                       {ResourcesVpcConfig: &ekstypes.VpcConfigRequest{EndpointPrivateAccess: aws.Bool(true), SubnetIds: []string{subnetB, subnetC}}},
		"at least two different AZs":                                                  {ResourcesVpcConfig: &ekstypes.VpcConfigRequest{SubnetIds: []string{subnetC}}},
		`tier "x" is not valid (supported: standard, tier-xl,`:                        {ControlPlaneScalingConfig: &ekstypes.ControlPlaneScalingConfig{Tier: "x"}},
		"its egress mode cannot be updated at a time":                                 {ResourcesVpcConfig: &ekstypes.VpcConfigRequest{EndpointPrivateAccess: aws.Bool(true), ControlPlaneEgressMode: "CUSTOMER_ROUTED"}},
		"localaws does not support the parameter kubeApiServerConfig":                 {KubeApiServerConfig: &ekstypes.KubeApiServerConfigRequest{EventTtl: aws.String("1h")}},
	} {
		input.Name = name
		if _, err := client.UpdateClusterConfig(ctx, &input); code(err) != "InvalidParameterException" || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}

	token := aws.String("token")
	updated, err := client.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{Name: name, ResourcesVpcConfig: access, ClientRequestToken: token})
	if err != nil {
		t.Fatal(err)
	}
	if updated.Update.Status != ekstypes.UpdateStatusInProgress || updated.Update.Type != ekstypes.UpdateTypeEndpointAccessUpdate {
		t.Errorf("%+v", updated.Update)
	}
	if again, err := client.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{Name: name, ResourcesVpcConfig: access, ClientRequestToken: token}); err != nil || *again.Update.Id != *updated.Update.Id {
		t.Errorf("the same request again: %+v, %v", again, err)
	}
	for what, update := range map[string]func() error{
		"another update": func() error {
			_, err := client.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{Name: name, UpgradePolicy: &ekstypes.UpgradePolicyRequest{SupportType: "STANDARD"}, ClientRequestToken: token})
			return err
		},
		"an update of another operation": func() error {
			_, err := client.UpdateClusterVersion(ctx, &eks.UpdateClusterVersionInput{Name: name, Version: aws.String("1.36"), ClientRequestToken: token})
			return err
		},
		"an identity provider": func() error {
			_, err := client.AssociateIdentityProviderConfig(ctx, &eks.AssociateIdentityProviderConfigInput{ClusterName: name, ClientRequestToken: token, Oidc: &ekstypes.OidcIdentityProviderConfigRequest{
				IdentityProviderConfigName: aws.String("corp"), IssuerUrl: aws.String("https://issuer.example"), ClientId: aws.String("id"),
			}})
			return err
		},
	} {
		if err := update(); code(err) != "InvalidParameterException" || !strings.Contains(err.Error(), "The clientRequestToken was used for another request") {
			t.Errorf("%s under the same token: %v", what, err)
		}
	}
	if _, err := client.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{Name: name, ResourcesVpcConfig: &ekstypes.VpcConfigRequest{SubnetIds: []string{subnetB, subnetC}}}); err != nil {
		t.Fatal(err)
	}
	described, err := client.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	if vpc := described.Cluster.ResourcesVpcConfig; !vpc.EndpointPublicAccess || !vpc.EndpointPrivateAccess || !slices.Equal(vpc.PublicAccessCidrs, access.PublicAccessCidrs) || !slices.Equal(vpc.SubnetIds, []string{subnetB, subnetC}) {
		t.Errorf("%+v", vpc)
	}
	listed, err := client.ListUpdates(ctx, &eks.ListUpdatesInput{Name: name})
	if err != nil || len(listed.UpdateIds) != 2 || !slices.Contains(listed.UpdateIds, *updated.Update.Id) {
		t.Errorf("%+v, %v", listed, err)
	}
	one, err := client.DescribeUpdate(ctx, &eks.DescribeUpdateInput{Name: name, UpdateId: updated.Update.Id})
	if err != nil {
		t.Fatal(err)
	}
	if one.Update.Status != ekstypes.UpdateStatusSuccessful || one.Update.CreatedAt == nil || len(one.Update.Params) != 3 || *one.Update.Params[2].Value != `["10.0.0.0/8"]` {
		t.Errorf("%+v", one.Update)
	}
}

// TestEKSPaths sends requests that no AWS client sends.
func TestEKSPaths(t *testing.T) {
	s := start(t, localaws.Config{})
	newCluster(t, s, s.SDK(), "c")
	for _, test := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/clusters/c", "", 200, `"name":"c"`},
		{"GET", "/clusters/%63", "", 200, `"name":"c"`},
		{"GET", "/tags/arn%3Aaws%3Aeks%3Aeu-west-2%3A" + account + "%3Acluster%2Fc", "", 200, `{"tags":{}}`},
		{"GET", "/tags/arn:aws:eks:eu-west-2:" + account + ":cluster/c", "", 404, "no EKS operation"},
		{"GET", "/clusters/c/d", "", 404, "no EKS operation"},
		{"PUT", "/clusters/c", "", 404, "no EKS operation"},
		{"GET", "/", "", 404, "no EKS operation"},
		{"GET", "/clusters/c?verbose=1", "", 400, "parameter verbose of DescribeCluster"},
		{"POST", "/clusters", `{"name":`, 400, "does not parse"},
		{"POST", "/clusters", `{} {}`, 400, "trailing data"},
		{"POST", "/clusters", `{"resourcesVpcConfig":{"ipFamily":"ipv6"}}`, 400, "does not support the parameter ipFamily"},
		{"POST", "/clusters", "", 400, "cluster name"},
	} {
		status, body := askEKS(t, s, test.method, test.path, test.body)
		if status != test.status || !strings.Contains(body, test.want) {
			t.Errorf("%s %s: %d %s, want %d and %q", test.method, test.path, status, body, test.status, test.want)
		}
	}
}

// askEKS sends any request as the administrator.
func askEKS(t *testing.T, s *localawstest.Server, method, path, body string) (status int, answered string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, "https://eks.eu-west-2.amazonaws.com"+path, strings.NewReader(body))
	if err != nil {
		t.Skip(err)
	}
	return send(t, s, s.SDK(), request, body, "eks", "eu-west-2")
}

// FuzzEKS checks that any request succeeds or fails as the client's mistake.
func FuzzEKS(f *testing.F) {
	s := start(f, localaws.Config{})
	newCluster(f, s, s.SDK(), "c")
	f.Add("POST", "/clusters", `{"name":"x","roleArn":"y","resourcesVpcConfig":{"subnetIds":["`+subnetA+`"]},"accessConfig":{"authenticationMode":"API"}}`)
	f.Add("POST", "/clusters/c/update-config", `{"logging":{"clusterLogging":[{}]}}`)
	f.Add("POST", "/clusters", `{"name":"x","roleArn":"arn:aws:iam::`+account+`:role/eks","resourcesVpcConfig":{"subnetIds":["`+subnetA+`","`+subnetB+`"]},"logging":{"clusterLogging":[null]},"computeConfig":{"enabled":true},"encryptionConfig":[{}]}`)
	f.Add("POST", "/clusters/c/node-groups", `{"nodegroupName":"g","nodeRole":"x","subnets":["`+subnetA+`"],"taints":[{}],"updateConfig":{}}`)
	f.Add("POST", "/clusters/c/addons", `{"addonName":"coredns","podIdentityAssociations":[{}]}`)
	f.Add("POST", "/clusters/c/identity-provider-configs/describe", `{"identityProviderConfig":null}`)
	f.Add("POST", "/clusters/c/update-config", `{"accessConfig":{"authenticationMode":"API_AND_CONFIG_MAP"}}`)
	f.Add("DELETE", "/tags/arn%3Aaws?tagKeys=a", "")
	f.Add("GET", "/clusters?maxResults=1&nextToken=YQ", "")
	f.Add("POST", "/clusters/%2e%2E/access-entries", "[]")
	f.Fuzz(func(t *testing.T, method, path, body string) {
		if !strings.HasPrefix(path, "/") {
			t.Skip()
		}
		if status, answered := askEKS(t, s, method, path, body); status >= 500 || status != 200 && !strings.Contains(answered, `"message":`) {
			t.Errorf("%s %s %s: %d %s", method, path, body, status, answered)
		}
	})
}

// TestClusterHasAccessEntries checks what an authenticator's control plane reads of a
// cluster, and that it learns of each change.
func TestClusterHasAccessEntries(t *testing.T) {
	s, other := startTwo(t)
	role := newServiceRole(t, s, "eks", "eks")
	client := eks.NewFromConfig(s.SDK())
	if _, err := client.CreateCluster(t.Context(), &eks.CreateClusterInput{
		Name: aws.String("c"), RoleArn: &role, ResourcesVpcConfig: twoSubnets(),
		AccessConfig: &ekstypes.CreateAccessConfigRequest{AuthenticationMode: ekstypes.AuthenticationModeApi, BootstrapClusterCreatorAdminPermissions: aws.Bool(false)},
	}); err != nil {
		t.Fatal(err)
	}
	s.NewUser(t, "bob", "")
	changed := s.Changed()
	select {
	case <-changed:
		t.Error("a change before there is one")
	default:
	}
	userOf(t, s, other, "eve", "")
	bob, eve := arn("user/bob"), "arn:aws:iam::"+otherAccount+":user/eve"
	<-changed // the user
	changed = s.Changed()
	for _, principal := range []string{bob, eve} {
		if _, err := client.CreateAccessEntry(t.Context(), &eks.CreateAccessEntryInput{ClusterName: aws.String("c"), PrincipalArn: &principal, KubernetesGroups: []string{"dev"}}); err != nil {
			t.Fatal(err)
		}
	}
	<-changed
	const view = "arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy"
	if _, err := client.AssociateAccessPolicy(t.Context(), &eks.AssociateAccessPolicyInput{
		ClusterName: aws.String("c"), PrincipalArn: &bob, PolicyArn: aws.String(view),
		AccessScope: &ekstypes.AccessScope{Type: ekstypes.AccessScopeTypeNamespace, Namespaces: []string{"dev-*"}},
	}); err != nil {
		t.Fatal(err)
	}
	got, ok := s.Cluster("eu-west-2", "c")
	if !ok || got.AuthenticationMode != "API" || len(got.AccessEntries) != 2 {
		t.Fatalf("%+v", got)
	}
	for _, entry := range got.AccessEntries {
		if !strings.HasPrefix(entry.PrincipalID, "AIDA") {
			t.Errorf("the unique ID of %s is %q", entry.PrincipalARN, entry.PrincipalID)
		}
	}
	entry := got.AccessEntries[slices.IndexFunc(got.AccessEntries, func(e localaws.AccessEntry) bool { return e.PrincipalARN == bob })]
	entry.PrincipalID = ""
	want := localaws.AccessEntry{PrincipalARN: bob, Username: bob, Groups: []string{"dev"}, Policies: []localaws.AccessPolicy{{ARN: view, Namespaces: []string{"dev-*"}}}}
	if diff := cmp.Diff(want, entry); diff != "" {
		t.Error(diff)
	}
}
