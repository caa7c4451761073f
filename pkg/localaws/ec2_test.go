package localaws_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	ekstypes "github.com/aws/aws-sdk-go-v2/service/eks/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/go-cmp/cmp"

	"github.com/kube-iam/authenticator/pkg/localaws"
	images "github.com/kube-iam/authenticator/pkg/localaws/internal/image"
	"github.com/kube-iam/authenticator/pkg/localaws/localawstest"
)

// newProfile creates an instance profile with a role of the same name that a service
// may assume.
func newProfile(t testing.TB, s *localawstest.Server, name, service string) (role string) {
	t.Helper()
	role = newServiceRole(t, s, name, service)
	client := iam.NewFromConfig(s.SDK())
	if _, err := client.CreateInstanceProfile(t.Context(), &iam.CreateInstanceProfileInput{InstanceProfileName: &name}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.AddRoleToInstanceProfile(t.Context(), &iam.AddRoleToInstanceProfileInput{InstanceProfileName: &name, RoleName: &name}); err != nil {
		t.Fatal(err)
	}
	return role
}

// image is an image of eu-west-2.
var image = amazonLinux("eu-west-2")

// amazonLinux returns the image of Amazon Linux in a region.
func amazonLinux(region string) string {
	p, _ := images.Named(region, "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64")
	return p.Value
}

// launch returns the minimal input of RunInstances, with changes.
func launch(change ...func(*ec2.RunInstancesInput)) *ec2.RunInstancesInput {
	input := &ec2.RunInstancesInput{ImageId: aws.String(image), MinCount: aws.Int32(1), MaxCount: aws.Int32(1), InstanceType: "t3.micro"}
	for _, c := range change {
		c(input)
	}
	return input
}

func named(name string) func(*ec2.RunInstancesInput) {
	return func(i *ec2.RunInstancesInput) {
		i.TagSpecifications = []ec2types.TagSpecification{{ResourceType: "instance", Tags: []ec2types.Tag{{Key: aws.String("Name"), Value: &name}}}}
	}
}

func withProfile(name string) func(*ec2.RunInstancesInput) {
	return func(i *ec2.RunInstancesInput) {
		i.IamInstanceProfile = &ec2types.IamInstanceProfileSpecification{Name: &name}
	}
}

// run launches one instance and returns its ID.
func run(t testing.TB, s *localawstest.Server, change ...func(*ec2.RunInstancesInput)) string {
	t.Helper()
	launched, err := ec2.NewFromConfig(s.SDK()).RunInstances(t.Context(), launch(change...))
	if err != nil {
		t.Fatal(err)
	}
	return *launched.Instances[0].InstanceId
}

func described(t testing.TB, s *localawstest.Server, id string) ec2types.Instance {
	t.Helper()
	answer, err := ec2.NewFromConfig(s.SDK()).DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{InstanceIds: []string{id}})
	if err != nil {
		t.Fatal(err)
	}
	return answer.Reservations[0].Instances[0]
}

func filter(name string, values ...string) ec2types.Filter {
	return ec2types.Filter{Name: &name, Values: values}
}

func TestDescribeInstances(t *testing.T) {
	s := start(t, localaws.Config{Instances: []localaws.Instance{
		{ID: "i-0123456789abcdef0", PrivateDNSName: "one", PrivateIP: netip.MustParseAddr("10.0.0.9")},
		{ID: "i-0123456789abcdef1", State: "terminated"},
		{ID: "i-0123456789abcdef2", PrivateDNSName: "other", Region: "eu-west-1"},
	}})
	newProfile(t, s, "node", "ec2")
	run(t, s, named("a*b"), withProfile("node"))
	client := ec2.NewFromConfig(s.SDK())
	describe := func(input *ec2.DescribeInstancesInput) (names []string, err error) {
		answer, err := client.DescribeInstances(t.Context(), input)
		if err != nil {
			return nil, err
		}
		for _, reservation := range answer.Reservations {
			for _, instance := range reservation.Instances {
				names = append(names, *instance.PrivateDnsName)
			}
		}
		return names, nil
	}
	const launched = "ip-172-31-0-4.eu-west-2.compute.internal"
	filters := func(filters ...ec2types.Filter) ec2.DescribeInstancesInput {
		return ec2.DescribeInstancesInput{Filters: filters}
	}
	for name, test := range map[string]struct {
		input ec2.DescribeInstancesInput
		want  []string
		code  string
	}{
		"all":                     {ec2.DescribeInstancesInput{}, []string{"one", "", launched}, ""},
		"by ID":                   {ec2.DescribeInstancesInput{InstanceIds: []string{"i-0123456789abcdef0"}}, []string{"one"}, ""},
		"by an unknown ID":        {ec2.DescribeInstancesInput{InstanceIds: []string{"i-0123456789abcdef9"}}, nil, "InvalidInstanceID.NotFound"},
		"by another region's":     {ec2.DescribeInstancesInput{InstanceIds: []string{"i-0123456789abcdef2"}}, nil, "InvalidInstanceID.NotFound"},
		"by no ID":                {ec2.DescribeInstancesInput{InstanceIds: []string{"x"}}, nil, "InvalidInstanceID.Malformed"},
		"by ID, in pages":         {ec2.DescribeInstancesInput{InstanceIds: []string{"i-0123456789abcdef0"}, MaxResults: aws.Int32(5)}, nil, "InvalidParameterCombination"},
		"in pages too small":      {ec2.DescribeInstancesInput{MaxResults: aws.Int32(4)}, nil, "InvalidParameterValue"},
		"from nowhere":            {ec2.DescribeInstancesInput{NextToken: aws.String("!")}, nil, "InvalidNextToken"},
		"by two filters":          {filters(filter("instance-id", "i-0123456789abcdef0", "i-0123456789abcdef1"), filter("instance-state-name", "running")), []string{"one"}, ""},
		"without a match":         {filters(filter("instance-id", "i-0123456789abcdef9")), nil, ""},
		"by another filter":       {filters(filter("spot-instance-request-id", "x")), nil, "InvalidParameterValue"},
		"by too many values":      {filters(filter("instance-id", slices.Repeat([]string{"x"}, 201)...)), nil, "FilterLimitExceeded"},
		"by the state's code":     {filters(filter("instance-state-code", "48")), []string{""}, ""},
		"by name":                 {filters(filter("private-dns-name", launched)), []string{launched}, ""},
		"by address":              {filters(filter("private-ip-address", "10.0.0.9")), []string{"one"}, ""},
		"by type":                 {filters(filter("instance-type", "t3.*")), []string{launched}, ""},
		"by a wildcard's one":     {filters(filter("private-dns-name", "?ne")), []string{"one"}, ""},
		"by a wildcard's nothing": {filters(filter("private-dns-name", "?one")), nil, ""},
		"with regard to case":     {filters(filter("private-dns-name", "ONE")), nil, ""},
		"by a star itself":        {filters(filter("tag:Name", `a\*b`)), []string{launched}, ""},
		"by a star not there":     {filters(filter("tag:Name", `a\?b`)), nil, ""},
		"by an unknown tag":       {filters(filter("tag:name", "*")), nil, ""},
		"by a tag's key":          {filters(filter("tag-key", "Name")), []string{launched}, ""},
		"by profile":              {filters(filter("iam-instance-profile.arn", arn("instance-profile/node"))), []string{launched}, ""},
		"by image":                {filters(filter("image-id", image)), []string{launched}, ""},
		"by zone":                 {filters(filter("availability-zone", "eu-west-2a")), []string{"one", "", launched}, ""},
	} {
		got, err := describe(&test.input)
		if code(err) != test.code || !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, %v; want %q, %q", name, got, err, test.want, test.code)
		}
	}
	for _, instance := range []localaws.Instance{{ID: "x"}, {ID: "i-0123456789abcdef0", State: "odd"}} {
		if _, err := localaws.New(localaws.Config{Instances: []localaws.Instance{instance}}); err == nil {
			t.Errorf("%+v: no error", instance)
		}
	}
}

