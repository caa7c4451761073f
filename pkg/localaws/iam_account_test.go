package localaws_test

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

// TestEveryOtherOperationNeedsPermission covers the operations that are not on users,
// groups and managed policies.
func TestEveryOtherOperationNeedsPermission(t *testing.T) {
	s := start(t, localaws.Config{})
	makeEntities(t, s)
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	must(t, errorOf(client.CreateInstanceProfile(ctx, &iam.CreateInstanceProfileInput{InstanceProfileName: aws.String("p"), Path: aws.String("/team/")})))
	nobody := newUser(t, s, "nobody", "")
	const (
		user, role, profile = "UserName=alice", "RoleName=deployer", "InstanceProfileName=p"
		provider            = "OpenIDConnectProviderArn=arn:aws:iam::" + account + ":oidc-provider/x"
		device              = "SerialNumber=arn:aws:iam::" + account + ":mfa/x"
		source              = "PolicySourceArn=arn:aws:iam::" + account + ":user/team/alice"
	)
	tests := map[string]permissionTest{
		"CreateRole":                              {"RoleName=new&Path=/x/", "role/x/new"},
		"GetRole":                                 {role, "role/team/deployer"},
		"ListRoles":                               {"PathPrefix=/team/", "role/team/"},
		"UpdateRole":                              {role, "role/team/deployer"},
		"UpdateRoleDescription":                   {role, "role/team/deployer"},
		"UpdateAssumeRolePolicy":                  {role, "role/team/deployer"},
		"DeleteRole":                              {role, "role/team/deployer"},
		"CreateServiceLinkedRole":                 {"AWSServiceName=autoscaling.amazonaws.com&CustomSuffix=x", "role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling_x"},
		"DeleteServiceLinkedRole":                 {"RoleName=x", "role/x"},
		"GetServiceLinkedRoleDeletionStatus":      {"DeletionTaskId=task/aws-service-role/eks.amazonaws.com/x/1", "role/aws-service-role/eks.amazonaws.com/x"},
		"CreateInstanceProfile":                   {"InstanceProfileName=new&Path=/x/", "instance-profile/x/new"},
		"GetInstanceProfile":                      {profile, "instance-profile/team/p"},
		"ListInstanceProfiles":                    {"", "instance-profile/"},
		"ListInstanceProfilesForRole":             {role, "role/team/deployer"},
		"AddRoleToInstanceProfile":                {profile + "&" + role, "instance-profile/team/p"},
		"RemoveRoleFromInstanceProfile":           {profile + "&" + role, "instance-profile/team/p"},
		"DeleteInstanceProfile":                   {profile, "instance-profile/team/p"},
		"TagInstanceProfile":                      {profile, "instance-profile/team/p"},
		"UntagInstanceProfile":                    {profile, "instance-profile/team/p"},
		"ListInstanceProfileTags":                 {profile, "instance-profile/team/p"},
		"CreateOpenIDConnectProvider":             {"Url=https://issuer.example.com/x", "oidc-provider/issuer.example.com/x"},
		"GetOpenIDConnectProvider":                {provider, "oidc-provider/x"},
		"ListOpenIDConnectProviders":              {"", "oidc-provider/"},
		"AddClientIDToOpenIDConnectProvider":      {provider, "oidc-provider/x"},
		"RemoveClientIDFromOpenIDConnectProvider": {provider, "oidc-provider/x"},
		"UpdateOpenIDConnectProviderThumbprint":   {provider, "oidc-provider/x"},
		"DeleteOpenIDConnectProvider":             {provider, "oidc-provider/x"},
		"TagOpenIDConnectProvider":                {provider, "oidc-provider/x"},
		"UntagOpenIDConnectProvider":              {provider, "oidc-provider/x"},
		"ListOpenIDConnectProviderTags":           {provider, "oidc-provider/x"},
		"CreateVirtualMFADevice":                  {"VirtualMFADeviceName=new&Path=/x/", "mfa/x/new"},
		"EnableMFADevice":                         {user, "user/team/alice"},
		"ResyncMFADevice":                         {user, "user/team/alice"},
		"DeactivateMFADevice":                     {user, "user/team/alice"},
		"ListMFADevices":                          {user, "user/team/alice"},
		"ListVirtualMFADevices":                   {"", "mfa/"},
		"DeleteVirtualMFADevice":                  {device, "mfa/x"},
		"TagMFADevice":                            {device, "mfa/x"},
		"UntagMFADevice":                          {device, "mfa/x"},
		"ListMFADeviceTags":                       {device, "mfa/x"},
		"CreateAccountAlias":                      {"", "*"},
		"DeleteAccountAlias":                      {"", "*"},
		"ListAccountAliases":                      {"", "*"},
		"GetAccountSummary":                       {"", "*"},
		"GetAccountAuthorizationDetails":          {"", "*"},
		"SimulateCustomPolicy":                    {"", "*"},
		"SimulatePrincipalPolicy":                 {source, "user/team/alice"},
		"GetContextKeysForCustomPolicy":           {"", "*"},
		"GetContextKeysForPrincipalPolicy":        {source, "user/team/alice"},
	}
	maps.Copy(tests, recordTests())
	for _, action := range localaws.OperationsOf("iam") {
		_, here := tests[action]
		if _, there := entityTests("")[action]; !here && !there {
			t.Errorf("%s is not tested", action)
		}
	}
	for action, test := range tests {
		resource := test.resource
		if resource != "*" {
			resource = arn(resource)
		}
		code, message := askIAM(t, s, nobody, action, test.form)
		if want := "is not authorized to perform: iam:" + action + " on resource: " + resource + " because"; code != "AccessDenied" || !strings.Contains(message, want) {
			t.Errorf("%s: %s: %s\nwant %s", action, code, message, want)
		}
	}
}

