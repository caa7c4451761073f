package localaws_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	ststypes "github.com/aws/aws-sdk-go-v2/service/sts/types"

	"github.com/kube-iam/authenticator/pkg/localaws"
	"github.com/kube-iam/authenticator/pkg/localaws/localawstest"
)

const (
	ownPolicy    = "arn:aws:iam::" + account + ":policy/team/ec2" // of makeEntities
	readOnly     = "arn:aws:iam::aws:policy/ReadOnlyAccess"
	noSuchPolicy = "arn:aws:iam::" + account + ":policy/no-such"
)

func TestManagedPolicies(t *testing.T) {
	s := start(t, localaws.Config{})
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	create := func(name, document string) error {
		return errorOf(client.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: &name, PolicyDocument: &document}))
	}
	made, err := client.CreatePolicy(ctx, &iam.CreatePolicyInput{
		PolicyName: aws.String("EC2"), Path: aws.String("/x/"), PolicyDocument: aws.String(document), Description: aws.String("what for"), Tags: tags("a", "b"),
	})
	must(t, err)
	arn := made.Policy.Arn
	got, err := client.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: arn})
	must(t, err)
	for what, p := range map[string]*iamtypes.Policy{"made": made.Policy, "got": got.Policy} {
		if *p.Arn != "arn:aws:iam::"+account+":policy/x/EC2" || *p.PolicyName != "EC2" || *p.Path != "/x/" || (*p.PolicyId)[:4] != "ANPA" || *p.DefaultVersionId != "v1" ||
			*p.AttachmentCount != 0 || *p.PermissionsBoundaryUsageCount != 0 || !p.IsAttachable || (p.Description != nil) != (what == "got") || len(p.Tags) != 1 || p.CreateDate == nil || p.UpdateDate == nil {
			t.Errorf("%s: %+v", what, p)
		}
	}
	wantMessage(t, "EntityAlreadyExists", "A policy called ec2 already exists.", create("ec2", document)) // the path does not matter
	wantMessage(t, "MalformedPolicyDocument", "version 2012-10-17", create("x", strings.Replace(document, "2012-10-17", "2008-10-17", 1)))
	wantMessage(t, "MalformedPolicyDocument", "version 2012-10-17", create("x", strings.Replace(document, `"Version":"2012-10-17",`, "", 1)))
	wantCode(t, "MalformedPolicyDocument", create("x", "{"))
	exact := strings.Replace(document, "ec2:*", "ec2:"+strings.Repeat("x", 6144-len(document)+1), 1)
	wantMessage(t, "LimitExceeded", "PolicySize: 6144", create("x", strings.Replace(exact, "ec2:", "ec2:y", 1)))
	wantCode(t, "", create("x", exact))
	wantCode(t, "", create("y", strings.ReplaceAll(exact, ",", " ,\n\t"))) // white space is not counted

	for _, missing := range []string{noSuchPolicy, "arn:aws:iam::aws:policy/NoSuch"} {
		wantMessage(t, "NoSuchEntity", "Policy "+missing+" was not found.", errorOf(client.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: &missing})))
		wantCode(t, "NoSuchEntity", errorOf(client.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: &missing})))
		wantCode(t, "NoSuchEntity", errorOf(client.ListEntitiesForPolicy(ctx, &iam.ListEntitiesForPolicyInput{PolicyArn: &missing})))
		wantCode(t, "NoSuchEntity", errorOf(client.ListPolicyVersions(ctx, &iam.ListPolicyVersionsInput{PolicyArn: &missing})))
		wantCode(t, "NoSuchEntity", errorOf(client.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: &missing, PolicyDocument: aws.String(document)})))
	}
	wantMessage(t, "AccessDenied", "because no resource-based policy allows the iam:GetPolicy action",
		errorOf(client.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: aws.String("arn:aws:iam::111122223333:policy/x/EC2")})))
	wantCode(t, "", errorOf(client.UntagPolicy(ctx, &iam.UntagPolicyInput{PolicyArn: arn, TagKeys: []string{"a"}})))
	got, err = client.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: arn})
	must(t, err)
	if got.Policy.Tags == nil || len(got.Policy.Tags) != 0 || *got.Policy.Description != "what for" {
		t.Errorf("want the description and an empty list of tags: %+v", got.Policy)
	}
	wantCode(t, "", errorOf(client.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: arn})))
	wantCode(t, "NoSuchEntity", errorOf(client.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: arn})))
}