func TestInstancesArePaged(t *testing.T) {
	s := start(t, localaws.Config{})
	client := ec2.NewFromConfig(s.SDK())
	if _, err := client.RunInstances(t.Context(), launch(func(i *ec2.RunInstancesInput) { i.MinCount, i.MaxCount = aws.Int32(12), aws.Int32(12) })); err != nil {
		t.Fatal(err)
	}
	var indexes []int32
	sizes := []int{}
	for pages := ec2.NewDescribeInstancesPaginator(client, &ec2.DescribeInstancesInput{MaxResults: aws.Int32(5)}); pages.HasMorePages(); {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(page.Reservations) != 1 {
			t.Fatalf("%d reservations, want 1", len(page.Reservations))
		}
		if sizes = append(sizes, len(page.Reservations[0].Instances)); len(sizes) > 3 {
			t.Fatal("more than 3 pages")
		}
		for _, instance := range page.Reservations[0].Instances {
			indexes = append(indexes, *instance.AmiLaunchIndex)
		}
		// Instances that are terminated meanwhile do not shift the pages.
		if _, err := client.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{*page.Reservations[0].Instances[0].InstanceId}}); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.Equal(sizes, []int{5, 5, 2}) || !slices.IsSorted(indexes) || len(slices.Compact(indexes)) != 12 {
		t.Errorf("pages of %v: %v", sizes, indexes)
	}
}

func TestRunInstances(t *testing.T) {
	s := start(t, localaws.Config{})
	newProfile(t, s, "node", "ec2")
	client := ec2.NewFromConfig(s.SDK())
	launched, err := client.RunInstances(t.Context(), launch(named("n"), withProfile("node"), func(i *ec2.RunInstancesInput) { i.MaxCount = aws.Int32(2) }))
	if err != nil {
		t.Fatal(err)
	}
	if len(launched.Instances) != 2 || *launched.OwnerId != account || !strings.HasPrefix(*launched.ReservationId, "r-") {
		t.Fatalf("%+v", launched)
	}
	for n, instance := range launched.Instances {
		if instance.State.Name != "pending" || *instance.State.Code != 0 {
			t.Errorf("launched: %+v", instance.State)
		}
		got := described(t, s, *instance.InstanceId)
		ip := fmt.Sprintf("172.31.0.%d", 4+n)
		if got.State.Name != "running" || *got.State.Code != 16 || *got.PrivateIpAddress != ip || *got.PrivateDnsName != "ip-172-31-0-"+ip[len("172.31.0."):]+".eu-west-2.compute.internal" ||
			*got.ImageId != image || got.InstanceType != "t3.micro" || *got.AmiLaunchIndex != int32(n) || *got.Placement.AvailabilityZone != "eu-west-2a" ||
			*got.IamInstanceProfile.Arn != arn("instance-profile/node") || !strings.HasPrefix(*got.IamInstanceProfile.Id, "AIPA") ||
			got.LaunchTime.IsZero() || got.MetadataOptions.HttpTokens != "required" || got.Architecture != "x86_64" {
			t.Errorf("%+v", got)
		}
		if len(got.Tags) != 1 || *got.Tags[0].Key != "Name" || *got.Tags[0].Value != "n" {
			t.Errorf("the tags are %+v", got.Tags)
		}
	}
	elsewhere, err := client.RunInstances(t.Context(), launch(func(i *ec2.RunInstancesInput) { i.ImageId = aws.String(amazonLinux("us-east-1")) }), func(o *ec2.Options) { o.Region = "us-east-1" })
	if err != nil {
		t.Fatal(err)
	}
	if *elsewhere.Instances[0].PrivateDnsName != "ip-172-31-0-4.ec2.internal" {
		t.Errorf("in us-east-1: %s", *elsewhere.Instances[0].PrivateDnsName)
	}
	byARN := launch(func(i *ec2.RunInstancesInput) {
		i.IamInstanceProfile = &ec2types.IamInstanceProfileSpecification{Arn: launched.Instances[0].IamInstanceProfile.Arn}
		i.PrivateIpAddress = aws.String("172.31.0.77")
	})
	given, err := client.RunInstances(t.Context(), byARN)
	if err != nil {
		t.Fatal(err)
	}
	if *given.Instances[0].PrivateDnsName != "ip-172-31-0-77.eu-west-2.compute.internal" {
		t.Errorf("with a given address: %s", *given.Instances[0].PrivateDnsName)
	}
	byARN.ClientToken = nil // the SDK set it
	if _, err := client.RunInstances(t.Context(), byARN); code(err) != "InvalidIPAddress.InUse" {
		t.Errorf("with an address in use: %v", err)
	}
}