// TestOtherInvalidParameters covers parameters that the SDK does not send.
func TestOtherInvalidParameters(t *testing.T) {
	s := start(t, localaws.Config{})
	makeEntities(t, s)
	must(t, errorOf(iam.NewFromConfig(s.SDK()).CreateOpenIDConnectProvider(t.Context(), &iam.CreateOpenIDConnectProviderInput{Url: aws.String("https://issuer.example.com")})))
	device := "SerialNumber=" + arn("mfa/x")
	for _, test := range []struct{ action, form, part string }{
		{"CreateRole", "RoleName=new", "'assumeRolePolicyDocument'"},
		{"UpdateAssumeRolePolicy", "RoleName=deployer", "'policyDocument'"},
		{"UpdateRoleDescription", "RoleName=deployer", "'description'"},
		{"GetRole", "", "'roleName'"},
		{"GetRole", "RoleName=" + strings.Repeat("x", 65), "'roleName'"},
		{"DeleteServiceLinkedRole", "", "'roleName'"},
		{"GetInstanceProfile", "", "'instanceProfileName'"},
		{"AddRoleToInstanceProfile", "InstanceProfileName=" + strings.Repeat("x", 129), "'instanceProfileName'"},
		{"CreateVirtualMFADevice", "", "'virtualMFADeviceName'"},
		{"CreateVirtualMFADevice", "VirtualMFADeviceName=" + strings.Repeat("x", 227), "'virtualMFADeviceName'"},
		{"EnableMFADevice", device, "'userName'"},
		{"ResyncMFADevice", device, "'userName'"},
		{"DeactivateMFADevice", "", "'serialNumber'"},
		{"AddClientIDToOpenIDConnectProvider", "OpenIDConnectProviderArn=" + arn("oidc-provider/issuer.example.com"), "'clientID'"},
		{"SimulateCustomPolicy", "ActionNames.member.1=s3:GetObject", "'policyInputList'"},
		{"SimulatePrincipalPolicy", "PolicySourceArn=" + arn("user/administrator"), "'actionNames'"},
		{"SimulateCustomPolicy", "ResourceOwner=1", "'ResourceOwner' is not supported"},
	} {
		code, message := askIAM(t, s, s.SDK(), test.action, test.form)
		if code != "ValidationError" || !strings.Contains(message, test.part) {
			t.Errorf("%s %.80s: %s: %s; want %s", test.action, test.form, code, message, test.part)
		}
	}
}

