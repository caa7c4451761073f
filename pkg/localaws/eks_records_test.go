package localaws_test

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/go-cmp/cmp"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

// refused checks that a call fails with a code and these words.
func refused(t *testing.T, what string, err error, wantCode, words string) {
	t.Helper()
	if code(err) != wantCode || !strings.Contains(err.Error(), words) {
		t.Errorf("%s: %v, want %s with %q", what, err, wantCode, words)
	}
}

func TestARecordIsACluster(t *testing.T) {
	s := start(t, localaws.Config{})
	newCluster(t, s, s.SDK(), "c")
	described, err := eks.NewFromConfig(s.SDK()).DescribeCluster(t.Context(), &eks.DescribeClusterInput{Name: aws.String("c")})
	if err != nil {
		t.Fatal(err)
	}
	c := described.Cluster
	if c.Status != ekstypes.ClusterStatusActive || !strings.HasPrefix(*c.Identity.Oidc.Issuer, "https://oidc.eks.eu-west-2.amazonaws.com/id/") ||
		*c.PlatformVersion != "eks.1" || c.UpgradePolicy.SupportType != ekstypes.SupportTypeExtended || *c.DeletionProtection ||
		*c.KubernetesNetworkConfig.ServiceIpv4Cidr != "172.20.0.0/16" || c.KubernetesNetworkConfig.IpFamily != "ipv4" || *c.KubernetesNetworkConfig.ElasticLoadBalancing.Enabled ||
		!strings.HasPrefix(*c.ResourcesVpcConfig.VpcId, "vpc-0") || !strings.HasPrefix(*c.ResourcesVpcConfig.ClusterSecurityGroupId, "sg-0") ||
		len(c.Logging.ClusterLogging) != 1 || *c.Logging.ClusterLogging[0].Enabled || len(c.Logging.ClusterLogging[0].Types) != 5 ||
		c.EncryptionConfig != nil || c.ComputeConfig != nil || c.OutpostConfig != nil {
		t.Errorf("%+v", c)
	}
	ca, err := base64.StdEncoding.DecodeString(*c.CertificateAuthority.Data)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(ca)
	if block == nil {
		t.Fatalf("not PEM: %q", ca)
	}
	if _, err := x509.ParseCertificate(block.Bytes); err != nil {
		t.Error(err)
	}

	// The proxy says what is missing, in the status line, which clients show.
	proxy, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{Proxy: http.ProxyURL(proxy)}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, *c.Endpoint, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := transport.RoundTrip(request); err == nil || !strings.Contains(err.Error(), "localaws: no API server is bound to this cluster") {
		t.Errorf("%v", err)
	}
}

func TestClusterSettings(t *testing.T) {
	s := start(t, localaws.Config{})
	client, ctx := eks.NewFromConfig(s.SDK()), t.Context()
	role, node := newServiceRole(t, s, "eks", "eks"), newServiceRole(t, s, "node", "ec2")
	key := "arn:aws:kms:eu-west-2:" + account + ":key/k"
	name := aws.String("c")
	made, err := client.CreateCluster(ctx, &eks.CreateClusterInput{
		Name: name, RoleArn: &role, ResourcesVpcConfig: twoSubnets(), Version: aws.String("1.33"), BootstrapSelfManagedAddons: aws.Bool(false),
		AccessConfig: &ekstypes.CreateAccessConfigRequest{AuthenticationMode: "API"},
		Logging: &ekstypes.Logging{ClusterLogging: []ekstypes.LogSetup{
			{Enabled: aws.Bool(true), Types: []ekstypes.LogType{"audit", "api"}}, {Enabled: aws.Bool(false), Types: []ekstypes.LogType{"scheduler"}},
		}},
		KubernetesNetworkConfig: &ekstypes.KubernetesNetworkConfigRequest{ServiceIpv4Cidr: aws.String("10.100.0.0/16"), ElasticLoadBalancing: &ekstypes.ElasticLoadBalancing{Enabled: aws.Bool(true)}},
		EncryptionConfig:        []ekstypes.EncryptionConfig{{Resources: []string{"secrets"}, Provider: &ekstypes.Provider{KeyArn: &key}}},
		ComputeConfig:           &ekstypes.ComputeConfigRequest{Enabled: aws.Bool(true), NodePools: []string{"system"}, NodeRoleArn: &node},
		StorageConfig:           &ekstypes.StorageConfigRequest{BlockStorage: &ekstypes.BlockStorage{Enabled: aws.Bool(true)}},
		UpgradePolicy:           &ekstypes.UpgradePolicyRequest{SupportType: "STANDARD"}, ZonalShiftConfig: &ekstypes.ZonalShiftConfigRequest{Enabled: aws.Bool(true)},
		RemoteNetworkConfig: &ekstypes.RemoteNetworkConfigRequest{RemoteNodeNetworks: []ekstypes.RemoteNodeNetwork{{Cidrs: []string{"10.200.0.0/16"}}}},
		DeletionProtection:  aws.Bool(true), ControlPlaneScalingConfig: &ekstypes.ControlPlaneScalingConfig{Tier: "tier-xl"},
	})
	if err != nil {
		t.Fatal(err)
	}
	c := made.Cluster
	if c.AccessConfig.AuthenticationMode != "API" || !*c.ComputeConfig.Enabled || !*c.StorageConfig.BlockStorage.Enabled || *c.EncryptionConfig[0].Provider.KeyArn != key ||
		c.UpgradePolicy.SupportType != "STANDARD" || !*c.ZonalShiftConfig.Enabled || *c.KubernetesNetworkConfig.ServiceIpv4Cidr != "10.100.0.0/16" ||
		c.RemoteNetworkConfig.RemoteNodeNetworks[0].Cidrs[0] != "10.200.0.0/16" || !slices.Equal(c.Logging.ClusterLogging[0].Types, []ekstypes.LogType{"api", "audit"}) ||
		*c.KubernetesNetworkConfig.ElasticLoadBalancing.Enabled != true || *c.DeletionProtection != true ||
		c.ControlPlaneScalingConfig.Tier != "tier-xl" || c.ResourcesVpcConfig.ControlPlaneEgressMode != "AWS_MANAGED" {
		t.Errorf("%+v", c)
	}
	_, err = client.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: name})
	refused(t, "deletion protection", err, "InvalidRequestException", "deletion protection")

	update := func(want ekstypes.UpdateType, input eks.UpdateClusterConfigInput) {
		t.Helper()
		input.Name = name
		updated, err := client.UpdateClusterConfig(ctx, &input)
		if err != nil {
			t.Errorf("%s: %v", want, err)
			return
		}
		described, err := client.DescribeUpdate(ctx, &eks.DescribeUpdateInput{Name: name, UpdateId: updated.Update.Id})
		if err != nil || described.Update.Type != want || described.Update.Status != "Successful" || len(described.Update.Params) == 0 {
			t.Errorf("%s: %+v, %v", want, described, err)
		}
	}
	off := aws.Bool(false)
	update("LoggingUpdate", eks.UpdateClusterConfigInput{Logging: &ekstypes.Logging{ClusterLogging: []ekstypes.LogSetup{{Enabled: off, Types: []ekstypes.LogType{"api"}}}}})
	update("UpgradePolicyUpdate", eks.UpdateClusterConfigInput{UpgradePolicy: &ekstypes.UpgradePolicyRequest{SupportType: "EXTENDED"}})
	update("ZonalShiftConfigUpdate", eks.UpdateClusterConfigInput{ZonalShiftConfig: &ekstypes.ZonalShiftConfigRequest{Enabled: off}})
	update("RemoteNetworkConfigUpdate", eks.UpdateClusterConfigInput{RemoteNetworkConfig: &ekstypes.RemoteNetworkConfigRequest{RemoteNodeNetworks: []ekstypes.RemoteNodeNetwork{}}})
	update("DeletionProtectionUpdate", eks.UpdateClusterConfigInput{DeletionProtection: off})
	update("ControlPlaneScalingConfigUpdate", eks.UpdateClusterConfigInput{ControlPlaneScalingConfig: &ekstypes.ControlPlaneScalingConfig{Tier: "standard"}})
	update("ControlPlaneEgressUpdate", eks.UpdateClusterConfigInput{ResourcesVpcConfig: &ekstypes.VpcConfigRequest{ControlPlaneEgressMode: "CUSTOMER_ROUTED"}})
	_, err = client.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{Name: name, ResourcesVpcConfig: &ekstypes.VpcConfigRequest{ControlPlaneEgressMode: "AWS_MANAGED"}})
	refused(t, "egress back", err, "InvalidParameterException", "Unsupported control plane egress mode update from CUSTOMER_ROUTED to AWS_MANAGED")
	update("AutoModeUpdate", eks.UpdateClusterConfigInput{
		ComputeConfig: &ekstypes.ComputeConfigRequest{Enabled: off}, StorageConfig: &ekstypes.StorageConfigRequest{BlockStorage: &ekstypes.BlockStorage{Enabled: off}},
		KubernetesNetworkConfig: &ekstypes.KubernetesNetworkConfigRequest{ElasticLoadBalancing: &ekstypes.ElasticLoadBalancing{Enabled: off}},
	})
	_, err = client.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{Name: name, ComputeConfig: &ekstypes.ComputeConfigRequest{Enabled: aws.Bool(true)}})
	refused(t, "a third of Auto Mode", err, "InvalidParameterException", "either fully enabled or fully disabled")
	_, err = client.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{Name: name, AccessConfig: &ekstypes.UpdateAccessConfigRequest{AuthenticationMode: "CONFIG_MAP"}})
	refused(t, "back", err, "InvalidParameterException", "Unsupported authentication mode update from API to CONFIG_MAP")
	_, err = client.AssociateEncryptionConfig(ctx, &eks.AssociateEncryptionConfigInput{ClusterName: name, EncryptionConfig: c.EncryptionConfig})
	refused(t, "encrypted already", err, "InvalidParameterException", "already enabled")
	for to, want := range map[string]string{"1.33": "already at version", "1.35": "Unsupported Kubernetes minor version update from 1.33 to 1.35", "1.32": "from 1.33 to 1.32", "2.0": "supported: 1.31"} {
		_, err := client.UpdateClusterVersion(ctx, &eks.UpdateClusterVersionInput{Name: name, Version: &to})
		refused(t, to, err, "InvalidParameterException", want)
	}
	if updated, err := client.UpdateClusterVersion(ctx, &eks.UpdateClusterVersionInput{Name: name, Version: aws.String("1.34")}); err != nil || updated.Update.Type != "VersionUpdate" {
		t.Errorf("%+v, %v", updated, err)
	}
	after, err := client.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: name})
	if err != nil || *after.Cluster.Version != "1.34" || *after.Cluster.ComputeConfig.Enabled || *after.Cluster.DeletionProtection ||
		after.Cluster.ControlPlaneScalingConfig.Tier != "standard" || after.Cluster.ResourcesVpcConfig.ControlPlaneEgressMode != "CUSTOMER_ROUTED" || !slices.Equal(after.Cluster.Logging.ClusterLogging[0].Types, []ekstypes.LogType{"audit"}) {
		t.Errorf("%+v, %v", after, err)
	}
	if _, err := client.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: name}); err != nil {
		t.Error(err)
	}
}