func TestRunInstancesRefuses(t *testing.T) {
	s := start(t, localaws.Config{})
	newProfile(t, s, "node", "ec2")
	if _, err := iam.NewFromConfig(s.SDK()).CreateInstanceProfile(t.Context(), &iam.CreateInstanceProfileInput{InstanceProfileName: aws.String("empty")}); err != nil {
		t.Fatal(err)
	}
	tags := func(kind ec2types.ResourceType, tags ...ec2types.Tag) func(*ec2.RunInstancesInput) {
		return func(i *ec2.RunInstancesInput) {
			i.TagSpecifications = []ec2types.TagSpecification{{ResourceType: kind, Tags: tags}}
		}
	}
	tag := func(key, value string) ec2types.Tag { return ec2types.Tag{Key: &key, Value: &value} }
	for name, test := range map[string]struct {
		change     func(*ec2.RunInstancesInput)
		code, want string
	}{
		"no image":         {func(i *ec2.RunInstancesInput) { i.ImageId = nil }, "MissingParameter", "ImageId"},
		"an invalid image": {func(i *ec2.RunInstancesInput) { i.ImageId = aws.String("debian") }, "InvalidAMIID.Malformed", "debian"},
		"an invalid type":  {func(i *ec2.RunInstancesInput) { i.InstanceType = "big" }, "InvalidParameterValue", "big"},
		"none at all":      {func(i *ec2.RunInstancesInput) { i.MinCount = aws.Int32(0) }, "InvalidParameterValue", "MinCount"},
		"more than many":   {func(i *ec2.RunInstancesInput) { i.MinCount = aws.Int32(2) }, "InvalidParameterValue", "minCount"},
		"too many":         {func(i *ec2.RunInstancesInput) { i.MinCount, i.MaxCount = aws.Int32(201), aws.Int32(201) }, "InstanceLimitExceeded", "limit of 200"},
		"a public address": {func(i *ec2.RunInstancesInput) { i.PrivateIpAddress = aws.String("8.8.8.8") }, "InvalidParameterValue", "8.8.8.8"},
		"one address for two": {func(i *ec2.RunInstancesInput) {
			i.PrivateIpAddress, i.MaxCount = aws.String("172.31.0.9"), aws.Int32(2)
		}, "InvalidParameterCombination", "one instance"},
		"no such profile": {withProfile("nothing"), "InvalidParameterValue", "Invalid IAM Instance Profile name"},
		"no such profile's ARN": {func(i *ec2.RunInstancesInput) {
			i.IamInstanceProfile = &ec2types.IamInstanceProfileSpecification{Arn: aws.String("arn:aws:iam::000000000000:instance-profile/node")}
		}, "InvalidParameterValue", "Invalid IAM Instance Profile ARN"},
		"a profile twice": {func(i *ec2.RunInstancesInput) {
			i.IamInstanceProfile = &ec2types.IamInstanceProfileSpecification{Arn: aws.String("x"), Name: aws.String("node")}
		}, "InvalidParameterCombination", "iamInstanceProfile.name"},
		"an empty profile": {withProfile("empty"), "InvalidParameterValue", "has no associated IAM Roles"},
		"tags of a subnet": {tags("subnet", tag("a", "b")), "InvalidParameterValue", "'subnet' is not a valid taggable resource type"},
		"tags of nothing":  {tags("", tag("a", "b")), "InvalidParameterValue", "'' is not a valid taggable resource type"},
		"a tag of AWS's":   {tags("instance", tag("aws:a", "b")), "InvalidParameterValue", "reserved"},
		"a long tag":       {tags("instance", tag(strings.Repeat("x", 128), "b")), "InvalidParameterValue", "127"},
		"a tag twice":      {tags("instance", tag("a", "b"), tag("a", "c")), "InvalidParameterValue", "Duplicate tag key 'a'"},
		"an invalid option": {func(i *ec2.RunInstancesInput) {
			i.MetadataOptions = &ec2types.InstanceMetadataOptionsRequest{HttpTokens: "some"}
		}, "InvalidParameterValue", "HttpTokens"},
		"a hop limit": {func(i *ec2.RunInstancesInput) {
			i.MetadataOptions = &ec2types.InstanceMetadataOptionsRequest{HttpPutResponseHopLimit: aws.Int32(65)}
		}, "InvalidParameterValue", "HttpPutResponseHopLimit"},
		"no subnet's ID":       {func(i *ec2.RunInstancesInput) { i.SubnetId = aws.String("subnet-1") }, "InvalidSubnetID.Malformed", "subnet-1"},
		"no such subnet":       {func(i *ec2.RunInstancesInput) { i.SubnetId = aws.String("subnet-01234567") }, "InvalidSubnetID.NotFound", "subnet-01234567"},
		"no such group":        {func(i *ec2.RunInstancesInput) { i.SecurityGroupIds = []string{"sg-01234567"} }, "InvalidGroup.NotFound", "sg-01234567"},
		"no such image":        {func(i *ec2.RunInstancesInput) { i.ImageId = aws.String("ami-01234567") }, "InvalidAMIID.NotFound", "ami-01234567"},
		"no such key":          {func(i *ec2.RunInstancesInput) { i.KeyName = aws.String("k") }, "InvalidKeyPair.NotFound", "'k'"},
		"no such type":         {func(i *ec2.RunInstancesInput) { i.InstanceType = "t3.huge" }, "InvalidParameterValue", "t3.huge"},
		"another architecture": {func(i *ec2.RunInstancesInput) { i.InstanceType = "t4g.micro" }, "InvalidParameterValue", "architecture 'arm64'"},
		"an address elsewhere": {func(i *ec2.RunInstancesInput) { i.PrivateIpAddress = aws.String("172.31.16.9") }, "InvalidParameterValue", "does not fall within"},
		"a reserved address":   {func(i *ec2.RunInstancesInput) { i.PrivateIpAddress = aws.String("172.31.0.3") }, "InvalidParameterValue", "reserved"},
		"user data too long": {func(i *ec2.RunInstancesInput) {
			i.UserData = aws.String(base64.StdEncoding.EncodeToString(make([]byte, 16385)))
		}, "InvalidParameterValue", "16384"},
		"user data in no base64": {func(i *ec2.RunInstancesInput) { i.UserData = aws.String("#!") }, "InvalidUserData.Malformed", "BASE64"},
		"a small root volume": {func(i *ec2.RunInstancesInput) {
			i.BlockDeviceMappings = []ec2types.BlockDeviceMapping{{DeviceName: aws.String("/dev/xvda"), Ebs: &ec2types.EbsBlockDevice{VolumeSize: aws.Int32(1)}}}
		}, "InvalidBlockDeviceMapping", "expect size"},
		"no such template": {func(i *ec2.RunInstancesInput) {
			i.LaunchTemplate = &ec2types.LaunchTemplateSpecification{LaunchTemplateName: aws.String("none")}
		}, "InvalidLaunchTemplateName.NotFoundException", "none"},
		"no such parameter": {func(i *ec2.RunInstancesInput) { i.ImageId = aws.String("resolve:ssm:/none") }, "InvalidParameterValue", "/none"},
		"a token too long":  {func(i *ec2.RunInstancesInput) { i.ClientToken = aws.String(strings.Repeat("x", 65)) }, "InvalidParameterValue", "clientToken"},
	} {
		_, err := ec2.NewFromConfig(s.SDK()).RunInstances(t.Context(), launch(test.change))
		if code(err) != test.code || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s and %q", name, err, test.code, test.want)
		}
	}
	if all, err := ec2.NewFromConfig(s.SDK()).DescribeInstances(t.Context(), nil); err != nil || len(all.Reservations) != 0 {
		t.Errorf("rejected, but launched: %+v, %v", all, err)
	}
}