// TestTagsOfOtherThings covers everything with tags but users, roles and policies,
// which have their own test.
func TestTagsOfOtherThings(t *testing.T) {
	s := start(t, localaws.Config{})
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	must(t, errorOf(client.CreateInstanceProfile(ctx, &iam.CreateInstanceProfileInput{InstanceProfileName: aws.String("p")})))
	must(t, errorOf(client.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{Url: aws.String("https://issuer.example.com")})))
	must(t, errorOf(client.CreateVirtualMFADevice(ctx, &iam.CreateVirtualMFADeviceInput{VirtualMFADeviceName: aws.String("phone")})))
	limited := iam.NewFromConfig(newUser(t, s, "limited", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:Untag*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/owner":"me"}}}]}`))
	profile, provider, device := aws.String("p"), aws.String(arn("oidc-provider/issuer.example.com")), aws.String(arn("mfa/phone"))
	for noun, of := range map[string]struct {
		tag   func() error
		untag func(*iam.Client) error
		list  func() ([]iamtypes.Tag, error)
	}{
		"instance profile": {
			func() error {
				return errorOf(client.TagInstanceProfile(ctx, &iam.TagInstanceProfileInput{InstanceProfileName: profile, Tags: tags("owner", "me", "a", "b")}))
			},
			func(client *iam.Client) error {
				return errorOf(client.UntagInstanceProfile(ctx, &iam.UntagInstanceProfileInput{InstanceProfileName: profile, TagKeys: []string{"owner"}}))
			},
			func() ([]iamtypes.Tag, error) {
				list, err := client.ListInstanceProfileTags(ctx, &iam.ListInstanceProfileTagsInput{InstanceProfileName: profile})
				return list.Tags, err
			},
		},
		"provider": {
			func() error {
				return errorOf(client.TagOpenIDConnectProvider(ctx, &iam.TagOpenIDConnectProviderInput{OpenIDConnectProviderArn: provider, Tags: tags("owner", "me", "a", "b")}))
			},
			func(client *iam.Client) error {
				return errorOf(client.UntagOpenIDConnectProvider(ctx, &iam.UntagOpenIDConnectProviderInput{OpenIDConnectProviderArn: provider, TagKeys: []string{"owner"}}))
			},
			func() ([]iamtypes.Tag, error) {
				list, err := client.ListOpenIDConnectProviderTags(ctx, &iam.ListOpenIDConnectProviderTagsInput{OpenIDConnectProviderArn: provider})
				return list.Tags, err
			},
		},
		"MFA device": {
			func() error {
				return errorOf(client.TagMFADevice(ctx, &iam.TagMFADeviceInput{SerialNumber: device, Tags: tags("owner", "me", "a", "b")}))
			},
			func(client *iam.Client) error {
				return errorOf(client.UntagMFADevice(ctx, &iam.UntagMFADeviceInput{SerialNumber: device, TagKeys: []string{"owner"}}))
			},
			func() ([]iamtypes.Tag, error) {
				list, err := client.ListMFADeviceTags(ctx, &iam.ListMFADeviceTagsInput{SerialNumber: device})
				return list.Tags, err
			},
		},
	} {
		t.Run(noun, func(t *testing.T) {
			has := func(want int) {
				t.Helper()
				if list, err := of.list(); err != nil || len(list) != want || *list[0].Key != "a" {
					t.Errorf("%+v, %v, want %d", list, err, want)
				}
			}
			expect(t, attempt{"untag what has no such tag", of.untag(limited), "AccessDenied"}, attempt{"tag", of.tag(), ""})
			has(2)
			expect(t, attempt{"untag", of.untag(limited), ""})
			has(1)
		})
	}
	expect(t,
		attempt{"no profile", errorOf(client.TagInstanceProfile(ctx, &iam.TagInstanceProfileInput{InstanceProfileName: aws.String("none"), Tags: tags("a", "b")})), "NoSuchEntity"},
		attempt{"no provider", errorOf(client.TagOpenIDConnectProvider(ctx, &iam.TagOpenIDConnectProviderInput{OpenIDConnectProviderArn: aws.String(arn("oidc-provider/none")), Tags: tags("a", "b")})), "NoSuchEntity"},
		attempt{"no device", errorOf(client.TagMFADevice(ctx, &iam.TagMFADeviceInput{SerialNumber: aws.String(arn("mfa/none")), Tags: tags("a", "b")})), "NoSuchEntity"},
	)
}

func TestAccountAlias(t *testing.T) {
	s := start(t, localaws.Config{})
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	create := func(alias string) error {
		return errorOf(client.CreateAccountAlias(ctx, &iam.CreateAccountAliasInput{AccountAlias: &alias}))
	}
	remove := func(alias string) error {
		return errorOf(client.DeleteAccountAlias(ctx, &iam.DeleteAccountAliasInput{AccountAlias: &alias}))
	}
	aliases := func() string {
		t.Helper()
		list, err := client.ListAccountAliases(ctx, &iam.ListAccountAliasesInput{})
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(list.AccountAliases, " ")
	}
	expect(t,
		attempt{"delete none", remove("kubedemy"), "NoSuchEntity"},
		attempt{"too short", create("ab"), "ValidationError"},
		attempt{"too long", create(strings.Repeat("a", 64)), "ValidationError"},
		attempt{"upper case", create("Kubedemy"), "ValidationError"},
		attempt{"a dash at the end", create("kubedemy-"), "ValidationError"},
		attempt{"two dashes", create("kube--demy"), "ValidationError"},
		attempt{"an account ID", create("111122223333"), "InvalidInput"},
	)
	if got := aliases(); got != "" {
		t.Errorf("at first: %q", got)
	}
	expect(t, attempt{"create", create("kubedemy"), ""}, attempt{"create twice", create("kubedemy"), "EntityAlreadyExists"}, attempt{"replace", create("kube-demy-2"), ""})
	if got := aliases(); got != "kube-demy-2" {
		t.Errorf("replaced: %q", got)
	}
	expect(t, attempt{"delete the old", remove("kubedemy"), "NoSuchEntity"}, attempt{"delete", remove("kube-demy-2"), ""})
	if got := aliases(); got != "" {
		t.Errorf("deleted: %q", got)
	}
}

func TestAccountSummary(t *testing.T) {
	s := start(t, localaws.Config{})
	makeEntities(t, s)
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	newRole(t, s, "node", byEC2())
	device, err := client.CreateVirtualMFADevice(ctx, &iam.CreateVirtualMFADeviceInput{VirtualMFADeviceName: aws.String("phone")})
	must(t, err)
	must(t, errorOf(client.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: aws.String(arn("policy/team/ec2")), PolicyDocument: aws.String(document)})))
	must(t, errorOf(client.CreateInstanceProfile(ctx, &iam.CreateInstanceProfileInput{InstanceProfileName: aws.String("p")})))
	must(t, errorOf(client.CreateOpenIDConnectProvider(ctx, &iam.CreateOpenIDConnectProviderInput{Url: aws.String("https://issuer.example.com")})))
	check := func(want map[string]int32) {
		t.Helper()
		summary, err := client.GetAccountSummary(ctx, &iam.GetAccountSummaryInput{})
		must(t, err)
		for key, value := range want {
			if got, ok := summary.SummaryMap[key]; !ok || got != value {
				t.Errorf("%s is %d (%t), want %d", key, got, ok, value)
			}
		}
	}
	check(map[string]int32{
		"Users": 2, "Groups": 1, "Roles": 2, "Policies": 1, "PolicyVersionsInUse": 2, "InstanceProfiles": 1, "Providers": 1, "MFADevices": 1, "MFADevicesInUse": 0,
		"UsersQuota": 5000, "GroupsQuota": 300, "RolesQuota": 1000, "InstanceProfilesQuota": 1000, "AccessKeysPerUserQuota": 2, "GroupsPerUserQuota": 10,
		"VersionsPerPolicyQuota": 5, "PolicySizeQuota": 6144, "AssumeRolePolicySizeQuota": 2048,
		"UserPolicySizeQuota": 2048, "GroupPolicySizeQuota": 5120, "RolePolicySizeQuota": 10240, "AttachedPoliciesPerRoleQuota": 10, "AccountMFAEnabled": 0,
	})
	now := time.Now()
	must(t, errorOf(client.EnableMFADevice(ctx, &iam.EnableMFADeviceInput{
		UserName: aws.String("alice"), SerialNumber: device.VirtualMFADevice.SerialNumber,
		AuthenticationCode1: codeOf(t, device.VirtualMFADevice.Base32StringSeed, now.Add(-30*time.Second)), AuthenticationCode2: codeOf(t, device.VirtualMFADevice.Base32StringSeed, now),
	})))
	check(map[string]int32{"MFADevices": 1, "MFADevicesInUse": 1})
}