func TestAssociateEncryptionConfig(t *testing.T) {
	s := start(t, localaws.Config{})
	newCluster(t, s, s.SDK(), "c")
	client, ctx, name := eks.NewFromConfig(s.SDK()), t.Context(), aws.String("c")
	key := "arn:aws:kms:eu-west-2:" + account + ":key/k"
	config := []ekstypes.EncryptionConfig{{Resources: []string{"secrets"}, Provider: &ekstypes.Provider{KeyArn: &key}}}
	made, err := client.AssociateEncryptionConfig(ctx, &eks.AssociateEncryptionConfigInput{ClusterName: name, EncryptionConfig: config})
	must(t, err)
	update, err := client.DescribeUpdate(ctx, &eks.DescribeUpdateInput{Name: name, UpdateId: made.Update.Id})
	must(t, err)
	if u := update.Update; u.Type != "AssociateEncryptionConfig" || u.Status != "Successful" || len(u.Params) != 1 || u.Params[0].Type != "EncryptionConfig" || !strings.Contains(*u.Params[0].Value, key) {
		t.Errorf("%+v", u)
	}
	after, err := client.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: name})
	must(t, err)
	if on := after.Cluster.EncryptionConfig; len(on) != 1 || *on[0].Provider.KeyArn != key {
		t.Errorf("%+v", on)
	}
}