func TestRunInstancesOnce(t *testing.T) {
	s := start(t, localaws.Config{})
	client := ec2.NewFromConfig(s.SDK())
	input := launch(func(i *ec2.RunInstancesInput) { i.ClientToken = aws.String("token") })
	first, err := client.RunInstances(t.Context(), input)
	if err != nil {
		t.Fatal(err)
	}
	again, err := client.RunInstances(t.Context(), input)
	if err != nil || *again.Instances[0].InstanceId != *first.Instances[0].InstanceId || *again.ReservationId != *first.ReservationId {
		t.Errorf("the same request again: %+v, %v", again, err)
	}
	input.InstanceType = "t3.large"
	if _, err := client.RunInstances(t.Context(), input); code(err) != "IdempotentParameterMismatch" {
		t.Errorf("another request with the same token: %v", err)
	}
	if all, err := client.DescribeInstances(t.Context(), nil); err != nil || len(all.Reservations) != 1 {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestInstanceQuota(t *testing.T) {
	s := start(t, localaws.Config{})
	client := ec2.NewFromConfig(s.SDK())
	count := func(least, most int32) func(*ec2.RunInstancesInput) {
		return func(i *ec2.RunInstancesInput) { i.MinCount, i.MaxCount = &least, &most }
	}
	first, err := client.RunInstances(t.Context(), launch(count(150, 150)))
	if err != nil {
		t.Fatal(err)
	}
	if got := askEC2(t, s, "Action=RunInstances&Version=2016-11-15&ImageId=ami-0123456789abcdef0&MinCount=9223372036854775807&MaxCount=9223372036854775807"); got != "InvalidParameterValue" {
		t.Errorf("more than an int32: %q", got)
	}
	rest, err := client.RunInstances(t.Context(), launch(count(1, 100)))
	if err != nil || len(rest.Instances) != 50 {
		t.Errorf("%d instances, %v; want 50, the rest of the quota", len(rest.Instances), err)
	}
	if _, err := client.RunInstances(t.Context(), launch()); code(err) != "InstanceLimitExceeded" {
		t.Errorf("the 201st: %v", err)
	}
	if _, err := client.TerminateInstances(t.Context(), &ec2.TerminateInstancesInput{InstanceIds: []string{*first.Instances[7].InstanceId}}); err != nil {
		t.Fatal(err)
	}
	one, err := client.RunInstances(t.Context(), launch())
	if err != nil || *one.Instances[0].PrivateIpAddress != *first.Instances[7].PrivateIpAddress {
		t.Errorf("after terminating one: %+v, %v", one, err)
	}
}

// askEC2 sends a form that no SDK would send and returns the code of the error.
func askEC2(t testing.TB, s *localawstest.Server, form string) (code string) {
	t.Helper()
	text := sendForm(t, s, s.SDK(), "ec2.eu-west-2.amazonaws.com", form, "ec2", "eu-west-2")
	var failure struct {
		Code string `xml:"Errors>Error>Code"`
	}
	must(t, xml.Unmarshal([]byte(text), &failure))
	return failure.Code
}

// TestEC2Refusals checks that what localaws does not support is refused in its name, and
// marked in the trail.
func TestEC2Refusals(t *testing.T) {
	s := start(t, localaws.Config{})
	group := callEC2(t, s, "CreateSecurityGroup", "GroupName=a", "GroupDescription=a").first("groupId")
	table := callEC2(t, s, "DescribeRouteTables").first("routeTableId")
	for call, want := range map[string]string{
		"DescribeInstances Filter.1.Name=spot-instance-request-id Filter.1.Value.1=x": "InvalidParameterValue",
		"DescribeSecurityGroups Filter.1.Name=no-such-filter Filter.1.Value.1=x":      "InvalidParameterValue",
		"CreateVpc CidrBlock=10.0.0.0/16 AmazonProvidedIpv6CidrBlock=true":            "InvalidParameterValue",
		"DescribeAccountAttributes AttributeName.1=a":                                 "InvalidParameterValue",
		"DescribeInstanceTypes InstanceType.1=z9.large":                               "InvalidInstanceType",
		"RunInstances MinCount=1 MaxCount=1 TagSpecification.1.ResourceType=network-interface TagSpecification.1.Tag.1.Key=a ImageId=" + amazonLinux("eu-west-2"): "InvalidParameterValue",
		"RunInstances MinCount=1 MaxCount=1 ImageId=resolve:ssm:/aws/service/ami-windows-latest/Windows_Server-2025-English-Core-Base":                            "InvalidParameterValue",
		"RunInstances MinCount=1 MaxCount=1 Placement.AvailabilityZone=eu-west-2d ImageId=" + amazonLinux("eu-west-2"):                                            "InvalidParameterValue",
		"DescribeAvailabilityZones ZoneName.1=eu-west-2d":                                                                          "InvalidParameterValue",
		"CreateSubnet AvailabilityZone=eu-west-2f CidrBlock=172.31.200.0/24 VpcId=" + callEC2(t, s, "DescribeVpcs").first("vpcId"): "InvalidParameterValue",
		"CreateKeyPair KeyName=a KeyFormat=ppk":                                                                                    "InvalidParameterValue",
		"ImportKeyPair KeyName=a PublicKeyMaterial=eA==":                                                                           "InvalidKey.Format",
		"AllocateAddress NetworkBorderGroup=eu-west-2-wl1-lon-wlz-1":                                                               "InvalidParameterValue",
		"CreateTags ResourceId.1=pl-0123456789abcdef0 Tag.1.Key=a":                                                                 "InvalidID",
		"CreateLaunchTemplate LaunchTemplateName=abc LaunchTemplateData.InstanceType=z9.large":                                     "InvalidParameterValue",
		"CreateRoute GatewayId=vgw-0123456789abcdef0 DestinationCidrBlock=10.0.0.0/8 RouteTableId=" + table:                        "InvalidGatewayID.NotFound",
		"RunInstances MinCount=1 MaxCount=1 DisableApiTermination=true ImageId=" + amazonLinux("eu-west-2"):                        "InvalidParameterValue",
		"AuthorizeSecurityGroupIngress IpPermissions.1.IpProtocol=-1 IpPermissions.1.Groups.1.GroupId=" + group +
			" IpPermissions.1.Groups.1.UserId=111122223333 GroupId=" + group: "InvalidGroup.NotFound",
		"RunInstances MinCount=1 MaxCount=1 BlockDeviceMapping.1.DeviceName=/dev/sdb ImageId=" +
			amazonLinux("eu-west-2"): "InvalidBlockDeviceMapping",
	} {
		words := strings.Fields(call)
		got, marked := callEC2(t, s, words[0], words[1:]...), last(t, s).AdditionalEventData["localaws"]
		if got.code != want || !strings.Contains(got.message, "localaws") || marked != "refused" {
			t.Errorf("%s: %s: %s, marked %q; want %s", call, got.code, got.message, marked, want)
		}
	}
}

// TestInstanceStates checks every transition between the states of an instance.
func TestInstanceStates(t *testing.T) {
	now := time.Now()
	s := start(t, localaws.Config{Now: func() time.Time { return now }})
	newProfile(t, s, "node", "ec2")
	client, ctx := ec2.NewFromConfig(s.SDK()), t.Context()
	id := run(t, s, withProfile("node"))
	do := map[string]func() ([]ec2types.InstanceStateChange, error){
		"start": func() ([]ec2types.InstanceStateChange, error) {
			answer, err := client.StartInstances(ctx, &ec2.StartInstancesInput{InstanceIds: []string{id}})
			if err != nil {
				return nil, err
			}
			return answer.StartingInstances, nil
		},
		"stop": func() ([]ec2types.InstanceStateChange, error) {
			answer, err := client.StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: []string{id}})
			if err != nil {
				return nil, err
			}
			return answer.StoppingInstances, nil
		},
		"terminate": func() ([]ec2types.InstanceStateChange, error) {
			answer, err := client.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: []string{id}})
			if err != nil {
				return nil, err
			}
			return answer.TerminatingInstances, nil
		},
	}
	for _, step := range []struct {
		do              string
		current         ec2types.InstanceStateName
		previous, after ec2types.InstanceStateName
		code            string
	}{
		{"start", "running", "running", "running", ""},
		{"stop", "stopping", "running", "stopped", ""},
		{"stop", "stopped", "stopped", "stopped", ""},
		{"start", "pending", "stopped", "running", ""},
		{"stop", "stopping", "running", "stopped", ""},
		{"terminate", "shutting-down", "stopped", "terminated", ""},
		{"terminate", "terminated", "terminated", "terminated", ""},
		{"start", "", "", "terminated", "IncorrectInstanceState"},
		{"stop", "", "", "terminated", "IncorrectInstanceState"},
	} {
		now = now.Add(time.Second)
		changes, err := do[step.do]()
		if code(err) != step.code {
			t.Fatalf("%s: %v, want %q", step.do, err, step.code)
		}
		if err == nil && (len(changes) != 1 || *changes[0].InstanceId != id || changes[0].CurrentState.Name != step.current || changes[0].PreviousState.Name != step.previous) {
			t.Errorf("%s: %+v", step.do, changes)
		}
		got := described(t, s, id)
		if got.State.Name != step.after {
			t.Errorf("after %s: state %s, want %s", step.do, got.State.Name, step.after)
		}
		if step.after == "terminated" && (*got.PrivateDnsName != "" || got.PrivateIpAddress != nil || got.IamInstanceProfile != nil || !strings.HasPrefix(*got.StateTransitionReason, "User initiated (")) {
			t.Errorf("terminated: %+v", got)
		}
		if step.after == "running" && !got.LaunchTime.Equal(now.UTC().Truncate(time.Second)) && step.previous == "stopped" {
			t.Errorf("started at %s, launched at %s", now, got.LaunchTime)
		}
	}
	for _, test := range []struct {
		later time.Duration
		code  string
	}{
		{59 * time.Minute, ""},
		{time.Minute, "InvalidInstanceID.NotFound"},
	} {
		now = now.Add(test.later)
		client := ec2.NewFromConfig(s.SDK(), func(o *ec2.Options) { o.HTTPSignerV4 = signerAt(func() time.Time { return now }) })
		if _, err := client.DescribeInstances(ctx, &ec2.DescribeInstancesInput{InstanceIds: []string{id}}); code(err) != test.code {
			t.Errorf("%s later: %v, want %q", test.later, err, test.code)
		}
	}
}