// TestNobodyChangesAWSsPolicies checks that even the administrator cannot change AWS
// managed policies.
func TestNobodyChangesAWSsPolicies(t *testing.T) {
	s := start(t, localaws.Config{})
	client, ctx, arn := iam.NewFromConfig(s.SDK()), t.Context(), aws.String(readOnly)
	for _, err := range []error{
		errorOf(client.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: arn})),
		errorOf(client.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: arn, PolicyDocument: aws.String(document)})),
		errorOf(client.SetDefaultPolicyVersion(ctx, &iam.SetDefaultPolicyVersionInput{PolicyArn: arn, VersionId: aws.String("v1")})),
		errorOf(client.DeletePolicyVersion(ctx, &iam.DeletePolicyVersionInput{PolicyArn: arn, VersionId: aws.String("v1")})),
	} {
		wantMessage(t, "AccessDenied", "on resource: "+readOnly, err)
	}
}

func TestPolicyVersions(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	s := start(t, localaws.Config{Now: func() time.Time { return now }})
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	bob := newUser(t, s, "bob", "")
	made, err := client.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("p"), PolicyDocument: aws.String(document)})
	must(t, err)
	arn := made.Policy.Arn
	must(t, errorOf(client.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: aws.String("bob"), PolicyArn: arn})))
	may := func() bool { // version 2 allows it
		_, err := eks.NewFromConfig(bob).ListClusters(ctx, &eks.ListClustersInput{})
		return err == nil
	}
	add := func(document string, asDefault bool) (*iam.CreatePolicyVersionOutput, error) {
		return client.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: arn, PolicyDocument: &document, SetAsDefault: asDefault})
	}
	setDefault := func(id string) error {
		return errorOf(client.SetDefaultPolicyVersion(ctx, &iam.SetDefaultPolicyVersionInput{PolicyArn: arn, VersionId: &id}))
	}
	remove := func(id string) error {
		return errorOf(client.DeletePolicyVersion(ctx, &iam.DeletePolicyVersionInput{PolicyArn: arn, VersionId: &id}))
	}
	versions := func() (text string) { // the default version has a star
		t.Helper()
		list, err := client.ListPolicyVersions(ctx, &iam.ListPolicyVersionsInput{PolicyArn: arn})
		must(t, err)
		for _, v := range list.Versions {
			if text += " " + *v.VersionId; v.IsDefaultVersion {
				text += "*"
			}
		}
		return text
	}

	now = now.Add(time.Minute)
	second, err := add(statement("Allow", "eks:ListClusters", "*"), false)
	must(t, err)
	if v := second.PolicyVersion; *v.VersionId != "v2" || v.IsDefaultVersion || !v.CreateDate.Equal(now) {
		t.Errorf("%+v", v)
	}
	if may() {
		t.Error("a version that is not the default has an effect")
	}
	must(t, setDefault("v2"))
	if !may() {
		t.Error("the default version has no effect")
	}
	third, err := add(document, true)
	must(t, err)
	if v := third.PolicyVersion; *v.VersionId != "v3" || !v.IsDefaultVersion {
		t.Errorf("%+v", v)
	}
	if may() {
		t.Error("the previous default version still has an effect")
	}
	got, err := client.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: arn, VersionId: aws.String("v2")})
	must(t, err)
	if text, err := url.QueryUnescape(*got.PolicyVersion.Document); err != nil || text != statement("Allow", "eks:ListClusters", "*") || got.PolicyVersion.IsDefaultVersion {
		t.Errorf("%+v, %v", got.PolicyVersion, err)
	}

	wantMessage(t, "DeleteConflict", "Cannot delete the default version of a policy.", remove("v3"))
	wantCode(t, "", remove("v2"))
	wantMessage(t, "NoSuchEntity", "version v2 does not exist", remove("v2"))
	wantCode(t, "NoSuchEntity", setDefault("v2"))
	wantCode(t, "NoSuchEntity", errorOf(client.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: arn, VersionId: aws.String("v2")})))
	for range 3 {
		must(t, errorOf(add(document, false)))
	}
	wantMessage(t, "LimitExceeded", "A managed policy can have up to 5 versions.", errorOf(add(document, false)))
	wantCode(t, "MalformedPolicyDocument", errorOf(add("{", false)))
	wantCode(t, "", remove("v6"))
	must(t, errorOf(add(document, false))) // no number is used twice
	if got := versions(); got != " v7 v5 v4 v3* v1" {
		t.Error(got)
	}
	described, err := client.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: arn})
	if err != nil || *described.Policy.DefaultVersionId != "v3" || !described.Policy.UpdateDate.Equal(now) || !described.Policy.CreateDate.Before(now) {
		t.Errorf("%+v, %v", described.Policy, err)
	}

	removePolicy := func() error { return errorOf(client.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: arn})) }
	wantMessage(t, "DeleteConflict", "Cannot delete a policy attached to entities.", removePolicy())
	must(t, errorOf(client.DetachUserPolicy(ctx, &iam.DetachUserPolicyInput{UserName: aws.String("bob"), PolicyArn: arn})))
	wantMessage(t, "DeleteConflict", "This policy has more than one version.", removePolicy())
	for _, id := range []string{"v1", "v4", "v5", "v7"} {
		must(t, remove(id))
	}
	wantCode(t, "", removePolicy())
}