// TestAuthorizationDetails creates some of everything and compares the details.
func TestAuthorizationDetails(t *testing.T) {
	s := start(t, localaws.Config{})
	makeEntities(t, s)
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	user, group, role, name := aws.String("alice"), aws.String("devs"), aws.String("deployer"), aws.String("p")
	own, readOnly := aws.String(arn("policy/team/ec2")), aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")
	must(t, errorOf(client.AddUserToGroup(ctx, &iam.AddUserToGroupInput{UserName: user, GroupName: group})))
	must(t, errorOf(client.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: user, PolicyName: name, PolicyDocument: aws.String(document)})))
	must(t, errorOf(client.PutGroupPolicy(ctx, &iam.PutGroupPolicyInput{GroupName: group, PolicyName: name, PolicyDocument: aws.String(document)})))
	must(t, errorOf(client.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: role, PolicyName: name, PolicyDocument: aws.String(document)})))
	must(t, errorOf(client.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: user, PolicyArn: own})))
	must(t, errorOf(client.AttachGroupPolicy(ctx, &iam.AttachGroupPolicyInput{GroupName: group, PolicyArn: readOnly})))
	must(t, errorOf(client.PutUserPermissionsBoundary(ctx, &iam.PutUserPermissionsBoundaryInput{UserName: user, PermissionsBoundary: own})))
	must(t, errorOf(client.TagRole(ctx, &iam.TagRoleInput{RoleName: role, Tags: tags("owner", "me")})))
	must(t, errorOf(client.CreateInstanceProfile(ctx, &iam.CreateInstanceProfileInput{InstanceProfileName: name})))
	must(t, errorOf(client.AddRoleToInstanceProfile(ctx, &iam.AddRoleToInstanceProfileInput{InstanceProfileName: name, RoleName: role})))

	all, err := client.GetAccountAuthorizationDetails(ctx, &iam.GetAccountAuthorizationDetailsInput{})
	must(t, err)
	describe := func(policies []iamtypes.PolicyDetail, attached []iamtypes.AttachedPolicy) string {
		var text []string
		for _, p := range policies {
			decoded, err := url.PathUnescape(*p.PolicyDocument)
			must(t, err)
			text = append(text, fmt.Sprint(*p.PolicyName, " ", decoded == document))
		}
		for _, p := range attached {
			text = append(text, *p.PolicyName+" "+*p.PolicyArn)
		}
		return strings.Join(text, ", ")
	}
	got := map[string]string{}
	for _, u := range all.UserDetailList {
		got[*u.Arn] = fmt.Sprint(*u.UserName, *u.Path, (*u.UserId)[:4], u.GroupList, " ", describe(u.UserPolicyList, u.AttachedManagedPolicies))
		if u.PermissionsBoundary != nil {
			got[*u.Arn] += " bounded by " + *u.PermissionsBoundary.PermissionsBoundaryArn
		}
	}
	for _, g := range all.GroupDetailList {
		got[*g.Arn] = fmt.Sprint(*g.GroupName, *g.Path, (*g.GroupId)[:4], " ", describe(g.GroupPolicyList, g.AttachedManagedPolicies))
	}
	for _, r := range all.RoleDetailList {
		got[*r.Arn] = fmt.Sprint(*r.RoleName, *r.Path, (*r.RoleId)[:4], " ", describe(r.RolePolicyList, r.AttachedManagedPolicies), " ", *r.Tags[0].Value, " ",
			*r.InstanceProfileList[0].InstanceProfileName, *r.InstanceProfileList[0].Roles[0].Arn, " ", strings.Contains(*r.AssumeRolePolicyDocument, account))
	}
	for _, p := range all.Policies {
		got[*p.Arn] = fmt.Sprintf("%s%s attached %d, bounds %d, %s of %d", *p.PolicyName, *p.Path, *p.AttachmentCount, *p.PermissionsBoundaryUsageCount, *p.DefaultVersionId, len(p.PolicyVersionList))
		decoded, err := url.PathUnescape(*p.PolicyVersionList[0].Document)
		must(t, err)
		if *p.Arn == *own && decoded != document {
			t.Errorf("the document of %s is %s", *p.Arn, decoded)
		}
	}
	admin := "AdministratorAccess arn:aws:iam::aws:policy/AdministratorAccess"
	want := map[string]string{
		arn("user/administrator"): "administrator/AIDA[] " + admin,
		arn("user/team/alice"):    "alice/team/AIDA[devs] p true, ec2 " + *own + " bounded by " + *own,
		arn("group/team/devs"):    "devs/team/AGPA p true, ReadOnlyAccess " + *readOnly,
		arn("role/team/deployer"): "deployer/team/AROA p true me p" + arn("role/team/deployer") + " true",
		*own:                      "ec2/team/ attached 1, bounds 1, v1 of 1",
		*readOnly:                 "ReadOnlyAccess/ attached 1, bounds 0, v1 of 1",
		"arn:aws:iam::aws:policy/AdministratorAccess": "AdministratorAccess/ attached 1, bounds 0, v1 of 1",
	}
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if got[key] != want[key] {
			t.Errorf("%s: %q, want %q", key, got[key], want[key])
		}
	}
	if len(got) != len(want) {
		t.Errorf("details of %q", slices.Sorted(maps.Keys(got)))
	}

	count := func(input *iam.GetAccountAuthorizationDetailsInput) (lists [4]int) {
		t.Helper()
		pages := iam.NewGetAccountAuthorizationDetailsPaginator(client, input)
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			must(t, err)
			for i, n := range []int{len(page.UserDetailList), len(page.GroupDetailList), len(page.RoleDetailList), len(page.Policies)} {
				lists[i] += n
			}
		}
		return lists
	}
	for want, filter := range map[[4]int][]iamtypes.EntityType{
		{2, 1, 1, 3}: nil,
		{2, 0, 0, 0}: {"User"},
		{0, 1, 1, 0}: {"Role", "Group"},
		{0, 0, 0, 1}: {"LocalManagedPolicy"},
		{0, 0, 0, 2}: {"AWSManagedPolicy"},
	} {
		for _, items := range []*int32{nil, aws.Int32(1), aws.Int32(2)} {
			if got := count(&iam.GetAccountAuthorizationDetailsInput{Filter: filter, MaxItems: items}); got != want {
				t.Errorf("%q: %d, want %d", filter, got, want)
			}
		}
	}
	wantCode(t, "ValidationError", errorOf(client.GetAccountAuthorizationDetails(ctx, &iam.GetAccountAuthorizationDetailsInput{Filter: []iamtypes.EntityType{"Users"}})))
}