// TestInstancesAndClustersAreKept checks that the state file keeps instances and
// clusters.
func TestInstancesAndClustersAreKept(t *testing.T) {
	config := localaws.Config{StateFile: filepath.Join(t.TempDir(), "state.json"), Instances: []localaws.Instance{{ID: "i-0123456789abcdef0", PrivateDNSName: "worker-1"}}}
	s := start(t, config)
	newProfile(t, s, "node", "ec2")
	id := run(t, s, withProfile("node"), named("n"), func(i *ec2.RunInstancesInput) {
		i.ClientToken, i.MetadataOptions = aws.String("token"), &ec2types.InstanceMetadataOptionsRequest{HttpTokens: "optional"}
	})
	if _, err := ec2.NewFromConfig(s.SDK()).CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: []string{"i-0123456789abcdef0"}, Tags: []ec2types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}); err != nil {
		t.Fatal(err)
	}
	newCluster(t, s, s.SDK(), "c")
	if err := s.RegisterCluster("eu-west-2", "c", "https://127.0.0.1:1", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := eks.NewFromConfig(s.SDK()).UpdateClusterConfig(t.Context(), &eks.UpdateClusterConfigInput{Name: aws.String("c"), ResourcesVpcConfig: &ekstypes.VpcConfigRequest{EndpointPrivateAccess: aws.Bool(true)}}); err != nil {
		t.Fatal(err)
	}
	credentials := func() string {
		_, body, _ := ask(t, http.MethodGet, metadata(t, s, id)+"/latest/meta-data/iam/security-credentials/node", nil)
		return body
	}
	all := func() []any {
		instances, err := ec2.NewFromConfig(s.SDK()).DescribeInstances(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		associations, err := ec2.NewFromConfig(s.SDK()).DescribeIamInstanceProfileAssociations(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		cluster, err := eks.NewFromConfig(s.SDK()).DescribeCluster(t.Context(), &eks.DescribeClusterInput{Name: aws.String("c")})
		if err != nil {
			t.Fatal(err)
		}
		updates, err := eks.NewFromConfig(s.SDK()).ListUpdates(t.Context(), &eks.ListUpdatesInput{Name: aws.String("c")})
		if err != nil {
			t.Fatal(err)
		}
		kept, _ := s.Cluster("eu-west-2", "c")
		return []any{instances.Reservations, associations.IamInstanceProfileAssociations, cluster.Cluster, updates.UpdateIds, kept.CreatorARN, credentials()}
	}
	before := all()
	var issued struct{ AccessKeyID string }
	if err := json.Unmarshal([]byte(credentials()), &issued); err != nil || issued.AccessKeyID == "" {
		t.Fatalf("%+v, %v", issued, err)
	}
	if text, err := os.ReadFile(config.StateFile); err != nil || !strings.Contains(string(text), issued.AccessKeyID) {
		t.Errorf("the state file lacks issued credentials: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = start(t, config)
	if err := s.RegisterCluster("eu-west-2", "c", "https://127.0.0.1:1", nil); err != nil { // the API server is not part of the state
		t.Fatal(err)
	}
	after := all()
	for i := range before {
		if !reflect.DeepEqual(before[i], after[i]) {
			t.Errorf("%s", cmp.Diff(fmt.Sprintf("%+v", before[i]), fmt.Sprintf("%+v", after[i])))
		}
	}
	again, err := ec2.NewFromConfig(s.SDK()).RunInstances(t.Context(), launch(withProfile("node"), named("n"), func(i *ec2.RunInstancesInput) {
		i.ClientToken, i.MetadataOptions = aws.String("token"), &ec2types.InstanceMetadataOptionsRequest{HttpTokens: "optional"}
	}))
	if err != nil || *again.Instances[0].InstanceId != id {
		t.Errorf("the same request again: %+v, %v", again, err)
	}
}

// signerAt signs with the time of a clock.
type signerAt func() time.Time

func (now signerAt) SignHTTP(ctx context.Context, credentials aws.Credentials, r *http.Request, hash, service, region string, _ time.Time, options ...func(*v4.SignerOptions)) error {
	return v4.NewSigner().SignHTTP(ctx, credentials, r, hash, service, region, now(), options...)
}

func TestTransitionsRefuse(t *testing.T) {
	s := start(t, localaws.Config{Instances: []localaws.Instance{{ID: "i-0123456789abcdef0"}, {ID: "i-0123456789abcdef1", State: "terminated"}}})
	client := ec2.NewFromConfig(s.SDK())
	for name, test := range map[string]struct {
		ids  []string
		code string
	}{
		"none":                         {[]string{}, "MissingParameter"},
		"an invalid ID":                {[]string{"x"}, "InvalidInstanceID.Malformed"},
		"an unknown one":               {[]string{"i-0123456789abcdef9"}, "InvalidInstanceID.NotFound"},
		"two unknown ones":             {[]string{"i-0123456789abcdef9", "i-0123456789abcdef8"}, "InvalidInstanceID.NotFound"},
		"one that can and one not":     {[]string{"i-0123456789abcdef0", "i-0123456789abcdef1"}, "IncorrectInstanceState"},
		"one that can and one unknown": {[]string{"i-0123456789abcdef0", "i-0123456789abcdef9"}, "InvalidInstanceID.NotFound"},
	} {
		if _, err := client.StopInstances(t.Context(), &ec2.StopInstancesInput{InstanceIds: test.ids}); code(err) != test.code {
			t.Errorf("%s: %v, want %s", name, err, test.code)
		}
	}
	if got := described(t, s, "i-0123456789abcdef0"); got.State.Name != "running" {
		t.Errorf("state %s, want running: another instance of the request could not be stopped", got.State.Name)
	}
}

func TestInstanceTags(t *testing.T) {
	s := start(t, localaws.Config{Instances: []localaws.Instance{{ID: "i-0123456789abcdef0"}, {ID: "i-0123456789abcdef1"}}})
	client, ctx := ec2.NewFromConfig(s.SDK()), t.Context()
	both := []string{"i-0123456789abcdef0", "i-0123456789abcdef1"}
	tag := func(key string, value ...string) ec2types.Tag {
		if len(value) == 0 {
			return ec2types.Tag{Key: &key}
		}
		return ec2types.Tag{Key: &key, Value: &value[0]}
	}
	create := func(ids []string, tags ...ec2types.Tag) func() error {
		return func() error {
			_, err := client.CreateTags(ctx, &ec2.CreateTagsInput{Resources: ids, Tags: append([]ec2types.Tag{}, tags...)})
			return err
		}
	}
	remove := func(ids []string, tags ...ec2types.Tag) func() error {
		return func() error {
			_, err := client.DeleteTags(ctx, &ec2.DeleteTagsInput{Resources: ids, Tags: tags})
			return err
		}
	}
	var many []ec2types.Tag
	for i := range 49 {
		many = append(many, tag(fmt.Sprint(i), ""))
	}
	for _, step := range []struct {
		name string
		do   func() error
		code string
		want map[string]string // tags of the first instance
	}{
		{"two", create(both, tag("a", "1"), tag("A", "2")), "", map[string]string{"a": "1", "A": "2"}},
		{"another value", create(both[:1], tag("a", "3")), "", map[string]string{"a": "3", "A": "2"}},
		{"too many", create(both, many...), "TagLimitExceeded", map[string]string{"a": "3", "A": "2"}},
		{"none", create(both), "MissingParameter", map[string]string{"a": "3", "A": "2"}},
		{"of nothing", create([]string{}, tag("a", "4")), "MissingParameter", map[string]string{"a": "3", "A": "2"}},
		{"of a volume", create([]string{"vol-0123456789abcdef0"}, tag("a", "4")), "InvalidVolume.NotFound", map[string]string{"a": "3", "A": "2"}},
		{"of one that is not", create([]string{both[0], "i-0123456789abcdef9"}, tag("a", "4")), "InvalidInstanceID.NotFound", map[string]string{"a": "3", "A": "2"}},
		{"delete by another value", remove(both, tag("a", "9")), "", map[string]string{"a": "3", "A": "2"}},
		{"delete by value", remove(both, tag("a", "3")), "", map[string]string{"A": "2"}},
		{"delete by key", remove(both, tag("A"), tag("x")), "", map[string]string{}},
		{"two more", create(both[:1], tag("b", "1"), tag("c", "2")), "", map[string]string{"b": "1", "c": "2"}},
	} {
		if err := step.do(); code(err) != step.code {
			t.Errorf("%s: %v, want %q", step.name, err, step.code)
		}
		got := map[string]string{}
		for _, tag := range described(t, s, both[0]).Tags {
			got[*tag.Key] = *tag.Value
		}
		if diff := cmp.Diff(step.want, got); diff != "" {
			t.Errorf("%s: %s", step.name, diff)
		}
	}
	if err := create(both[1:], tag("b", "3"))(); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		filter ec2types.Filter
		want   string
	}{
		"all":            {filter("resource-type", "instance"), "0 b=1,0 c=2,1 a=1,1 b=3"},
		"of one":         {filter("resource-id", both[0]), "0 b=1,0 c=2"},
		"by key":         {filter("key", "b"), "0 b=1,1 b=3"},
		"by value":       {filter("value", "3"), "1 b=3"},
		"by tag":         {filter("tag:b", "?"), "0 b=1,1 b=3"},
		"by another":     {filter("tag:b", "2"), ""},
		"of other kinds": {filter("resource-type", "volume"), ""},
	} {
		answer, err := client.DescribeTags(ctx, &ec2.DescribeTagsInput{Filters: []ec2types.Filter{test.filter}})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, d := range answer.Tags {
			id := *d.ResourceId
			got = append(got, id[len(id)-1:]+" "+*d.Key+"="+*d.Value)
		}
		if strings.Join(got, ",") != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	if _, err := client.DescribeTags(ctx, &ec2.DescribeTagsInput{Filters: []ec2types.Filter{filter("owner", "x")}}); code(err) != "InvalidParameterValue" {
		t.Errorf("an unknown filter: %v", err)
	}
	if _, err := client.DescribeTags(ctx, &ec2.DescribeTagsInput{Filters: []ec2types.Filter{{Values: []string{"x"}}}}); code(err) != "InvalidParameterValue" {
		t.Errorf("a filter without a name: %v", err)
	}
	nameless := []ec2types.Tag{{Key: aws.String("d"), Value: aws.String("4")}, {Value: aws.String("x")}}
	if _, err := client.CreateTags(ctx, &ec2.CreateTagsInput{Resources: both, Tags: nameless}); code(err) != "InvalidParameterValue" {
		t.Errorf("a tag without a key: %v", err)
	}
	if err := remove(both[:1])(); err != nil {
		t.Fatal(err)
	}
	if got := described(t, s, both[0]).Tags; len(got) != 0 {
		t.Errorf("all deleted: %+v", got)
	}
}

func TestProfileAssociations(t *testing.T) {
	s := start(t, localaws.Config{Instances: []localaws.Instance{{ID: "i-0123456789abcdef0"}, {ID: "i-0123456789abcdef1", InstanceProfile: "node"}}})
	newProfile(t, s, "node", "ec2")
	client, ctx, id := ec2.NewFromConfig(s.SDK()), t.Context(), aws.String("i-0123456789abcdef0")
	profile := &ec2types.IamInstanceProfileSpecification{Name: aws.String("Node")}
	made, err := client.AssociateIamInstanceProfile(ctx, &ec2.AssociateIamInstanceProfileInput{InstanceId: id, IamInstanceProfile: profile})
	if err != nil {
		t.Fatal(err)
	}
	association := made.IamInstanceProfileAssociation
	if association.State != "associating" || *association.InstanceId != *id || *association.IamInstanceProfile.Arn != arn("instance-profile/node") {
		t.Errorf("%+v", association)
	}
	if _, err := client.AssociateIamInstanceProfile(ctx, &ec2.AssociateIamInstanceProfileInput{InstanceId: id, IamInstanceProfile: profile}); code(err) != "IncorrectState" {
		t.Errorf("associated twice: %v", err)
	}
	for name, test := range map[string]struct {
		input ec2.DescribeIamInstanceProfileAssociationsInput
		want  int
		code  string
	}{
		"all":              {ec2.DescribeIamInstanceProfileAssociationsInput{}, 2, ""},
		"by ID":            {ec2.DescribeIamInstanceProfileAssociationsInput{AssociationIds: []string{*association.AssociationId}}, 1, ""},
		"by an invalid ID": {ec2.DescribeIamInstanceProfileAssociationsInput{AssociationIds: []string{"x"}}, 0, "InvalidAssociationID.NotFound"},
		"by instance":      {ec2.DescribeIamInstanceProfileAssociationsInput{Filters: []ec2types.Filter{filter("instance-id", *id)}}, 1, ""},
		"by another state": {ec2.DescribeIamInstanceProfileAssociationsInput{Filters: []ec2types.Filter{filter("state", "disassociated")}}, 0, ""},
		"by another thing": {ec2.DescribeIamInstanceProfileAssociationsInput{Filters: []ec2types.Filter{filter("profile", "x")}}, 0, "InvalidParameterValue"},
	} {
		answer, err := client.DescribeIamInstanceProfileAssociations(ctx, &test.input)
		if code(err) != test.code || err == nil && len(answer.IamInstanceProfileAssociations) != test.want {
			t.Errorf("%s: %+v, %v; want %d, %q", name, answer, err, test.want, test.code)
		}
	}
	gone, err := client.DisassociateIamInstanceProfile(ctx, &ec2.DisassociateIamInstanceProfileInput{AssociationId: association.AssociationId})
	if err != nil || gone.IamInstanceProfileAssociation.State != "disassociating" {
		t.Errorf("%+v, %v", gone, err)
	}
	if got := described(t, s, *id); got.IamInstanceProfile != nil {
		t.Errorf("disassociated: %+v", got.IamInstanceProfile)
	}
	if _, err := client.DisassociateIamInstanceProfile(ctx, &ec2.DisassociateIamInstanceProfileInput{AssociationId: association.AssociationId}); code(err) != "InvalidAssociationID.NotFound" {
		t.Errorf("disassociated twice: %v", err)
	}
	for name, test := range map[string]struct {
		input ec2.AssociateIamInstanceProfileInput
		code  string
	}{
		"no such profile":  {ec2.AssociateIamInstanceProfileInput{InstanceId: id, IamInstanceProfile: &ec2types.IamInstanceProfileSpecification{Name: aws.String("x")}}, "InvalidParameterValue"},
		"no profile":       {ec2.AssociateIamInstanceProfileInput{InstanceId: id, IamInstanceProfile: &ec2types.IamInstanceProfileSpecification{}}, "MissingParameter"},
		"no such instance": {ec2.AssociateIamInstanceProfileInput{InstanceId: aws.String("i-0123456789abcdef9"), IamInstanceProfile: profile}, "InvalidInstanceID.NotFound"},
	} {
		if _, err := client.AssociateIamInstanceProfile(ctx, &test.input); code(err) != test.code {
			t.Errorf("%s: %v, want %s", name, err, test.code)
		}
	}
}

func TestDescribeRegions(t *testing.T) {
	s := start(t, localaws.Config{})
	for name, test := range map[string]struct {
		input ec2.DescribeRegionsInput
		want  []string
		code  string
	}{
		"by name":      {ec2.DescribeRegionsInput{RegionNames: []string{"eu-west-2"}}, []string{"eu-west-2"}, ""},
		"by no name":   {ec2.DescribeRegionsInput{RegionNames: []string{"eu-west-9"}}, nil, "InvalidParameterValue"},
		"by filter":    {ec2.DescribeRegionsInput{Filters: []ec2types.Filter{filter("region-name", "eu-west-*")}}, []string{"eu-west-1", "eu-west-2", "eu-west-3"}, ""},
		"by endpoint":  {ec2.DescribeRegionsInput{Filters: []ec2types.Filter{filter("endpoint", "ec2.sa-east-1.amazonaws.com")}}, []string{"sa-east-1"}, ""},
		"by another":   {ec2.DescribeRegionsInput{Filters: []ec2types.Filter{filter("name", "x")}}, nil, "InvalidParameterValue"},
		"to be opted":  {ec2.DescribeRegionsInput{Filters: []ec2types.Filter{filter("opt-in-status", "opted-in")}}, nil, ""},
		"of all kinds": {ec2.DescribeRegionsInput{AllRegions: aws.Bool(true)}, nil, "ValidationError"},
	} {
		answer, err := ec2.NewFromConfig(s.SDK()).DescribeRegions(t.Context(), &test.input)
		var got []string
		if err == nil {
			for _, region := range answer.Regions {
				got = append(got, *region.RegionName)
			}
		}
		if code(err) != test.code || !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, %v; want %q, %q", name, got, err, test.want, test.code)
		}
	}
}

// TestEC2Permissions calls each operation as a user with only its permission, and as
// a user with every permission but it, with and without DryRun.
func TestEC2Permissions(t *testing.T) {
	const id = "i-0123456789abcdef0"
	const instance = "arn:aws:ec2:eu-west-2:" + account + ":instance/" + id
	dry := func(dry bool) *bool { return &dry }
	for action, test := range map[string]struct {
		resource, condition string
		call                func(ctx context.Context, c *ec2.Client, dry *bool) error
		hasDryRun           bool
	}{
		"DescribeInstances": {"*", "", func(ctx context.Context, c *ec2.Client, dry *bool) error {
			_, err := c.DescribeInstances(ctx, &ec2.DescribeInstancesInput{DryRun: dry})
			return err
		}, true},
		"DescribeTags": {"*", "", func(ctx context.Context, c *ec2.Client, dry *bool) error {
			_, err := c.DescribeTags(ctx, &ec2.DescribeTagsInput{DryRun: dry})
			return err
		}, true},
		"DescribeRegions": {"*", "", func(ctx context.Context, c *ec2.Client, dry *bool) error {
			_, err := c.DescribeRegions(ctx, &ec2.DescribeRegionsInput{DryRun: dry})
			return err
		}, true},
		"DescribeIamInstanceProfileAssociations": {"*", "", func(ctx context.Context, c *ec2.Client, _ *bool) error {
			_, err := c.DescribeIamInstanceProfileAssociations(ctx, nil)
			return err
		}, false},
		"StopInstances": {instance, `"StringEquals":{"aws:ResourceTag/env":"test","ec2:ResourceTag/env":"test","ec2:InstanceID":"` + id + `"}`, func(ctx context.Context, c *ec2.Client, dry *bool) error {
			_, err := c.StopInstances(ctx, &ec2.StopInstancesInput{InstanceIds: []string{id}, DryRun: dry})
			return err
		}, true},
		"StartInstances": {instance, `"StringEquals":{"ec2:Region":"eu-west-2","ec2:AvailabilityZone":"eu-west-2a"}`, func(ctx context.Context, c *ec2.Client, dry *bool) error {
			_, err := c.StartInstances(ctx, &ec2.StartInstancesInput{InstanceIds: []string{id}, DryRun: dry})
			return err
		}, true},
		"TerminateInstances": {instance, `"StringEquals":{"ec2:InstanceType":"m1.small"}`, func(ctx context.Context, c *ec2.Client, dry *bool) error {
			_, err := c.TerminateInstances(ctx, &ec2.TerminateInstancesInput{InstanceIds: []string{id}, DryRun: dry})
			return err
		}, true},
		"CreateTags": {instance, `"StringEquals":{"aws:RequestTag/team":"a","aws:ResourceTag/env":"test"}`, func(ctx context.Context, c *ec2.Client, dry *bool) error {
			_, err := c.CreateTags(ctx, &ec2.CreateTagsInput{Resources: []string{id}, Tags: []ec2types.Tag{{Key: aws.String("team"), Value: aws.String("a")}}, DryRun: dry})
			return err
		}, true},
		"DeleteTags": {instance, `"ForAnyValue:StringEquals":{"aws:TagKeys":["team"]}`, func(ctx context.Context, c *ec2.Client, dry *bool) error {
			_, err := c.DeleteTags(ctx, &ec2.DeleteTagsInput{Resources: []string{id}, Tags: []ec2types.Tag{{Key: aws.String("team")}}, DryRun: dry})
			return err
		}, true},
		"AssociateIamInstanceProfile": {instance, "", func(ctx context.Context, c *ec2.Client, _ *bool) error {
			_, err := c.AssociateIamInstanceProfile(ctx, &ec2.AssociateIamInstanceProfileInput{InstanceId: aws.String(id), IamInstanceProfile: &ec2types.IamInstanceProfileSpecification{Name: aws.String("node")}})
			return err
		}, false},
		"DisassociateIamInstanceProfile": {"arn:aws:ec2:eu-west-2:" + account + ":instance/i-0123456789abcdef1", `"ArnEquals":{"ec2:InstanceProfile":"arn:aws:iam::` + account + `:instance-profile/node"}`, func(ctx context.Context, c *ec2.Client, _ *bool) error {
			all, err := c.DescribeIamInstanceProfileAssociations(ctx, nil)
			if err != nil {
				return err
			}
			_, err = c.DisassociateIamInstanceProfile(ctx, &ec2.DisassociateIamInstanceProfileInput{AssociationId: all.IamInstanceProfileAssociations[0].AssociationId})
			return err
		}, false},
	} {
		t.Run(action, func(t *testing.T) {
			s := start(t, localaws.Config{Instances: []localaws.Instance{{ID: id}, {ID: "i-0123456789abcdef1", InstanceProfile: "node"}}})
			newProfile(t, s, "node", "ec2")
			if _, err := ec2.NewFromConfig(s.SDK()).CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: []string{id}, Tags: []ec2types.Tag{{Key: aws.String("env"), Value: aws.String("test")}}}); err != nil {
				t.Fatal(err)
			}
			also := `{"Effect":"Allow","Action":["iam:PassRole","ec2:DescribeIam*"],"Resource":"*"}`
			may := ec2.NewFromConfig(newUser(t, s, "may", statements(also, `{"Effect":"Allow","Action":"ec2:`+action+`","Resource":"`+test.resource+`","Condition":{`+test.condition+`}}`)))
			mayNot := ec2.NewFromConfig(newUser(t, s, "may-not", statements(`{"Effect":"Allow","NotAction":"ec2:`+action+`","Resource":"*"}`)))
			for _, is := range []bool{true, false} {
				if err := test.call(t.Context(), mayNot, dry(is)); code(err) != "UnauthorizedOperation" || !strings.Contains(err.Error(), "ec2:"+action+" on resource: "+test.resource) {
					t.Errorf("without permission, DryRun %v: %v", is, err)
				}
			}
			if test.hasDryRun {
				if err := test.call(t.Context(), may, dry(true)); code(err) != "DryRunOperation" {
					t.Errorf("with permission, DryRun: %v", err)
				}
			}
			if err := test.call(t.Context(), may, nil); err != nil {
				t.Errorf("with permission: %v", err)
			}
		})
	}
}

// TestRunInstancesPermissions leaves out each permission that a launch requires.
func TestRunInstancesPermissions(t *testing.T) {
	s := start(t, localaws.Config{})
	role := newProfile(t, s, "node", "ec2")
	ofEC2 := func(resource string) string { return "arn:aws:ec2:eu-west-2:" + account + ":" + resource }
	all := map[string]string{
		"instance":          `{"Effect":"Allow","Action":"ec2:RunInstances","Resource":"` + ofEC2("instance/*") + `","Condition":{"StringEquals":{"ec2:InstanceType":"t3.micro","aws:RequestTag/Name":"n","ec2:MetadataHttpTokens":"required"},"ArnEquals":{"ec2:InstanceProfile":"` + arn("instance-profile/node") + `"}}}`,
		"image":             `{"Effect":"Allow","Action":"ec2:RunInstances","Resource":"arn:aws:ec2:eu-west-2::image/` + image + `"}`,
		"network-interface": `{"Effect":"Allow","Action":"ec2:RunInstances","Resource":"` + ofEC2("network-interface/*") + `"}`,
		"security-group":    `{"Effect":"Allow","Action":"ec2:RunInstances","Resource":"` + ofEC2("security-group/*") + `"}`,
		"subnet":            `{"Effect":"Allow","Action":"ec2:RunInstances","Resource":"` + ofEC2("subnet/*") + `"}`,
		"volume":            `{"Effect":"Allow","Action":"ec2:RunInstances","Resource":"` + ofEC2("volume/*") + `"}`,
		"CreateTags":        `{"Effect":"Allow","Action":"ec2:CreateTags","Resource":"` + ofEC2("instance/*") + `","Condition":{"StringEquals":{"ec2:CreateAction":"RunInstances"}}}`,
		"PassRole":          `{"Effect":"Allow","Action":"iam:PassRole","Resource":"` + role + `","Condition":{"StringEquals":{"iam:PassedToService":"ec2.amazonaws.com"}}}`,
	}
	input := launch(named("n"), withProfile("node"))
	for name := range all {
		some := maps.Clone(all)
		delete(some, name)
		bob := ec2.NewFromConfig(newUser(t, s, "no-"+name, statements(slices.Collect(maps.Values(some))...)))
		if _, err := bob.RunInstances(t.Context(), input); code(err) != "UnauthorizedOperation" || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	bob := ec2.NewFromConfig(newUser(t, s, "bob", statements(slices.Collect(maps.Values(all))...)))
	dry := *input
	dry.DryRun = aws.Bool(true)
	if _, err := bob.RunInstances(t.Context(), &dry); code(err) != "DryRunOperation" {
		t.Errorf("with all, DryRun: %v", err)
	}
	if all, err := ec2.NewFromConfig(s.SDK()).DescribeInstances(t.Context(), nil); err != nil || len(all.Reservations) != 0 {
		t.Errorf("instances after denied launches: %+v, %v", all, err)
	}
	if _, err := bob.RunInstances(t.Context(), input); err != nil {
		t.Errorf("with all: %v", err)
	}
}

// FuzzFilter compares the matching of filter patterns with a naive implementation.
func FuzzFilter(f *testing.F) {
	s := start(f, localaws.Config{Instances: []localaws.Instance{{ID: "i-0123456789abcdef0"}}})
	client := ec2.NewFromConfig(s.SDK())
	f.Add("a*b", "axxb")
	f.Add("a*b", "ab")
	f.Add(`a\*?`, "a*c")
	f.Add(`\`, `\`)
	f.Add("[a-z]+(.)|^$", "[a-z]+(.)|^$")
	f.Add("**", "x\ny")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		// The naive implementation takes exponential time.
		if len(pattern) > 12 || len(text) > 12 || strings.ToValidUTF8(pattern+text, "") != pattern+text {
			t.Skip()
		}
		if _, err := client.CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: []string{"i-0123456789abcdef0"}, Tags: []ec2types.Tag{{Key: aws.String("k"), Value: &text}}}); err != nil {
			t.Fatal(err)
		}
		found, err := client.DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{Filters: []ec2types.Filter{filter("tag:k", pattern)}})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := len(found.Reservations) == 1, globs([]rune(pattern), []rune(text)); got != want {
			t.Errorf("%q matches %q: %v, want %v", pattern, text, got, want)
		}
	})
}

func globs(pattern, text []rune) bool {
	switch {
	case len(pattern) == 0:
		return len(text) == 0
	case pattern[0] == '*':
		return globs(pattern[1:], text) || len(text) > 0 && globs(pattern, text[1:])
	case pattern[0] == '\\' && len(pattern) > 1:
		return len(text) > 0 && text[0] == pattern[1] && globs(pattern[2:], text[1:])
	default:
		return len(text) > 0 && (pattern[0] == '?' || pattern[0] == text[0]) && globs(pattern[1:], text[1:])
	}
}