// TestAttachments covers the operations that users, groups and roles have in common.
func TestAttachments(t *testing.T) {
	s := start(t, localaws.Config{})
	makeEntities(t, s)
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	user, group, role := aws.String("alice"), aws.String("devs"), aws.String("deployer")
	for kind, of := range map[string]struct {
		attach, detach func(arn string) error
		list           func(pathPrefix string) ([]iamtypes.AttachedPolicy, error)
	}{
		"User": {
			func(arn string) error {
				return errorOf(client.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: user, PolicyArn: &arn}))
			},
			func(arn string) error {
				return errorOf(client.DetachUserPolicy(ctx, &iam.DetachUserPolicyInput{UserName: user, PolicyArn: &arn}))
			},
			func(prefix string) ([]iamtypes.AttachedPolicy, error) {
				answer, err := client.ListAttachedUserPolicies(ctx, &iam.ListAttachedUserPoliciesInput{UserName: user, PathPrefix: &prefix})
				return answer.AttachedPolicies, err
			},
		},
		"Group": {
			func(arn string) error {
				return errorOf(client.AttachGroupPolicy(ctx, &iam.AttachGroupPolicyInput{GroupName: group, PolicyArn: &arn}))
			},
			func(arn string) error {
				return errorOf(client.DetachGroupPolicy(ctx, &iam.DetachGroupPolicyInput{GroupName: group, PolicyArn: &arn}))
			},
			func(prefix string) ([]iamtypes.AttachedPolicy, error) {
				answer, err := client.ListAttachedGroupPolicies(ctx, &iam.ListAttachedGroupPoliciesInput{GroupName: group, PathPrefix: &prefix})
				return answer.AttachedPolicies, err
			},
		},
		"Role": {
			func(arn string) error {
				return errorOf(client.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: role, PolicyArn: &arn}))
			},
			func(arn string) error {
				return errorOf(client.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: role, PolicyArn: &arn}))
			},
			func(prefix string) ([]iamtypes.AttachedPolicy, error) {
				answer, err := client.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: role, PathPrefix: &prefix})
				return answer.AttachedPolicies, err
			},
		},
	} {
		t.Run(kind, func(t *testing.T) {
			has := func(prefix string, want ...string) {
				t.Helper()
				list, err := of.list(prefix)
				must(t, err)
				var got []string
				for _, p := range list {
					if !strings.HasSuffix(*p.PolicyArn, "/"+*p.PolicyName) {
						t.Errorf("%s has the name %s", *p.PolicyArn, *p.PolicyName)
					}
					got = append(got, *p.PolicyArn)
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s: %q, want %q", prefix, got, want)
				}
			}
			wantMessage(t, "NoSuchEntity", "Policy "+noSuchPolicy+" does not exist or is not attachable.", of.attach(noSuchPolicy))
			wantMessage(t, "NoSuchEntity", "Policy "+ownPolicy+" was not found.", of.detach(ownPolicy))
			wantCode(t, "InvalidInput", of.attach("arn:aws:iam::aws:role/nonsense"))
			has("/")
			for _, arn := range []string{ownPolicy, readOnly, ownPolicy} { // attaching again has no effect
				wantCode(t, "", of.attach(arn))
			}
			has("/", ownPolicy, readOnly)
			has("/team/", ownPolicy)
			for i := range 9 {
				name := "p" + kind + strconv.Itoa(i)
				must(t, errorOf(client.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: &name, PolicyDocument: aws.String(document)})))
				if err := of.attach("arn:aws:iam::" + account + ":policy/" + name); i < 8 {
					wantCode(t, "", err)
				} else {
					wantMessage(t, "LimitExceeded", "PoliciesPer"+kind+": 10", err)
				}
			}
			wantCode(t, "", of.detach(ownPolicy))
			wantCode(t, "NoSuchEntity", of.detach(ownPolicy))
			has("/team/")
		})
	}
	bob := aws.String("bob")
	wantCode(t, "NoSuchEntity", errorOf(client.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: bob, PolicyArn: aws.String(readOnly)})))
	wantCode(t, "NoSuchEntity", errorOf(client.DetachUserPolicy(ctx, &iam.DetachUserPolicyInput{UserName: bob, PolicyArn: aws.String(readOnly)})))
	wantCode(t, "NoSuchEntity", errorOf(client.ListAttachedUserPolicies(ctx, &iam.ListAttachedUserPoliciesInput{UserName: bob})))
}