func TestClusterVersions(t *testing.T) {
	now := time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC)
	s := start(t, localaws.Config{Now: func() time.Time { return now }})
	versions := func(input eks.DescribeClusterVersionsInput) (names []string) {
		t.Helper()
		described, err := eks.NewFromConfig(s.SDK()).DescribeClusterVersions(t.Context(), &input)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range described.ClusterVersions {
			names = append(names, *v.ClusterVersion)
		}
		return names
	}
	for name, test := range map[string]struct {
		input eks.DescribeClusterVersionsInput
		want  []string
	}{
		"all":      {eks.DescribeClusterVersionsInput{}, []string{"1.36", "1.35", "1.34", "1.33", "1.32", "1.31"}},
		"default":  {eks.DescribeClusterVersionsInput{DefaultOnly: aws.Bool(true)}, []string{"1.36"}},
		"some":     {eks.DescribeClusterVersionsInput{ClusterVersions: []string{"1.32", "1.33", "1.1"}}, []string{"1.33", "1.32"}},
		"standard": {eks.DescribeClusterVersionsInput{VersionStatus: "STANDARD_SUPPORT"}, []string{"1.36", "1.35", "1.34"}},
		"extended": {eks.DescribeClusterVersionsInput{VersionStatus: "EXTENDED_SUPPORT"}, []string{"1.33", "1.32", "1.31"}},
	} {
		if diff := cmp.Diff(test.want, versions(test.input)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	s.Clock().Advance(365 * 24 * time.Hour)
	if got := versions(eks.DescribeClusterVersionsInput{VersionStatus: "STANDARD_SUPPORT"}); !slices.Equal(got, []string{"1.36"}) {
		t.Errorf("a year later: %q", got)
	}
}

// TestClusterNetwork checks that EKS looks up subnets and security groups in EC2.
func TestClusterNetwork(t *testing.T) {
	s := start(t, localaws.Config{})
	client, network, ctx := eks.NewFromConfig(s.SDK()), ec2.NewFromConfig(s.SDK()), t.Context()
	role, node, pods := newServiceRole(t, s, "eks", "eks"), newServiceRole(t, s, "node", "ec2"), newServiceRole(t, s, "pods", "eks-fargate-pods")
	vpc, err := network.CreateVpc(ctx, &ec2.CreateVpcInput{CidrBlock: aws.String("10.0.0.0/16")})
	must(t, err)
	subnetIn := func(zone, block string) string {
		t.Helper()
		made, err := network.CreateSubnet(ctx, &ec2.CreateSubnetInput{VpcId: vpc.Vpc.VpcId, AvailabilityZone: &zone, CidrBlock: &block})
		must(t, err)
		return *made.Subnet.SubnetId
	}
	groupIn := func(vpc *string) string {
		t.Helper()
		made, err := network.CreateSecurityGroup(ctx, &ec2.CreateSecurityGroupInput{GroupName: aws.String("control-plane"), Description: aws.String("d"), VpcId: vpc})
		must(t, err)
		return *made.GroupId
	}
	one, sibling, two := subnetIn("eu-west-2a", "10.0.0.0/24"), subnetIn("eu-west-2a", "10.0.1.0/24"), subnetIn("eu-west-2b", "10.0.2.0/24")
	near, far := groupIn(vpc.Vpc.VpcId), groupIn(nil)
	const noSubnet, noGroup = "subnet-01234567", "sg-01234567"
	absent := "The subnet ID '" + noSubnet + "' does not exist (Service: AmazonEC2; Status Code: 400; Error Code: InvalidSubnetID.NotFound; Request ID: "
	groupless := "The security group '" + noGroup + "' does not exist (Service: AmazonEC2; Status Code: 400; Error Code: InvalidGroup.NotFound; Request ID: "
	outside := "Specified subnets must belong to cluster's vpc " + *vpc.Vpc.VpcId
	elsewhere := "Security group(s) [" + far + "] are not in the same VPC as the subnets. Please specify a security group that is associated with the VPC: " + *vpc.Vpc.VpcId + "."

	create := func(network *ekstypes.VpcConfigRequest) error {
		_, err := client.CreateCluster(ctx, &eks.CreateClusterInput{Name: aws.String("c"), RoleArn: &role, ResourcesVpcConfig: network})
		return err
	}
	update := func(network *ekstypes.VpcConfigRequest) error {
		_, err := client.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{Name: aws.String("c"), ResourcesVpcConfig: network})
		return err
	}
	networks := map[string]struct {
		subnets, groups []string
		want            string
	}{
		"no such subnet":         {[]string{one, noSubnet}, nil, absent},
		"no such security group": {[]string{one, two}, []string{near, noGroup}, groupless},
		"two VPCs":               {[]string{one, subnetB}, nil, outside},
		"a group of another VPC": {[]string{one, two}, []string{near, far}, elsewhere},
		"one zone":               {[]string{one, sibling}, nil, "Subnets specified must be in at least two different AZs"},
	}
	for name, test := range networks {
		refused(t, "creating with "+name, create(&ekstypes.VpcConfigRequest{SubnetIds: test.subnets, SecurityGroupIds: test.groups}), "InvalidParameterException", test.want)
	}
	must(t, create(&ekstypes.VpcConfigRequest{SubnetIds: []string{one, two}, SecurityGroupIds: []string{near}}))
	for name, test := range networks {
		refused(t, "updating to "+name, update(&ekstypes.VpcConfigRequest{SubnetIds: test.subnets, SecurityGroupIds: test.groups}), "InvalidParameterException", test.want)
	}
	refused(t, "updating to another VPC", update(twoSubnets()), "InvalidParameterException", outside)
	must(t, update(&ekstypes.VpcConfigRequest{SubnetIds: []string{sibling, two}}))
	described, err := client.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String("c")})
	must(t, err)
	if got := described.Cluster.ResourcesVpcConfig; *got.VpcId != *vpc.Vpc.VpcId || !slices.Equal(got.SubnetIds, []string{sibling, two}) || !slices.Equal(got.SecurityGroupIds, []string{near}) {
		t.Errorf("%+v", got)
	}

	for name, test := range map[string]struct{ subnet, group, want string }{
		"no such subnet":         {noSubnet, near, absent},
		"a subnet of another":    {subnetA, near, outside},
		"no such security group": {one, noGroup, groupless},
		"a group of another VPC": {one, far, elsewhere},
		"what there is":          {one, near, ""},
	} {
		_, err := client.CreateNodegroup(ctx, &eks.CreateNodegroupInput{
			ClusterName: aws.String("c"), NodegroupName: aws.String("g"), NodeRole: &node, Subnets: []string{test.subnet},
			RemoteAccess: &ekstypes.RemoteAccessConfig{SourceSecurityGroups: []string{test.group}},
		})
		if test.want == "" {
			must(t, err)
			continue
		}
		refused(t, "a node group with "+name, err, "InvalidParameterException", test.want)
	}
	for name, test := range map[string]struct{ subnet, want string }{
		"no such subnet": {noSubnet, absent}, "a subnet of another": {subnetA, outside}, "what there is": {one, ""},
	} {
		_, err := client.CreateFargateProfile(ctx, &eks.CreateFargateProfileInput{
			ClusterName: aws.String("c"), FargateProfileName: aws.String("p"), PodExecutionRoleArn: &pods, Subnets: []string{test.subnet},
			Selectors: []ekstypes.FargateProfileSelector{{Namespace: aws.String("n")}},
		})
		if test.want == "" {
			must(t, err)
			continue
		}
		refused(t, "a Fargate profile with "+name, err, "InvalidParameterException", test.want)
	}
}

// TestRegisteredClusterHasSubnets checks that a cluster with an API server is in the
// default VPC, so that its access can be updated.
func TestRegisteredClusterHasSubnets(t *testing.T) {
	s := start(t, localaws.Config{})
	s.NewCluster(t, "c", "https://127.0.0.1:1", nil)
	client, name := eks.NewFromConfig(s.SDK()), aws.String("c")
	_, err := client.UpdateClusterConfig(t.Context(), &eks.UpdateClusterConfigInput{Name: name, ResourcesVpcConfig: &ekstypes.VpcConfigRequest{EndpointPrivateAccess: aws.Bool(true)}})
	must(t, err)
	described, err := client.DescribeCluster(t.Context(), &eks.DescribeClusterInput{Name: name})
	must(t, err)
	want := []string{subnetA, subnetB, subnetC}
	if got := described.Cluster.ResourcesVpcConfig.SubnetIds; !slices.Equal(got, want) || !slices.Equal(s.DefaultSubnets("eu-west-2"), want) {
		t.Errorf("%q", got)
	}
}

