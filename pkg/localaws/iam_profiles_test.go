package localaws_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

func TestInstanceProfiles(t *testing.T) {
	s := start(t, localaws.Config{})
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	newRole(t, s, "node", byEC2())
	made, err := client.CreateInstanceProfile(ctx, &iam.CreateInstanceProfileInput{
		InstanceProfileName: aws.String("Workers"), Path: aws.String("/team/"), Tags: []iamtypes.Tag{{Key: aws.String("owner"), Value: aws.String("me")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if p := made.InstanceProfile; *p.Arn != arn("instance-profile/team/Workers") || !strings.HasPrefix(*p.InstanceProfileId, "AIPA") || len(p.Roles) != 0 || *p.Tags[0].Value != "me" {
		t.Errorf("%+v", p)
	}
	if _, err := client.CreateInstanceProfile(ctx, &iam.CreateInstanceProfileInput{InstanceProfileName: aws.String("other")}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.AddRoleToInstanceProfile(ctx, &iam.AddRoleToInstanceProfileInput{InstanceProfileName: aws.String("workers"), RoleName: aws.String("node")}); err != nil {
		t.Fatal(err)
	}
	newRole(t, s, "other", byEC2())
	if _, err := client.AddRoleToInstanceProfile(ctx, &iam.AddRoleToInstanceProfileInput{InstanceProfileName: aws.String("other"), RoleName: aws.String("other")}); err != nil {
		t.Fatal(err)
	}
	got, err := client.GetInstanceProfile(ctx, &iam.GetInstanceProfileInput{InstanceProfileName: aws.String("WORKERS")})
	if err != nil {
		t.Fatal(err)
	}
	if p := got.InstanceProfile; *p.InstanceProfileName != "Workers" || *p.Path != "/team/" || len(p.Roles) != 1 || *p.Roles[0].Arn != arn("role/node") || p.CreateDate == nil {
		t.Errorf("%+v", p)
	}
	for prefix, want := range map[string]int{"/": 2, "/team/": 1, "/nobody/": 0} {
		listed, err := client.ListInstanceProfiles(ctx, &iam.ListInstanceProfilesInput{PathPrefix: &prefix})
		if err != nil || len(listed.InstanceProfiles) != want {
			t.Errorf("path prefix %s: %d profiles, %v; want %d", prefix, len(listed.InstanceProfiles), err, want)
		}
	}
	ofRole, err := client.ListInstanceProfilesForRole(ctx, &iam.ListInstanceProfilesForRoleInput{RoleName: aws.String("node")})
	if err != nil || len(ofRole.InstanceProfiles) != 1 || *ofRole.InstanceProfiles[0].InstanceProfileName != "Workers" {
		t.Errorf("profiles of the role: %+v, %v", ofRole, err)
	}
}

func TestInstanceProfilesAreChecked(t *testing.T) {
	s := start(t, localaws.Config{})
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	newRole(t, s, "node", byEC2())
	newRole(t, s, "other", byEC2())
	create := func(name, path string) error {
		return errorOf(client.CreateInstanceProfile(ctx, &iam.CreateInstanceProfileInput{InstanceProfileName: &name, Path: &path}))
	}
	get := func(name string) error {
		return errorOf(client.GetInstanceProfile(ctx, &iam.GetInstanceProfileInput{InstanceProfileName: &name}))
	}
	add := func(name, role string) error {
		return errorOf(client.AddRoleToInstanceProfile(ctx, &iam.AddRoleToInstanceProfileInput{InstanceProfileName: &name, RoleName: &role}))
	}
	remove := func(name, role string) error {
		return errorOf(client.RemoveRoleFromInstanceProfile(ctx, &iam.RemoveRoleFromInstanceProfileInput{InstanceProfileName: &name, RoleName: &role}))
	}
	deleted := func(name string) error {
		return errorOf(client.DeleteInstanceProfile(ctx, &iam.DeleteInstanceProfileInput{InstanceProfileName: &name}))
	}
	if _, err := client.CreateServiceLinkedRole(ctx, &iam.CreateServiceLinkedRoleInput{AWSServiceName: aws.String("eks.amazonaws.com")}); err != nil {
		t.Fatal(err)
	}
	expect(t,
		attempt{"create", create("p", "/"), ""},
		attempt{"create it twice", create("P", "/x/"), "EntityAlreadyExists"},
		attempt{"a name with a space", create("a b", "/"), "ValidationError"},
		attempt{"a name of 129 characters", create(strings.Repeat("x", 129), "/"), "ValidationError"},
		attempt{"a path that is none", create("new", "x"), "ValidationError"},
		attempt{"list under no path", errorOf(client.ListInstanceProfiles(ctx, &iam.ListInstanceProfilesInput{PathPrefix: aws.String("x")})), "ValidationError"},
		attempt{"get none", get("none"), "NoSuchEntity"},
		attempt{"add to none", add("none", "node"), "NoSuchEntity"},
		attempt{"add no role", add("p", "none"), "NoSuchEntity"},
		attempt{"add a service's role", add("p", "AWSServiceRoleForAmazonEKS"), "UnmodifiableEntity"},
		attempt{"remove what is not in it", remove("p", "node"), "NoSuchEntity"},
		attempt{"add", add("p", "node"), ""},
		attempt{"add twice", add("p", "node"), "LimitExceeded"},
		attempt{"add another", add("p", "other"), "LimitExceeded"},
		attempt{"remove another", remove("p", "other"), "NoSuchEntity"},
		attempt{"remove no role", remove("p", "none"), "NoSuchEntity"},
		attempt{"remove from none", remove("none", "node"), "NoSuchEntity"},
		attempt{"delete with a role in it", deleted("p"), "DeleteConflict"},
		attempt{"remove", remove("p", "node"), ""},
		attempt{"delete", deleted("p"), ""},
		attempt{"delete none", deleted("p"), "NoSuchEntity"},
		attempt{"of no role", errorOf(client.ListInstanceProfilesForRole(ctx, &iam.ListInstanceProfilesForRoleInput{RoleName: aws.String("none")})), "NoSuchEntity"},
	)
	for i := range 1000 {
		if err := create("p"+strconv.Itoa(i), "/"); err != nil {
			t.Fatal(err)
		}
	}
	expect(t, attempt{"one more than the quota", create("p", "/"), "LimitExceeded"})
}

// TestRolesArePassed checks that adding a role to an instance profile requires
// iam:PassRole: otherwise the caller could gain the role's permissions.
func TestRolesArePassed(t *testing.T) {
	s := start(t, localaws.Config{})
	newRole(t, s, "node", byEC2())
	newRole(t, s, "admin", byEC2())
	if _, err := iam.NewFromConfig(s.SDK()).CreateInstanceProfile(t.Context(), &iam.CreateInstanceProfileInput{InstanceProfileName: aws.String("p")}); err != nil {
		t.Fatal(err)
	}
	both := func(resource, service string) string {
		return `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:AddRoleToInstanceProfile","Resource":"*"},
			{"Effect":"Allow","Action":"iam:PassRole","Resource":"` + resource + `","Condition":{"StringEquals":{"iam:PassedToService":"` + service + `"}}}]}`
	}
	for _, test := range []struct{ name, policy, role, want string }{
		{"none", statement("Allow", "iam:AddRoleToInstanceProfile", "*"), "node", "AccessDenied"},
		{"another-role", both(arn("role/node"), "ec2.amazonaws.com"), "admin", "AccessDenied"},
		{"another-service", both(arn("role/node"), "eks.amazonaws.com"), "node", "AccessDenied"},
		{"the-role", both(arn("role/node"), "ec2.amazonaws.com"), "node", ""},
	} {
		_, err := iam.NewFromConfig(newUser(t, s, test.name, test.policy)).AddRoleToInstanceProfile(t.Context(), &iam.AddRoleToInstanceProfileInput{
			InstanceProfileName: aws.String("p"), RoleName: &test.role,
		})
		expect(t, attempt{test.name, err, test.want})
	}
}