// usePolicies attaches ownPolicy to alice and devs, makes readOnly the boundary of
// alice and deployer, and attaches it to deployer.
func usePolicies(t *testing.T, client *iam.Client) {
	t.Helper()
	ctx, user, role := t.Context(), aws.String("alice"), aws.String("deployer")
	must(t, errorOf(client.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: user, PolicyArn: aws.String(ownPolicy)})))
	must(t, errorOf(client.AttachGroupPolicy(ctx, &iam.AttachGroupPolicyInput{GroupName: aws.String("devs"), PolicyArn: aws.String(ownPolicy)})))
	must(t, errorOf(client.PutUserPermissionsBoundary(ctx, &iam.PutUserPermissionsBoundaryInput{UserName: user, PermissionsBoundary: aws.String(readOnly)})))
	must(t, errorOf(client.PutRolePermissionsBoundary(ctx, &iam.PutRolePermissionsBoundaryInput{RoleName: role, PermissionsBoundary: aws.String(readOnly)})))
	must(t, errorOf(client.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: role, PolicyArn: aws.String(readOnly)})))
}

func TestListPolicies(t *testing.T) {
	s := start(t, localaws.Config{})
	makeEntities(t, s)
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	must(t, errorOf(client.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("unused"), PolicyDocument: aws.String(document)})))
	usePolicies(t, client)
	for name, test := range map[string]struct {
		input iam.ListPoliciesInput
		want  []string
	}{
		"the account's":        {iam.ListPoliciesInput{Scope: iamtypes.PolicyScopeTypeLocal}, []string{"ec2", "unused"}},
		"under a path":         {iam.ListPoliciesInput{PathPrefix: aws.String("/team/")}, []string{"ec2"}},
		"AWS's, under a path":  {iam.ListPoliciesInput{PathPrefix: aws.String("/job-function/"), Scope: iamtypes.PolicyScopeTypeAws}, []string{"ViewOnlyAccess"}},
		"attached":             {iam.ListPoliciesInput{OnlyAttached: true}, []string{"ec2", "AdministratorAccess", "ReadOnlyAccess"}},
		"attached, of AWS":     {iam.ListPoliciesInput{OnlyAttached: true, Scope: iamtypes.PolicyScopeTypeAws}, []string{"AdministratorAccess", "ReadOnlyAccess"}},
		"as permissions":       {iam.ListPoliciesInput{PolicyUsageFilter: iamtypes.PolicyUsageTypePermissionsPolicy, Scope: iamtypes.PolicyScopeTypeLocal}, []string{"ec2"}},
		"as boundaries":        {iam.ListPoliciesInput{PolicyUsageFilter: iamtypes.PolicyUsageTypePermissionsBoundary}, []string{"ReadOnlyAccess"}},
		"as boundaries, local": {iam.ListPoliciesInput{PolicyUsageFilter: iamtypes.PolicyUsageTypePermissionsBoundary, Scope: iamtypes.PolicyScopeTypeLocal}, nil},
	} {
		var got []string
		test.input.MaxItems = aws.Int32(2)
		pages := iam.NewListPoliciesPaginator(client, &test.input)
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			must(t, err)
			for _, p := range page.Policies {
				got = append(got, *p.PolicyName)
				switch *p.PolicyName {
				case "ec2":
					if *p.AttachmentCount != 2 || *p.PermissionsBoundaryUsageCount != 0 {
						t.Errorf("%s: %+v", name, p)
					}
				case "ReadOnlyAccess":
					if *p.AttachmentCount != 1 || *p.PermissionsBoundaryUsageCount != 2 {
						t.Errorf("%s: %+v", name, p)
					}
				}
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestListEntitiesForPolicy(t *testing.T) {
	s := start(t, localaws.Config{})
	makeEntities(t, s)
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	usePolicies(t, client)
	must(t, errorOf(client.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("bob")})))
	must(t, errorOf(client.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: aws.String("bob"), PolicyArn: aws.String(ownPolicy)})))
	for name, test := range map[string]struct {
		input iam.ListEntitiesForPolicyInput
		want  []string
	}{
		"all":                   {iam.ListEntitiesForPolicyInput{PolicyArn: aws.String(ownPolicy)}, []string{"group devs", "user alice", "user bob"}},
		"users":                 {iam.ListEntitiesForPolicyInput{PolicyArn: aws.String(ownPolicy), EntityFilter: iamtypes.EntityTypeUser}, []string{"user alice", "user bob"}},
		"groups":                {iam.ListEntitiesForPolicyInput{PolicyArn: aws.String(ownPolicy), EntityFilter: iamtypes.EntityTypeGroup}, []string{"group devs"}},
		"roles":                 {iam.ListEntitiesForPolicyInput{PolicyArn: aws.String(ownPolicy), EntityFilter: iamtypes.EntityTypeRole}, nil},
		"under a path":          {iam.ListEntitiesForPolicyInput{PolicyArn: aws.String(ownPolicy), PathPrefix: aws.String("/team/")}, []string{"group devs", "user alice"}},
		"of AWS's":              {iam.ListEntitiesForPolicyInput{PolicyArn: aws.String(readOnly)}, []string{"user alice", "role deployer"}},
		"bounded":               {iam.ListEntitiesForPolicyInput{PolicyArn: aws.String(readOnly), PolicyUsageFilter: iamtypes.PolicyUsageTypePermissionsBoundary}, []string{"user alice", "role deployer"}},
		"attached":              {iam.ListEntitiesForPolicyInput{PolicyArn: aws.String(readOnly), PolicyUsageFilter: iamtypes.PolicyUsageTypePermissionsPolicy}, []string{"role deployer"}},
		"attached, not bounded": {iam.ListEntitiesForPolicyInput{PolicyArn: aws.String(ownPolicy), PolicyUsageFilter: iamtypes.PolicyUsageTypePermissionsBoundary}, nil},
	} {
		var got []string
		test.input.MaxItems = aws.Int32(1)
		pages := iam.NewListEntitiesForPolicyPaginator(client, &test.input)
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			must(t, err)
			for _, g := range page.PolicyGroups {
				got = append(got, "group "+*g.GroupName)
			}
			for _, u := range page.PolicyUsers {
				got = append(got, "user "+*u.UserName)
			}
			for _, r := range page.PolicyRoles {
				got = append(got, "role "+*r.RoleName)
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func TestAWSManagedPolicies(t *testing.T) {
	wanted := []string{
		"AWSPrivateCAConnectorForKubernetesPolicy", "AmazonEKSBlockStoragePolicy", "AmazonEKSComputePolicy", "AmazonEKSLoadBalancingPolicy",
		"AmazonEKSLocalOutpostClusterPolicy", "AmazonEKSNetworkingPolicy", "service-role/AmazonEBSCSIDriverPolicy", "service-role/AmazonEFSCSIDriverPolicy",
		"AdministratorAccess", "AmazonEC2ContainerRegistryPullOnly", "AmazonEC2ContainerRegistryReadOnly", "AmazonEC2FullAccess",
		"AmazonEC2ReadOnlyAccess", "AmazonEKSClusterPolicy", "AmazonEKSFargatePodExecutionRolePolicy", "AmazonEKSServicePolicy",
		"AmazonEKSVPCResourceController", "AmazonEKSWorkerNodeMinimalPolicy", "AmazonEKSWorkerNodePolicy", "AmazonEKS_CNI_Policy",
		"AmazonSSMManagedInstanceCore", "IAMFullAccess", "IAMReadOnlyAccess", "PowerUserAccess", "ReadOnlyAccess", "SecurityAudit",
		"job-function/ViewOnlyAccess",
	}
	for _, region := range []struct{ name, partition string }{{"eu-west-2", "aws"}, {"cn-north-1", "aws-cn"}} {
		client, ctx := iam.NewFromConfig(localawstest.Start(t, localaws.Config{Region: region.name}).SDK()), t.Context()
		list, err := client.ListPolicies(ctx, &iam.ListPoliciesInput{Scope: iamtypes.PolicyScopeTypeAws})
		must(t, err)
		var got []string
		for _, p := range list.Policies {
			got = append(got, strings.TrimPrefix(*p.Arn, "arn:"+region.partition+":iam::aws:policy/"))
			version, err := client.GetPolicyVersion(ctx, &iam.GetPolicyVersionInput{PolicyArn: p.Arn, VersionId: p.DefaultVersionId})
			must(t, err)
			text, err := url.QueryUnescape(*version.PolicyVersion.Document)
			if err != nil || !json.Valid([]byte(text)) || strings.Contains(text, "arn:") && !strings.Contains(text, "arn:"+region.partition+":") {
				t.Errorf("%s is %s, %v", *p.Arn, text, err)
			}
		}
		for _, name := range wanted {
			if !slices.Contains(got, name) {
				t.Errorf("%s: %q lacks %s", region.name, got, name)
			}
		}
	}
}

// TestWhatAWSManagedPoliciesAllow checks the permissions of a user with each policy.
func TestWhatAWSManagedPoliciesAllow(t *testing.T) {
	s := start(t, localaws.Config{})
	admin, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	for name, may := range map[string]struct{ listUsers, createUser, listClusters, deleteCluster bool }{
		"AdministratorAccess":         {true, true, true, true},
		"PowerUserAccess":             {false, false, true, true},
		"ReadOnlyAccess":              {true, false, true, false},
		"job-function/ViewOnlyAccess": {true, false, true, false},
		"SecurityAudit":               {true, false, true, false},
		"IAMFullAccess":               {true, true, false, false},
		"IAMReadOnlyAccess":           {true, false, false, false},
		"AmazonEC2FullAccess":         {false, false, false, false},
		"AmazonEKSClusterPolicy":      {false, false, false, false},
		"AmazonEKSWorkerNodePolicy":   {false, false, false, false},
	} {
		user := "of-" + name[strings.LastIndex(name, "/")+1:]
		config := newUser(t, s, user, "")
		must(t, errorOf(admin.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: &user, PolicyArn: aws.String("arn:aws:iam::aws:policy/" + name)})))
		for call, test := range map[string]struct {
			may bool
			err error
		}{
			"iam:ListUsers":     {may.listUsers, errorOf(iam.NewFromConfig(config).ListUsers(ctx, &iam.ListUsersInput{}))},
			"iam:CreateUser":    {may.createUser, errorOf(iam.NewFromConfig(config).CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("by" + user)}))},
			"eks:ListClusters":  {may.listClusters, errorOf(eks.NewFromConfig(config).ListClusters(ctx, &eks.ListClustersInput{}))},
			"eks:DeleteCluster": {may.deleteCluster, errorOf(eks.NewFromConfig(config).DeleteCluster(ctx, &eks.DeleteClusterInput{Name: aws.String("x")}))},
		} {
			if denied := strings.HasPrefix(code(test.err), "AccessDenied"); denied == test.may {
				t.Errorf("%s by %s: %v", call, name, test.err)
			}
		}
	}
}