func TestNodegroups(t *testing.T) {
	s := start(t, localaws.Config{})
	newCluster(t, s, s.SDK(), "c")
	node, other := newServiceRole(t, s, "node", "ec2"), arn("role/eks")
	client, ctx, cluster := eks.NewFromConfig(s.SDK()), t.Context(), aws.String("c")
	input := func(name string) *eks.CreateNodegroupInput {
		return &eks.CreateNodegroupInput{ClusterName: cluster, NodegroupName: &name, NodeRole: &node, Subnets: []string{subnetA}, ClientRequestToken: aws.String("token-" + name)}
	}
	for what, test := range map[string]struct {
		change func(*eks.CreateNodegroupInput)
		want   string
	}{
		"a role of EKS":       {func(i *eks.CreateNodegroupInput) { i.NodeRole = &other }, "Following required service principals [ec2.amazonaws.com]"},
		"no role":             {func(i *eks.CreateNodegroupInput) { i.NodeRole = aws.String(node + "x") }, "cannot be found"},
		"no subnet":           {func(i *eks.CreateNodegroupInput) { i.Subnets = []string{} }, "Subnets are required"},
		"more than the most":  {func(i *eks.CreateNodegroupInput) { i.ScalingConfig = scaling(1, 2, 3) }, "desired capacity 3 can't be greater than max size 2"},
		"less than the least": {func(i *eks.CreateNodegroupInput) { i.ScalingConfig = scaling(2, 3, 1) }, "Minimum capacity 2 can't be greater than desired size 1"},
		"451 nodes":           {func(i *eks.CreateNodegroupInput) { i.ScalingConfig = scaling(1, 451, 1) }, "between 0 and 450"},
		"an unknown AMI":      {func(i *eks.CreateNodegroupInput) { i.AmiType = "X" }, `amiType "X" is not valid`},
		"a disk twice": {func(i *eks.CreateNodegroupInput) {
			i.LaunchTemplate, i.DiskSize = &ekstypes.LaunchTemplateSpecification{Id: aws.String("lt-1")}, aws.Int32(1)
		}, "Disk size must be specified within the launch template"},
		"a bad taint":   {func(i *eks.CreateNodegroupInput) { i.Taints = []ekstypes.Taint{{Key: aws.String("a"), Effect: "X"}} }, "supported: NO_SCHEDULE"},
		"a bad label":   {func(i *eks.CreateNodegroupInput) { i.Labels = map[string]string{"a b": ""} }, "is not valid"},
		"51 labels":     {func(i *eks.CreateNodegroupInput) { i.Labels = numbered(51) }, "more than 50 labels"},
		"a tag of AWS":  {func(i *eks.CreateNodegroupInput) { i.Tags = map[string]string{"aws:a": ""} }, "reserved"},
		"a version too": {func(i *eks.CreateNodegroupInput) { i.Version = aws.String("1.99") }, "unsupported Kubernetes version 1.99"},
		"a warm pool":   {func(i *eks.CreateNodegroupInput) { i.WarmPoolConfig = &ekstypes.WarmPoolConfig{} }, "localaws does not support the parameter warmPoolConfig"},
	} {
		bad := input("bad")
		test.change(bad)
		_, err := client.CreateNodegroup(ctx, bad)
		refused(t, what, err, "InvalidParameterException", test.want)
	}

	asked := input("workers")
	asked.Labels, asked.Taints, asked.Tags = map[string]string{"role": "one"}, []ekstypes.Taint{{Key: aws.String("dedicated"), Value: aws.String("x"), Effect: "NO_SCHEDULE"}}, map[string]string{"a": "b"}
	made, err := client.CreateNodegroup(ctx, asked)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := client.CreateNodegroup(ctx, asked); err != nil || *again.Nodegroup.NodegroupArn != *made.Nodegroup.NodegroupArn {
		t.Errorf("the same request again: %+v, %v", again, err)
	}
	differs := *asked
	differs.DiskSize = aws.Int32(30)
	_, err = client.CreateNodegroup(ctx, &differs)
	refused(t, "another request with the same token", err, "ResourceInUseException", "already exists")
	second := *asked
	second.ClientRequestToken = aws.String("another")
	_, err = client.CreateNodegroup(ctx, &second)
	refused(t, "twice", err, "ResourceInUseException", "NodeGroup already exists with name workers and cluster name c")
	_, err = client.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: cluster})
	refused(t, "its cluster", err, "ResourceInUseException", "Cluster has nodegroups attached")

	updated, err := client.UpdateNodegroupConfig(ctx, &eks.UpdateNodegroupConfigInput{
		ClusterName: cluster, NodegroupName: asked.NodegroupName, ScalingConfig: &ekstypes.NodegroupScalingConfig{MaxSize: aws.Int32(5)},
		Labels: &ekstypes.UpdateLabelsPayload{AddOrUpdateLabels: map[string]string{"new": "two"}, RemoveLabels: []string{"role"}},
		Taints: &ekstypes.UpdateTaintsPayload{AddOrUpdateTaints: []ekstypes.Taint{{Key: aws.String("dedicated"), Value: aws.String("y"), Effect: "NO_SCHEDULE"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.DescribeUpdate(ctx, &eks.DescribeUpdateInput{Name: cluster, UpdateId: updated.Update.Id})
	refused(t, "an update without its node group", err, "ResourceNotFoundException", "No update found")
	if one, err := client.DescribeUpdate(ctx, &eks.DescribeUpdateInput{Name: cluster, UpdateId: updated.Update.Id, NodegroupName: asked.NodegroupName}); err != nil || one.Update.Type != "ConfigUpdate" {
		t.Errorf("%+v, %v", one, err)
	}
	described, err := client.DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{ClusterName: cluster, NodegroupName: asked.NodegroupName})
	if err != nil {
		t.Fatal(err)
	}
	if g := described.Nodegroup; made.Nodegroup.Status != "CREATING" || g.Status != "ACTIVE" || *g.ScalingConfig.MaxSize != 5 || *g.ScalingConfig.MinSize != 1 || *g.ScalingConfig.DesiredSize != 2 ||
		g.CapacityType != "ON_DEMAND" || g.AmiType != "AL2023_x86_64_STANDARD" || !slices.Equal(g.InstanceTypes, []string{"t3.medium"}) || *g.DiskSize != 20 || *g.UpdateConfig.MaxUnavailable != 1 ||
		*g.Version != "1.36" || !strings.HasPrefix(*g.ReleaseVersion, "1.36.") || !strings.HasPrefix(*g.Resources.AutoScalingGroups[0].Name, "eks-workers-") ||
		!cmp.Equal(g.Labels, map[string]string{"new": "two"}) || len(g.Taints) != 1 || *g.Taints[0].Value != "y" || g.Tags["a"] != "b" || g.CreatedAt == nil || g.ModifiedAt == nil {
		t.Errorf("%+v", g)
	}
	_, err = client.UpdateNodegroupConfig(ctx, &eks.UpdateNodegroupConfigInput{ClusterName: cluster, NodegroupName: asked.NodegroupName, ScalingConfig: &ekstypes.NodegroupScalingConfig{MaxSize: aws.Int32(1)}})
	refused(t, "too small", err, "InvalidParameterException", "desired capacity 2 can't be greater than max size 1")
	if _, err := client.UpdateNodegroupVersion(ctx, &eks.UpdateNodegroupVersionInput{ClusterName: cluster, NodegroupName: asked.NodegroupName, ReleaseVersion: aws.String("1.36.0-20260901")}); err != nil {
		t.Error(err)
	}
	if deleted, err := client.DeleteNodegroup(ctx, &eks.DeleteNodegroupInput{ClusterName: cluster, NodegroupName: asked.NodegroupName}); err != nil || deleted.Nodegroup.Status != "DELETING" || *deleted.Nodegroup.ReleaseVersion != "1.36.0-20260901" {
		t.Errorf("%+v, %v", deleted, err)
	}
	_, err = client.DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{ClusterName: cluster, NodegroupName: asked.NodegroupName})
	refused(t, "gone", err, "ResourceNotFoundException", "No node group found for name: workers.")

	for i := range 30 {
		if _, err := client.CreateNodegroup(ctx, input(fmt.Sprintf("g%02d", i))); err != nil {
			t.Fatal(err)
		}
	}
	_, err = client.CreateNodegroup(ctx, input("g30"))
	refused(t, "the 31st", err, "ResourceLimitExceededException", "more than 30 node groups")
	listed, err := client.ListNodegroups(ctx, &eks.ListNodegroupsInput{ClusterName: cluster, MaxResults: aws.Int32(7)})
	if err != nil || len(listed.Nodegroups) != 7 || listed.NextToken == nil {
		t.Errorf("%+v, %v", listed, err)
	}
}

// TestNullLabels checks a request that no SDK sends.
func TestNullLabels(t *testing.T) {
	s := start(t, localaws.Config{})
	newCluster(t, s, s.SDK(), "c")
	node := newServiceRole(t, s, "node", "ec2")
	if status, body := askEKS(t, s, "POST", "/clusters/c/node-groups", `{"nodegroupName":"g","nodeRole":"`+node+`","subnets":["`+subnetA+`"],"labels":null}`); status != http.StatusOK {
		t.Fatal(body)
	}
	if status, body := askEKS(t, s, "POST", "/clusters/c/node-groups/g/update-config", `{"labels":{"addOrUpdateLabels":{"a":"b"}}}`); status != http.StatusOK {
		t.Error(body)
	}
}

func scaling(least, most, desired int32) *ekstypes.NodegroupScalingConfig {
	return &ekstypes.NodegroupScalingConfig{MinSize: &least, MaxSize: &most, DesiredSize: &desired}
}

func numbered(n int) map[string]string {
	all := map[string]string{}
	for i := range n {
		all[fmt.Sprintf("k%d", i)] = "v"
	}
	return all
}

func TestFargateProfiles(t *testing.T) {
	s := start(t, localaws.Config{})
	newCluster(t, s, s.SDK(), "c")
	pods, other := newServiceRole(t, s, "pods", "eks-fargate-pods"), arn("role/eks")
	client, ctx := eks.NewFromConfig(s.SDK()), t.Context()
	input := eks.CreateFargateProfileInput{ClusterName: aws.String("c"), FargateProfileName: aws.String("p"), PodExecutionRoleArn: &other, Selectors: []ekstypes.FargateProfileSelector{{Namespace: aws.String("n")}}}
	_, err := client.CreateFargateProfile(ctx, &input)
	refused(t, "another role", err, "InvalidParameterException", "Misconfigured PodExecutionRole Trust Policy; Please add the eks-fargate-pods.amazonaws.com Service Principal")
	input.PodExecutionRoleArn = &pods
	many := input
	many.Selectors = slices.Repeat(input.Selectors, 6)
	_, err = client.CreateFargateProfile(ctx, &many)
	refused(t, "six selectors", err, "InvalidParameterException", "more than 5 selectors")
	if made, err := client.CreateFargateProfile(ctx, &input); err != nil || made.FargateProfile.Status != "CREATING" {
		t.Errorf("%+v, %v", made, err)
	}
	described, err := client.DescribeFargateProfile(ctx, &eks.DescribeFargateProfileInput{ClusterName: input.ClusterName, FargateProfileName: input.FargateProfileName})
	if err != nil || described.FargateProfile.Status != "ACTIVE" || !slices.Equal(described.FargateProfile.Subnets, []string{subnetA, subnetB}) || *described.FargateProfile.Selectors[0].Namespace != "n" {
		t.Errorf("%+v, %v", described, err)
	}
	_, err = client.DeleteCluster(ctx, &eks.DeleteClusterInput{Name: input.ClusterName})
	refused(t, "its cluster", err, "ResourceInUseException", "Fargate")
	if _, err := client.DeleteFargateProfile(ctx, &eks.DeleteFargateProfileInput{ClusterName: input.ClusterName, FargateProfileName: input.FargateProfileName}); err != nil {
		t.Error(err)
	}
	if listed, err := client.ListFargateProfiles(ctx, &eks.ListFargateProfilesInput{ClusterName: input.ClusterName}); err != nil || len(listed.FargateProfileNames) != 0 {
		t.Errorf("%+v, %v", listed, err)
	}
}

func TestAddons(t *testing.T) {
	s := start(t, localaws.Config{})
	newCluster(t, s, s.SDK(), "c")
	role := newServiceRole(t, s, "cni", "pods.eks")
	client, ctx, cluster, name := eks.NewFromConfig(s.SDK()), t.Context(), aws.String("c"), aws.String("vpc-cni")
	known, err := client.DescribeAddonVersions(ctx, &eks.DescribeAddonVersionsInput{AddonName: name, KubernetesVersion: aws.String("1.36")})
	if err != nil || len(known.Addons) != 1 || len(known.Addons[0].AddonVersions) != 2 {
		t.Fatalf("%+v, %v", known, err)
	}
	newest, defaults := *known.Addons[0].AddonVersions[0].AddonVersion, 0
	for _, v := range known.Addons[0].AddonVersions {
		for _, c := range v.Compatibilities {
			if c.DefaultVersion {
				defaults++
			}
		}
	}
	if defaults != 1 {
		t.Errorf("%d defaults", defaults)
	}
	if all, err := client.DescribeAddonVersions(ctx, &eks.DescribeAddonVersionsInput{Types: []string{"storage"}}); err != nil || len(all.Addons) < 2 {
		t.Errorf("%+v, %v", all, err)
	}
	if schema, err := client.DescribeAddonConfiguration(ctx, &eks.DescribeAddonConfigurationInput{AddonName: name, AddonVersion: &newest}); err != nil || !strings.Contains(*schema.ConfigurationSchema, "object") {
		t.Errorf("%+v, %v", schema, err)
	}
	_, err = client.CreateAddon(ctx, &eks.CreateAddonInput{ClusterName: cluster, AddonName: aws.String("x")})
	refused(t, "an unknown add-on", err, "ResourceNotFoundException", "localaws has no add-on x (supported: amazon-cloudwatch-observability")
	_, err = client.CreateAddon(ctx, &eks.CreateAddonInput{ClusterName: cluster, AddonName: name, AddonVersion: aws.String("v0")})
	refused(t, "an unknown version", err, "InvalidParameterException", "Addon version specified is not supported: v0 (localaws has "+*known.Addons[0].AddonVersions[1].AddonVersion+", "+newest+")")
	_, err = client.DescribeAddonConfiguration(ctx, &eks.DescribeAddonConfigurationInput{AddonName: name, AddonVersion: aws.String("v0")})
	refused(t, "the values of an unknown version", err, "InvalidParameterException", "Addon version specified is not supported: v0 (localaws has ")
	_, err = client.CreateAddon(ctx, &eks.CreateAddonInput{ClusterName: cluster, AddonName: name, ConfigurationValues: aws.String(`{"a":`)})
	refused(t, "not JSON", err, "InvalidParameterException", "not in valid JSON or YAML format")

	values := `{"env": {"A": "true"}}`
	associations := []ekstypes.AddonPodIdentityAssociations{{ServiceAccount: aws.String("aws-node"), RoleArn: &role}}
	if made, err := client.CreateAddon(ctx, &eks.CreateAddonInput{ClusterName: cluster, AddonName: name, ConfigurationValues: &values, PodIdentityAssociations: associations}); err != nil || made.Addon.Status != "CREATING" || *made.Addon.AddonVersion == newest {
		t.Fatalf("%+v, %v", made, err)
	}
	describe := func() *ekstypes.Addon {
		t.Helper()
		described, err := client.DescribeAddon(ctx, &eks.DescribeAddonInput{ClusterName: cluster, AddonName: name})
		if err != nil {
			t.Fatal(err)
		}
		return described.Addon
	}
	if a := describe(); a.Status != "ACTIVE" || *a.ConfigurationValues != values || len(a.PodIdentityAssociations) != 1 {
		t.Errorf("%+v", a)
	}
	_, err = client.CreateAddon(ctx, &eks.CreateAddonInput{ClusterName: cluster, AddonName: name})
	refused(t, "twice", err, "ResourceInUseException", "Addon already exists.")
	listed, err := client.ListPodIdentityAssociations(ctx, &eks.ListPodIdentityAssociationsInput{ClusterName: cluster, Namespace: aws.String("kube-system")})
	if err != nil || len(listed.Associations) != 1 || *listed.Associations[0].OwnerArn != *describe().AddonArn {
		t.Fatalf("%+v, %v", listed, err)
	}
	_, err = client.DeletePodIdentityAssociation(ctx, &eks.DeletePodIdentityAssociationInput{ClusterName: cluster, AssociationId: listed.Associations[0].AssociationId})
	refused(t, "owned", err, "InvalidParameterException", "managed by")

	updated, err := client.UpdateAddon(ctx, &eks.UpdateAddonInput{ClusterName: cluster, AddonName: name, AddonVersion: &newest, ResolveConflicts: "PRESERVE", PodIdentityAssociations: []ekstypes.AddonPodIdentityAssociations{}})
	if err != nil {
		t.Fatal(err)
	}
	none := func(when string) {
		t.Helper()
		if listed, err := client.ListPodIdentityAssociations(ctx, &eks.ListPodIdentityAssociationsInput{ClusterName: cluster}); err != nil || len(listed.Associations) != 0 {
			t.Errorf("%s: %+v, %v", when, listed, err)
		}
	}
	none("updated without associations")
	if one, err := client.DescribeUpdate(ctx, &eks.DescribeUpdateInput{Name: cluster, UpdateId: updated.Update.Id, AddonName: name}); err != nil || one.Update.Type != "AddonUpdate" || one.Update.Status != "Successful" {
		t.Errorf("%+v, %v", one, err)
	}
	if a := describe(); *a.AddonVersion != newest || *a.ConfigurationValues != values || len(a.PodIdentityAssociations) != 0 {
		t.Errorf("%+v", a)
	}
	if _, err := client.UpdateAddon(ctx, &eks.UpdateAddonInput{ClusterName: cluster, AddonName: name, PodIdentityAssociations: associations}); err != nil {
		t.Error(err)
	}
	if deleted, err := client.DeleteAddon(ctx, &eks.DeleteAddonInput{ClusterName: cluster, AddonName: name}); err != nil || deleted.Addon.Status != "DELETING" {
		t.Errorf("%+v, %v", deleted, err)
	}
	_, err = client.DescribeAddon(ctx, &eks.DescribeAddonInput{ClusterName: cluster, AddonName: name})
	refused(t, "gone", err, "ResourceNotFoundException", "No addon: vpc-cni found in cluster")
	none("deleted")
}

func TestPodIdentityAssociations(t *testing.T) {
	s := start(t, localaws.Config{})
	newCluster(t, s, s.SDK(), "c")
	one, two := newServiceRole(t, s, "one", "pods.eks"), newServiceRole(t, s, "two", "pods.eks")
	client, ctx, cluster := eks.NewFromConfig(s.SDK()), t.Context(), aws.String("c")
	input := eks.CreatePodIdentityAssociationInput{ClusterName: cluster, Namespace: aws.String("default"), ServiceAccount: aws.String("app"), RoleArn: &one, ClientRequestToken: aws.String("t"), TargetRoleArn: aws.String("arn:aws:iam::111122223333:role/x")}
	made, err := client.CreatePodIdentityAssociation(ctx, &input)
	if err != nil || !strings.HasPrefix(*made.Association.AssociationId, "a-") || !strings.HasSuffix(*made.Association.AssociationArn, "podidentityassociation/c/"+*made.Association.AssociationId) || made.Association.ExternalId == nil {
		t.Fatalf("%+v, %v", made, err)
	}
	if again, err := client.CreatePodIdentityAssociation(ctx, &input); err != nil || *again.Association.AssociationId != *made.Association.AssociationId {
		t.Errorf("the same request again: %+v, %v", again, err)
	}
	second := input
	second.ClientRequestToken = aws.String("u")
	_, err = client.CreatePodIdentityAssociation(ctx, &second)
	refused(t, "twice", err, "ResourceInUseException", "Association already exists: "+*made.Association.AssociationId)
	second.RoleArn = aws.String(one + "x")
	_, err = client.CreatePodIdentityAssociation(ctx, &second)
	refused(t, "no role", err, "InvalidParameterException", "does not exist")
	id := made.Association.AssociationId
	if _, err := client.UpdatePodIdentityAssociation(ctx, &eks.UpdatePodIdentityAssociationInput{ClusterName: cluster, AssociationId: id, RoleArn: &two, TargetRoleArn: aws.String("")}); err != nil {
		t.Error(err)
	}
	if described, err := client.DescribePodIdentityAssociation(ctx, &eks.DescribePodIdentityAssociationInput{ClusterName: cluster, AssociationId: id}); err != nil || *described.Association.RoleArn != two || described.Association.ExternalId != nil {
		t.Errorf("%+v, %v", described, err)
	}
	bob := newUser(t, s, "bob", statement("Allow", "eks:*", "*"))
	second.RoleArn = &one
	_, err = eks.NewFromConfig(bob).CreatePodIdentityAssociation(ctx, &second)
	refused(t, "without iam:PassRole", err, "AccessDeniedException", "iam:PassRole on resource: "+one)
	if _, err := client.DeletePodIdentityAssociation(ctx, &eks.DeletePodIdentityAssociationInput{ClusterName: cluster, AssociationId: id}); err != nil {
		t.Error(err)
	}
	_, err = client.DescribePodIdentityAssociation(ctx, &eks.DescribePodIdentityAssociationInput{ClusterName: cluster, AssociationId: id})
	refused(t, "gone", err, "ResourceNotFoundException", *id)
}

func TestIdentityProviderConfigs(t *testing.T) {
	s := start(t, localaws.Config{})
	newCluster(t, s, s.SDK(), "c")
	client, ctx, cluster := eks.NewFromConfig(s.SDK()), t.Context(), aws.String("c")
	input := eks.AssociateIdentityProviderConfigInput{ClusterName: cluster, Oidc: &ekstypes.OidcIdentityProviderConfigRequest{IdentityProviderConfigName: aws.String("corp"), IssuerUrl: aws.String("http://idp.example.com"), ClientId: aws.String("k")}}
	_, err := client.AssociateIdentityProviderConfig(ctx, &input)
	refused(t, "not https", err, "InvalidParameterException", "https://")
	input.Oidc.IssuerUrl = aws.String("https://idp.example.com")
	if made, err := client.AssociateIdentityProviderConfig(ctx, &input); err != nil || made.Update.Type != "AssociateIdentityProviderConfig" {
		t.Fatalf("%+v, %v", made, err)
	}
	choice := &ekstypes.IdentityProviderConfig{Name: aws.String("corp"), Type: aws.String("oidc")}
	described, err := client.DescribeIdentityProviderConfig(ctx, &eks.DescribeIdentityProviderConfigInput{ClusterName: cluster, IdentityProviderConfig: choice})
	if err != nil || described.IdentityProviderConfig.Oidc.Status != "ACTIVE" || !strings.Contains(*described.IdentityProviderConfig.Oidc.IdentityProviderConfigArn, "identityproviderconfig/c/oidc/corp/") {
		t.Errorf("%+v, %v", described, err)
	}
	second := input
	second.ClientRequestToken = nil // the SDK has set it
	second.Oidc = &ekstypes.OidcIdentityProviderConfigRequest{IdentityProviderConfigName: aws.String("two"), IssuerUrl: input.Oidc.IssuerUrl, ClientId: aws.String("k")}
	_, err = client.AssociateIdentityProviderConfig(ctx, &second)
	refused(t, "a second", err, "ResourceLimitExceededException", "more than 1")
	if listed, err := client.ListIdentityProviderConfigs(ctx, &eks.ListIdentityProviderConfigsInput{ClusterName: cluster}); err != nil || len(listed.IdentityProviderConfigs) != 1 {
		t.Errorf("%+v, %v", listed, err)
	}
	if _, err := client.DisassociateIdentityProviderConfig(ctx, &eks.DisassociateIdentityProviderConfigInput{ClusterName: cluster, IdentityProviderConfig: choice}); err != nil {
		t.Error(err)
	}
	_, err = client.DescribeIdentityProviderConfig(ctx, &eks.DescribeIdentityProviderConfigInput{ClusterName: cluster, IdentityProviderConfig: choice})
	refused(t, "gone", err, "ResourceNotFoundException", "corp")
}

func TestAccessEntries(t *testing.T) {
	s := start(t, localaws.Config{})
	newCluster(t, s, s.SDK(), "c")
	client, ctx, cluster := eks.NewFromConfig(s.SDK()), t.Context(), aws.String("c")
	if _, err := iam.NewFromConfig(s.SDK()).CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("bob"), Path: aws.String("/team/")}); err != nil {
		t.Fatal(err)
	}
	bob, node := aws.String(arn("user/team/bob")), newServiceRole(t, s, "node", "ec2")
	for _, mode := range []ekstypes.AuthenticationMode{"API_AND_CONFIG_MAP", "API"} {
		if _, err := client.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{Name: cluster, AccessConfig: &ekstypes.UpdateAccessConfigRequest{AuthenticationMode: mode}}); err != nil {
			t.Fatal(err)
		}
	}
	create := func(input eks.CreateAccessEntryInput) error {
		input.ClusterName = cluster
		_, err := client.CreateAccessEntry(ctx, &input)
		return err
	}
	for what, test := range map[string]struct {
		input eks.CreateAccessEntryInput
		want  string
	}{
		"nobody":            {eks.CreateAccessEntryInput{PrincipalArn: aws.String(arn("user/nobody"))}, "invalid principal"},
		"a group":           {eks.CreateAccessEntryInput{PrincipalArn: aws.String(arn("group/g"))}, "invalid principal"},
		"a partition":       {eks.CreateAccessEntryInput{PrincipalArn: aws.String("arn:aws-cn:iam::111122223333:role/r")}, "invalid principal"},
		"a session":         {eks.CreateAccessEntryInput{PrincipalArn: aws.String("arn:aws:sts::" + account + ":assumed-role/r/s")}, "invalid principal"},
		"a user as a node":  {eks.CreateAccessEntryInput{PrincipalArn: bob, Type: aws.String("EC2_LINUX")}, "invalid principal"},
		"a node of another": {eks.CreateAccessEntryInput{PrincipalArn: aws.String("arn:aws:iam::111122223333:role/n"), Type: aws.String("EC2_LINUX")}, "must be a role of the account"},
		"groups of a node":  {eks.CreateAccessEntryInput{PrincipalArn: &node, Type: aws.String("EC2_LINUX"), KubernetesGroups: []string{"g"}}, "cannot be set for access entries of type EC2_LINUX"},
		"an unknown type":   {eks.CreateAccessEntryInput{PrincipalArn: bob, Type: aws.String("X")}, "supported: STANDARD, EC2_LINUX"},
		"a reserved name":   {eks.CreateAccessEntryInput{PrincipalArn: bob, Username: aws.String("system:x")}, "cannot begin with system:"},
		"a session's name":  {eks.CreateAccessEntryInput{PrincipalArn: bob, Username: aws.String("x{{SessionName}}")}, "after a colon"},
		"an account's name": {eks.CreateAccessEntryInput{PrincipalArn: bob, Username: aws.String("x:{{AccountID}}")}, "after a colon"},
		"a reserved group":  {eks.CreateAccessEntryInput{PrincipalArn: bob, KubernetesGroups: []string{"system:masters"}}, "cannot start with system:"},
		"too many groups":   {eks.CreateAccessEntryInput{PrincipalArn: bob, KubernetesGroups: slices.Repeat([]string{"g"}, 51)}, "more than 50"},
		"a reserved tag":    {eks.CreateAccessEntryInput{PrincipalArn: bob, Tags: map[string]string{"aws:x": ""}}, "reserved"},
	} {
		refused(t, what, create(test.input), "InvalidParameterException", test.want)
	}
	if err := create(eks.CreateAccessEntryInput{PrincipalArn: bob, KubernetesGroups: []string{"dev"}}); err != nil {
		t.Fatal(err)
	}
	refused(t, "twice", create(eks.CreateAccessEntryInput{PrincipalArn: bob}), "ResourceInUseException", "already in use on this cluster")
	if err := create(eks.CreateAccessEntryInput{PrincipalArn: &node, Type: aws.String("EC2_LINUX")}); err != nil {
		t.Error(err)
	}
	foreign := aws.String("arn:aws:iam::111122223333:role/path/r")
	if err := create(eks.CreateAccessEntryInput{PrincipalArn: foreign}); err != nil {
		t.Error(err)
	}
	for principal, want := range map[*string]string{bob: *bob, &node: "system:node:{{EC2PrivateDNSName}}", foreign: "arn:aws:sts::111122223333:assumed-role/r/{{SessionName}}"} {
		described, err := client.DescribeAccessEntry(ctx, &eks.DescribeAccessEntryInput{ClusterName: cluster, PrincipalArn: principal})
		if err != nil || *described.AccessEntry.Username != want {
			t.Errorf("%s: %+v, %v", *principal, described, err)
		}
	}
	if updated, err := client.UpdateAccessEntry(ctx, &eks.UpdateAccessEntryInput{ClusterName: cluster, PrincipalArn: bob, Username: aws.String("bob:{{SessionName}}"), KubernetesGroups: []string{}}); err != nil || *updated.AccessEntry.Username != "bob:{{SessionName}}" || len(updated.AccessEntry.KubernetesGroups) != 0 {
		t.Errorf("%+v, %v", updated, err)
	}

	view := aws.String("arn:aws:eks::aws:cluster-access-policy/AmazonEKSViewPolicy")
	associate := func(principal, policy *string, scope ekstypes.AccessScope) error {
		_, err := client.AssociateAccessPolicy(ctx, &eks.AssociateAccessPolicyInput{ClusterName: cluster, PrincipalArn: principal, PolicyArn: policy, AccessScope: &scope})
		return err
	}
	refused(t, "no policy", associate(bob, aws.String("arn:aws:iam::aws:policy/AdministratorAccess"), ekstypes.AccessScope{Type: "cluster"}), "InvalidParameterException", "policyArn")
	refused(t, "no namespace", associate(bob, view, ekstypes.AccessScope{Type: "namespace"}), "InvalidParameterException", "Namespaces are required")
	refused(t, "a node", associate(&node, view, ekstypes.AccessScope{Type: "cluster"}), "InvalidParameterException", "EC2_LINUX cannot have")
	for _, scope := range []ekstypes.AccessScope{{Type: "cluster"}, {Type: "namespace", Namespaces: []string{"dev-*"}}} {
		if err := associate(bob, view, scope); err != nil {
			t.Error(err)
		}
	}
	listed, err := client.ListAssociatedAccessPolicies(ctx, &eks.ListAssociatedAccessPoliciesInput{ClusterName: cluster, PrincipalArn: bob})
	if err != nil || len(listed.AssociatedAccessPolicies) != 1 || !slices.Equal(listed.AssociatedAccessPolicies[0].AccessScope.Namespaces, []string{"dev-*"}) {
		t.Errorf("%+v, %v", listed, err)
	}
	if entries, err := client.ListAccessEntries(ctx, &eks.ListAccessEntriesInput{ClusterName: cluster, AssociatedPolicyArn: view}); err != nil || !slices.Equal(entries.AccessEntries, []string{*bob}) {
		t.Errorf("%+v, %v", entries, err)
	}
	for _, want := range []string{"", "ResourceNotFoundException"} {
		if _, err := client.DisassociateAccessPolicy(ctx, &eks.DisassociateAccessPolicyInput{ClusterName: cluster, PrincipalArn: bob, PolicyArn: view}); code(err) != want {
			t.Errorf("%v, want %q", err, want)
		}
		if _, err := client.DeleteAccessEntry(ctx, &eks.DeleteAccessEntryInput{ClusterName: cluster, PrincipalArn: foreign}); code(err) != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestAccessEntriesOfUnusualPaths checks that a principal may have any path that IAM has.
func TestAccessEntriesOfUnusualPaths(t *testing.T) {
	s := start(t, localaws.Config{})
	users, ctx, role := iam.NewFromConfig(s.SDK()), t.Context(), newServiceRole(t, s, "eks", "eks")
	for i, path := range []string{"/team!/", "///", "//a:b//*/"} {
		name := aws.String(fmt.Sprintf("user%d", i))
		made, err := users.CreateUser(ctx, &iam.CreateUserInput{UserName: name, Path: &path})
		must(t, err)
		_, err = users.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: name, PolicyName: aws.String("all"), PolicyDocument: aws.String(statement("Allow", "*", "*"))})
		must(t, err)
		key, err := users.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: name})
		must(t, err)
		client := eks.NewFromConfig(s.SDKAs(localaws.AccessKey{ID: *key.AccessKey.AccessKeyId, Secret: *key.AccessKey.SecretAccessKey}, ""))
		_, err = client.CreateCluster(ctx, &eks.CreateClusterInput{
			Name: name, RoleArn: &role, ResourcesVpcConfig: twoSubnets(), AccessConfig: &ekstypes.CreateAccessConfigRequest{AuthenticationMode: "API"},
		})
		must(t, err)
		for _, want := range []string{*made.User.Arn, "bob"} {
			described, err := client.DescribeAccessEntry(ctx, &eks.DescribeAccessEntryInput{ClusterName: name, PrincipalArn: made.User.Arn})
			if err != nil || *described.AccessEntry.Username != want {
				t.Errorf("%s: %+v, %v", *made.User.Arn, described, err)
			}
			_, err = client.DeleteAccessEntry(ctx, &eks.DeleteAccessEntryInput{ClusterName: name, PrincipalArn: made.User.Arn})
			must(t, err)
			_, err = client.CreateAccessEntry(ctx, &eks.CreateAccessEntryInput{ClusterName: name, PrincipalArn: made.User.Arn, Username: aws.String("bob")})
			must(t, err)
		}
	}
}

// TestRolesOfNodesAreEntries checks that in a cluster with access entries, the role of a
// node group or a Fargate profile gets one.
func TestRolesOfNodesAreEntries(t *testing.T) {
	s := start(t, localaws.Config{})
	client, ctx, role := eks.NewFromConfig(s.SDK()), t.Context(), newServiceRole(t, s, "eks", "eks")
	linux, windows, pods, given := newServiceRole(t, s, "linux", "ec2"), newServiceRole(t, s, "windows", "ec2"), newServiceRole(t, s, "pods", "eks-fargate-pods"), newServiceRole(t, s, "given", "ec2")
	for mode, want := range map[ekstypes.AuthenticationMode]map[string]string{
		"CONFIG_MAP":         {},
		"API_AND_CONFIG_MAP": {linux: "EC2_LINUX", windows: "EC2_WINDOWS", pods: "FARGATE_LINUX"},
		"API":                {linux: "EC2_LINUX", windows: "EC2_WINDOWS", pods: "FARGATE_LINUX", given: "STANDARD"},
	} {
		name := aws.String(string(mode))
		_, err := client.CreateCluster(ctx, &eks.CreateClusterInput{
			Name: name, RoleArn: &role, ResourcesVpcConfig: twoSubnets(),
			AccessConfig: &ekstypes.CreateAccessConfigRequest{AuthenticationMode: mode, BootstrapClusterCreatorAdminPermissions: aws.Bool(mode == "CONFIG_MAP")},
		})
		must(t, err)
		if want[given] != "" {
			_, err = client.CreateAccessEntry(ctx, &eks.CreateAccessEntryInput{ClusterName: name, PrincipalArn: &given})
			must(t, err)
			_, err = client.CreateNodegroup(ctx, &eks.CreateNodegroupInput{ClusterName: name, NodegroupName: aws.String("given"), NodeRole: &given, Subnets: []string{subnetA}})
			must(t, err)
		}
		for role, image := range map[string]ekstypes.AMITypes{linux: "CUSTOM", windows: "WINDOWS_CORE_2025_x86_64"} {
			_, err = client.CreateNodegroup(ctx, &eks.CreateNodegroupInput{ClusterName: name, NodegroupName: aws.String(string(image)), NodeRole: &role, Subnets: []string{subnetA}, AmiType: image})
			must(t, err)
		}
		_, err = client.CreateFargateProfile(ctx, &eks.CreateFargateProfileInput{ClusterName: name, FargateProfileName: aws.String("p"), PodExecutionRoleArn: &pods, Selectors: []ekstypes.FargateProfileSelector{{Namespace: aws.String("n")}}})
		must(t, err)
		if mode == "CONFIG_MAP" {
			_, err = client.UpdateClusterConfig(ctx, &eks.UpdateClusterConfigInput{Name: name, AccessConfig: &ekstypes.UpdateAccessConfigRequest{AuthenticationMode: "API_AND_CONFIG_MAP"}})
			must(t, err)
		}
		listed, err := client.ListAccessEntries(ctx, &eks.ListAccessEntriesInput{ClusterName: name})
		must(t, err)
		got := map[string]string{}
		for _, principal := range listed.AccessEntries {
			described, err := client.DescribeAccessEntry(ctx, &eks.DescribeAccessEntryInput{ClusterName: name, PrincipalArn: &principal})
			must(t, err)
			got[principal] = *described.AccessEntry.Type
		}
		if !cmp.Equal(got, want) {
			t.Errorf("%s: %v, want %v", mode, got, want)
		}
		if want[linux] != "" {
			_, err = client.CreateAccessEntry(ctx, &eks.CreateAccessEntryInput{ClusterName: name, PrincipalArn: &linux, Type: aws.String("EC2_LINUX")})
			refused(t, "an explicit one", err, "ResourceInUseException", "already in use on this cluster")
		}
	}
}