// TestAWSManagedPoliciesThatLocalawsLacks checks that the errors name localaws.
func TestAWSManagedPoliciesThatLocalawsLacks(t *testing.T) {
	s := start(t, localaws.Config{})
	newUser(t, s, "bob", "")
	client, ctx, lacking := iam.NewFromConfig(s.SDK()), t.Context(), aws.String("arn:aws:iam::aws:policy/AmazonSQSFullAccess")
	const message = "localaws has the AWS-managed policies that"
	for _, err := range []error{
		errorOf(client.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: aws.String("bob"), PolicyArn: lacking})),
		errorOf(client.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: lacking})),
		errorOf(client.PutUserPermissionsBoundary(ctx, &iam.PutUserPermissionsBoundaryInput{UserName: aws.String("bob"), PermissionsBoundary: lacking})),
	} {
		wantMessage(t, "NoSuchEntity", message, err)
	}
	_, err := sts.NewFromConfig(s.SDK()).GetFederationToken(ctx, &sts.GetFederationTokenInput{
		Name: aws.String("bob"), PolicyArns: []ststypes.PolicyDescriptorType{{Arn: lacking}},
	})
	wantMessage(t, "MalformedPolicyDocument", message, err)
	if marked := last(t, s).AdditionalEventData["localaws"]; marked != "refused" {
		t.Errorf("marked %q", marked)
	}
	wantCode(t, "PolicyNotAttachable", errorOf(client.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{
		UserName: aws.String("bob"), PolicyArn: aws.String("arn:aws:iam::aws:policy/aws-service-role/AmazonEKSServiceRolePolicy"),
	})))
}