// TestBootstrapIsAnEntry checks that the creator of a cluster in an API mode is an
// entry that can be deleted.
func TestBootstrapIsAnEntry(t *testing.T) {
	s := start(t, localaws.Config{})
	client, ctx, role := eks.NewFromConfig(s.SDK()), t.Context(), newServiceRole(t, s, "eks", "eks")
	for name, bootstrap := range map[string]bool{"with": true, "without": false} {
		if _, err := client.CreateCluster(ctx, &eks.CreateClusterInput{
			Name: &name, RoleArn: &role, ResourcesVpcConfig: twoSubnets(),
			AccessConfig: &ekstypes.CreateAccessConfigRequest{AuthenticationMode: "API", BootstrapClusterCreatorAdminPermissions: &bootstrap},
		}); err != nil {
			t.Fatal(err)
		}
		var want []string
		if bootstrap {
			want = []string{arn("user/administrator")}
		}
		admin := aws.String("arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy")
		if got, err := client.ListAccessEntries(ctx, &eks.ListAccessEntriesInput{ClusterName: &name, AssociatedPolicyArn: admin}); err != nil || !slices.Equal(got.AccessEntries, want) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// TestRecordsAreKept checks that a state file keeps what is in a cluster, and its tags.
func TestRecordsAreKept(t *testing.T) {
	config := localaws.Config{StateFile: filepath.Join(t.TempDir(), "state.json")}
	s := start(t, config)
	newCluster(t, s, s.SDK(), "c")
	node, ctx, cluster := newServiceRole(t, s, "node", "ec2"), t.Context(), aws.String("c")
	client := eks.NewFromConfig(s.SDK())
	made, err := client.CreateNodegroup(ctx, &eks.CreateNodegroupInput{ClusterName: cluster, NodegroupName: aws.String("g"), NodeRole: &node, Subnets: []string{subnetA}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CreateAddon(ctx, &eks.CreateAddonInput{ClusterName: cluster, AddonName: aws.String("coredns")}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.TagResource(ctx, &eks.TagResourceInput{ResourceArn: made.Nodegroup.NodegroupArn, Tags: map[string]string{"a": "b"}}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	client = eks.NewFromConfig(start(t, config).SDK())
	if tags, err := client.ListTagsForResource(ctx, &eks.ListTagsForResourceInput{ResourceArn: made.Nodegroup.NodegroupArn}); err != nil || tags.Tags["a"] != "b" {
		t.Errorf("%+v, %v", tags, err)
	}
	if described, err := client.DescribeNodegroup(ctx, &eks.DescribeNodegroupInput{ClusterName: cluster, NodegroupName: aws.String("g")}); err != nil || described.Nodegroup.Tags["a"] != "b" {
		t.Errorf("%+v, %v", described, err)
	}
	if listed, err := client.ListAddons(ctx, &eks.ListAddonsInput{ClusterName: cluster}); err != nil || !slices.Equal(listed.Addons, []string{"coredns"}) {
		t.Errorf("%+v, %v", listed, err)
	}
	if found, err := client.ListInsights(ctx, &eks.ListInsightsInput{ClusterName: cluster}); err != nil || len(found.Insights) != 0 {
		t.Errorf("%+v, %v", found, err)
	}
}
