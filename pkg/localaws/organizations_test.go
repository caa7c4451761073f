package localaws_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/organizations"
	"github.com/aws/aws-sdk-go-v2/service/organizations/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/kube-iam/authenticator/pkg/localaws"
	"github.com/kube-iam/authenticator/pkg/localaws/localawstest"
)

const scp = types.PolicyTypeServiceControlPolicy

// An organized local AWS has an organization of two accounts.
type organized struct {
	*localawstest.Server
	t       *testing.T
	manages *organizations.Client
	member  aws.Config // of the administrator of the other account
	root    string
}

func organize(t *testing.T) organized {
	t.Helper()
	s, other := startTwo(t)
	return organizeAll(t, s, other)
}

// organizeAll creates an organization of the two accounts of a local AWS.
func organizeAll(t *testing.T, s *localawstest.Server, other aws.Config) organized {
	t.Helper()
	o := organized{Server: s, t: t, manages: organizations.NewFromConfig(s.SDK()), member: other}
	_, err := o.manages.CreateOrganization(t.Context(), &organizations.CreateOrganizationInput{})
	must(t, err)
	roots, err := o.manages.ListRoots(t.Context(), nil)
	must(t, err)
	o.root = *roots.Roots[0].Id
	return o
}

// unit creates a unit.
func (o organized) unit(parent, name string) string {
	o.t.Helper()
	made, err := o.manages.CreateOrganizationalUnit(o.t.Context(), &organizations.CreateOrganizationalUnitInput{ParentId: &parent, Name: &name})
	must(o.t, err)
	return *made.OrganizationalUnit.Id
}

func (o organized) move(from, to string) {
	o.t.Helper()
	_, err := o.manages.MoveAccount(o.t.Context(), &organizations.MoveAccountInput{AccountId: aws.String(otherAccount), SourceParentId: &from, DestinationParentId: &to})
	must(o.t, err)
}

// policy creates a service control policy.
func (o organized) policy(name, content string) string {
	o.t.Helper()
	made, err := o.manages.CreatePolicy(o.t.Context(), &organizations.CreatePolicyInput{Name: &name, Description: aws.String(""), Content: &content, Type: scp})
	must(o.t, err)
	return *made.Policy.PolicySummary.Id
}

func (o organized) attach(policy, target string) error {
	return errorOf(o.manages.AttachPolicy(o.t.Context(), &organizations.AttachPolicyInput{PolicyId: &policy, TargetId: &target}))
}

func (o organized) detach(policy, target string) error {
	return errorOf(o.manages.DetachPolicy(o.t.Context(), &organizations.DetachPolicyInput{PolicyId: &policy, TargetId: &target}))
}

const fullAccess = "p-FullAWSAccess"

func TestOrganization(t *testing.T) {
	s, other := startTwo(t)
	ctx, client, member := t.Context(), organizations.NewFromConfig(s.SDK()), organizations.NewFromConfig(other)
	for _, c := range []*organizations.Client{client, member} {
		wantCode(t, "AWSOrganizationsNotInUseException", errorOf(c.DescribeOrganization(ctx, nil)))
		wantCode(t, "AWSOrganizationsNotInUseException", errorOf(c.ListAccounts(ctx, nil)))
	}
	wantMessage(t, "ConstraintViolationException", "localaws has one organization", errorOf(member.CreateOrganization(ctx, &organizations.CreateOrganizationInput{})))
	wantMessage(t, "InvalidInputException", "localaws has organizations with all features only", errorOf(client.CreateOrganization(ctx, &organizations.CreateOrganizationInput{FeatureSet: "CONSOLIDATED_BILLING"})))
	made, err := client.CreateOrganization(ctx, &organizations.CreateOrganizationInput{FeatureSet: "ALL"})
	must(t, err)
	id := *made.Organization.Id
	if *made.Organization.Arn != "arn:aws:organizations::"+account+":organization/"+id || *made.Organization.MasterAccountArn != "arn:aws:organizations::"+account+":account/"+id+"/"+account {
		t.Errorf("%+v", made.Organization)
	}
	wantCode(t, "AlreadyInOrganizationException", errorOf(client.CreateOrganization(ctx, &organizations.CreateOrganizationInput{})))
	described, err := member.DescribeOrganization(ctx, nil)
	must(t, err)
	if *described.Organization.Id != id || *described.Organization.MasterAccountId != account {
		t.Errorf("%+v", described.Organization)
	}
	wantMessage(t, "AccessDeniedException", "You don't have permissions to access this resource.", errorOf(member.ListAccounts(ctx, nil)))

	accounts, err := client.ListAccounts(ctx, nil)
	must(t, err)
	if len(accounts.Accounts) != 2 || *accounts.Accounts[0].Id != otherAccount || *accounts.Accounts[1].Id != account || accounts.Accounts[1].Status != "ACTIVE" {
		t.Errorf("%+v", accounts.Accounts)
	}
	one, err := client.DescribeAccount(ctx, &organizations.DescribeAccountInput{AccountId: aws.String(otherAccount)})
	must(t, err)
	if *one.Account.Arn != "arn:aws:organizations::"+account+":account/"+id+"/"+otherAccount || one.Account.JoinedTimestamp.IsZero() {
		t.Errorf("%+v", one.Account)
	}
	wantCode(t, "AccountNotFoundException", errorOf(client.DescribeAccount(ctx, &organizations.DescribeAccountInput{AccountId: aws.String("999999999999")})))
	must(t, errorOf(client.DeleteOrganization(ctx, nil)))
	wantCode(t, "AWSOrganizationsNotInUseException", errorOf(client.DescribeOrganization(ctx, nil)))
}

func TestOrganizationalUnits(t *testing.T) {
	o := organize(t)
	ctx, client := t.Context(), o.manages
	dev := o.unit(o.root, "dev")
	team := o.unit(dev, "team")
	wantCode(t, "DuplicateOrganizationalUnitException", errorOf(client.CreateOrganizationalUnit(ctx, &organizations.CreateOrganizationalUnitInput{ParentId: &o.root, Name: aws.String("dev")})))
	wantCode(t, "ParentNotFoundException", errorOf(client.CreateOrganizationalUnit(ctx, &organizations.CreateOrganizationalUnitInput{ParentId: aws.String("ou-x"), Name: aws.String("dev")})))
	for length, want := range map[int]string{0: "InvalidInputException", 128: "", 129: "InvalidInputException"} {
		name := strings.Repeat("a", length)
		wantCode(t, want, errorOf(client.CreateOrganizationalUnit(ctx, &organizations.CreateOrganizationalUnitInput{ParentId: &dev, Name: &name})))
	}
	parent := team
	for level := 3; level <= 6; level++ {
		made, err := client.CreateOrganizationalUnit(ctx, &organizations.CreateOrganizationalUnitInput{ParentId: &parent, Name: aws.String("deep")})
		if level == 6 {
			wantCode(t, "ConstraintViolationException", err)
			break
		}
		must(t, err)
		parent = *made.OrganizationalUnit.Id
	}
	must(t, errorOf(client.UpdateOrganizationalUnit(ctx, &organizations.UpdateOrganizationalUnitInput{OrganizationalUnitId: &team, Name: aws.String("platform")})))
	described, err := client.DescribeOrganizationalUnit(ctx, &organizations.DescribeOrganizationalUnitInput{OrganizationalUnitId: &team})
	must(t, err)
	if *described.OrganizationalUnit.Name != "platform" || !strings.Contains(*described.OrganizationalUnit.Arn, ":ou/o-") {
		t.Errorf("%+v", described.OrganizationalUnit)
	}

	o.move(o.root, team)
	parents, err := client.ListParents(ctx, &organizations.ListParentsInput{ChildId: aws.String(otherAccount)})
	must(t, err)
	if len(parents.Parents) != 1 || *parents.Parents[0].Id != team || parents.Parents[0].Type != "ORGANIZATIONAL_UNIT" {
		t.Errorf("%+v", parents.Parents)
	}
	here, err := client.ListAccountsForParent(ctx, &organizations.ListAccountsForParentInput{ParentId: &team})
	must(t, err)
	children, err := client.ListChildren(ctx, &organizations.ListChildrenInput{ParentId: &o.root, ChildType: "ACCOUNT"})
	must(t, err)
	units, err := client.ListOrganizationalUnitsForParent(ctx, &organizations.ListOrganizationalUnitsForParentInput{ParentId: &o.root})
	must(t, err)
	if len(here.Accounts) != 1 || *here.Accounts[0].Id != otherAccount || len(children.Children) != 1 || *children.Children[0].Id != account || len(units.OrganizationalUnits) != 1 {
		t.Errorf("%+v, %+v, %+v", here.Accounts, children.Children, units.OrganizationalUnits)
	}
	for want, ids := range map[string][3]string{
		"AccountNotFoundException":           {"999999999999", o.root, dev},
		"SourceParentNotFoundException":      {otherAccount, o.root, dev},
		"DestinationParentNotFoundException": {otherAccount, team, "ou-x"},
		"DuplicateAccountException":          {otherAccount, team, team},
	} {
		wantCode(t, want, errorOf(client.MoveAccount(ctx, &organizations.MoveAccountInput{AccountId: &ids[0], SourceParentId: &ids[1], DestinationParentId: &ids[2]})))
	}
	wantCode(t, "OrganizationalUnitNotEmptyException", errorOf(client.DeleteOrganizationalUnit(ctx, &organizations.DeleteOrganizationalUnitInput{OrganizationalUnitId: &team})))
	must(t, errorOf(client.DeleteOrganizationalUnit(ctx, &organizations.DeleteOrganizationalUnitInput{OrganizationalUnitId: &parent})))
	wantCode(t, "OrganizationalUnitNotFoundException", errorOf(client.DeleteOrganizationalUnit(ctx, &organizations.DeleteOrganizationalUnitInput{OrganizationalUnitId: &parent})))
	wantCode(t, "OrganizationNotEmptyException", errorOf(client.DeleteOrganization(ctx, nil)))
}

func TestServiceControlPolicies(t *testing.T) {
	o := organize(t)
	ctx, client := t.Context(), o.manages
	content := statement("Deny", "eks:*", "*")
	id := o.policy("no-eks", content)
	described, err := client.DescribePolicy(ctx, &organizations.DescribePolicyInput{PolicyId: &id})
	must(t, err)
	if *described.Policy.Content != content || *described.Policy.PolicySummary.Name != "no-eks" || described.Policy.PolicySummary.AwsManaged ||
		!strings.HasSuffix(*described.Policy.PolicySummary.Arn, "/service_control_policy/"+id) {
		t.Errorf("%+v", described.Policy)
	}
	must(t, errorOf(client.UpdatePolicy(ctx, &organizations.UpdatePolicyInput{PolicyId: &id, Description: aws.String("none")})))
	for reason, test := range map[string]struct {
		change func(*organizations.CreatePolicyInput)
		code   string
	}{
		"the same name":      {func(i *organizations.CreatePolicyInput) { i.Name = aws.String("no-eks") }, "DuplicatePolicyException"},
		"AWS's name":         {func(i *organizations.CreatePolicyInput) { i.Name = aws.String("FullAWSAccess") }, "DuplicatePolicyException"},
		"no name":            {func(i *organizations.CreatePolicyInput) { i.Name = aws.String("") }, "InvalidInputException"},
		"a long description": {func(i *organizations.CreatePolicyInput) { i.Description = aws.String(strings.Repeat("a", 513)) }, "InvalidInputException"},
		"not a policy":       {func(i *organizations.CreatePolicyInput) { i.Content = aws.String("{}") }, "MalformedPolicyDocumentException"},
		"a principal": {func(i *organizations.CreatePolicyInput) {
			i.Content = aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}]}`)
		}, "MalformedPolicyDocumentException"},
		"5120 characters": {func(i *organizations.CreatePolicyInput) {
			i.Content = aws.String(content + strings.Repeat(" ", 5120-len(content)))
		}, ""},
		"5121 characters": {func(i *organizations.CreatePolicyInput) {
			i.Content = aws.String(content + strings.Repeat(" ", 5121-len(content)))
		}, "ConstraintViolationException"},
		"another type": {func(i *organizations.CreatePolicyInput) { i.Type = "TAG_POLICY" }, "InvalidInputException"},
	} {
		input := &organizations.CreatePolicyInput{Name: &reason, Description: aws.String(""), Content: &content, Type: scp}
		test.change(input)
		if _, err := client.CreatePolicy(ctx, input); code(err) != test.code {
			t.Errorf("%s: %v, want %s", reason, err, test.code)
		}
	}
	wantCode(t, "InvalidInputException", errorOf(client.DeletePolicy(ctx, &organizations.DeletePolicyInput{PolicyId: aws.String(fullAccess)})))

	must(t, o.attach(id, otherAccount))
	wantCode(t, "DuplicatePolicyAttachmentException", o.attach(id, otherAccount))
	wantCode(t, "PolicyNotFoundException", o.attach("p-nothing", otherAccount))
	wantCode(t, "TargetNotFoundException", o.attach(id, "999999999999"))
	wantCode(t, "PolicyInUseException", errorOf(client.DeletePolicy(ctx, &organizations.DeletePolicyInput{PolicyId: &id})))
	for n := range 4 {
		want := ""
		if n == 3 { // beside FullAWSAccess and no-eks
			want = "ConstraintViolationException"
		}
		wantCode(t, want, o.attach(o.policy(fmt.Sprint("more-", n), content), otherAccount))
	}
	attached, err := client.ListPoliciesForTarget(ctx, &organizations.ListPoliciesForTargetInput{TargetId: aws.String(otherAccount), Filter: scp})
	must(t, err)
	if len(attached.Policies) != 5 {
		t.Errorf("%d policies are attached: %+v", len(attached.Policies), attached.Policies)
	}
	targets, err := client.ListTargetsForPolicy(ctx, &organizations.ListTargetsForPolicyInput{PolicyId: aws.String(fullAccess)})
	must(t, err)
	if len(targets.Targets) != 3 { // the root and both accounts
		t.Errorf("%+v", targets.Targets)
	}
	must(t, o.detach(id, otherAccount))
	wantCode(t, "PolicyNotAttachedException", o.detach(id, otherAccount))
	wantCode(t, "ConstraintViolationException", o.detach(fullAccess, o.root))
	must(t, errorOf(client.DeletePolicy(ctx, &organizations.DeletePolicyInput{PolicyId: &id})))

	typed := func(f func() error, want string) { t.Helper(); wantCode(t, want, f()) }
	enable := func() error {
		return errorOf(client.EnablePolicyType(ctx, &organizations.EnablePolicyTypeInput{RootId: &o.root, PolicyType: scp}))
	}
	disable := func() error {
		return errorOf(client.DisablePolicyType(ctx, &organizations.DisablePolicyTypeInput{RootId: &o.root, PolicyType: scp}))
	}
	typed(enable, "PolicyTypeAlreadyEnabledException")
	typed(disable, "")
	typed(disable, "PolicyTypeNotEnabledException")
	wantCode(t, "PolicyTypeNotEnabledException", o.attach(fullAccess, o.root))
	typed(enable, "")
	attached, err = client.ListPoliciesForTarget(ctx, &organizations.ListPoliciesForTargetInput{TargetId: aws.String(otherAccount), Filter: scp})
	must(t, err)
	if len(attached.Policies) != 1 || *attached.Policies[0].Id != fullAccess {
		t.Errorf("enabled again: %+v", attached.Policies)
	}
}

// TestServiceControlPoliciesLimit checks that each level must allow, that a denial at
// any level wins, and who is exempt.
func TestServiceControlPoliciesLimit(t *testing.T) {
	o := organize(t)
	ctx := t.Context()
	dev := o.unit(o.root, "dev")
	o.move(o.root, dev)
	list := func(config aws.Config) error { return errorOf(eks.NewFromConfig(config).ListClusters(ctx, nil)) }
	must(t, list(o.member))

	// An explicit deny at each level wins, also over the administrator.
	deny := o.policy("deny", statement("Deny", "eks:ListClusters", "*"))
	for _, target := range []string{o.root, dev, otherAccount} {
		must(t, o.attach(deny, target))
		wantMessage(t, "AccessDeniedException", "User: arn:aws:iam::"+otherAccount+":user/administrator is not authorized to perform: eks:ListClusters on resource: arn:aws:eks:"+o.Region()+":"+otherAccount+":cluster/*"+
			" with an explicit deny in a service control policy", list(o.member))
		must(t, list(o.SDK())) // the account that manages the organization
		must(t, o.detach(deny, target))
		must(t, list(o.member))
	}
	// What a level does not allow, no lower level can.
	only := o.policy("only", statement("Allow", "iam:*", "*"))
	for _, target := range []string{o.root, dev, otherAccount} {
		must(t, o.attach(only, target))
		must(t, o.detach(fullAccess, target))
		wantMessage(t, "AccessDeniedException", "because no service control policy allows the eks:ListClusters action", list(o.member))
		must(t, errorOf(iam.NewFromConfig(o.member).ListUsers(ctx, nil)))
		must(t, o.attach(fullAccess, target))
		must(t, o.detach(only, target))
	}
	// They grant nothing.
	nobody := userOf(t, o.Server, o.member, "nobody", "")
	wantMessage(t, "AccessDeniedException", "because no identity-based policy allows", list(nobody))

	// Sessions of roles are limited like their account.
	_, err := iam.NewFromConfig(o.member).CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("r"), AssumeRolePolicyDocument: trustOf(otherAccount, `{"StringLike":{"aws:PrincipalOrgPaths":"o-*/r-*/ou-*/"}}`)})
	must(t, err)
	must(t, errorOf(iam.NewFromConfig(o.member).PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: aws.String("r"), PolicyName: aws.String("p"), PolicyDocument: aws.String(statement("Allow", "*", "*"))})))
	assumed, err := sts.NewFromConfig(o.member).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::" + otherAccount + ":role/r"), RoleSessionName: aws.String("alice")})
	must(t, err)
	session := o.SDKAs(localaws.AccessKey{ID: *assumed.Credentials.AccessKeyId, Secret: *assumed.Credentials.SecretAccessKey}, *assumed.Credentials.SessionToken)
	must(t, list(session))
	must(t, o.attach(deny, dev))
	wantMessage(t, "AccessDeniedException", "with an explicit deny in a service control policy", list(session))

	// A disabled type limits nobody.
	must(t, errorOf(o.manages.DisablePolicyType(ctx, &organizations.DisablePolicyTypeInput{RootId: &o.root, PolicyType: scp})))
	must(t, list(session))
}

// TestServiceControlPoliciesExempt checks that service control policies limit neither
// service-linked roles nor the account that manages the organization: only the roles'
// own policies count, and a service-linked role has none here.
func TestServiceControlPoliciesExempt(t *testing.T) {
	o := organize(t)
	ctx := t.Context()
	must(t, o.attach(o.policy("deny", statement("Deny", "eks:*", "*")), o.root))
	for id, config := range map[string]aws.Config{account: o.SDK(), otherAccount: o.member} {
		client := iam.NewFromConfig(config)
		linked, err := client.CreateServiceLinkedRole(ctx, &iam.CreateServiceLinkedRoleInput{AWSServiceName: aws.String("eks.amazonaws.com")})
		must(t, err)
		plain, err := client.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("plain"), AssumeRolePolicyDocument: trustOf(id, "{}")})
		must(t, err)
		limited := "with an explicit deny in a service control policy"
		if id == account {
			limited = "because no identity-based policy allows"
		}
		for role, want := range map[string]string{*linked.Role.Arn: "because no identity-based policy allows", *plain.Role.Arn: limited} {
			key, token, err := o.OpenSession(role)
			must(t, err)
			wantMessage(t, "AccessDeniedException", want, errorOf(eks.NewFromConfig(o.SDKAs(key, token)).ListClusters(ctx, nil)))
		}
	}
}

// TestOrganizationsNeedPermission checks the resources.
func TestOrganizationsNeedPermission(t *testing.T) {
	o := organize(t)
	ctx := t.Context()
	bob := organizations.NewFromConfig(userOf(t, o.Server, o.SDK(), "bob", statement("Allow", "organizations:AttachPolicy", "arn:aws:organizations::*:policy/*")))
	wantMessage(t, "AccessDeniedException", "organizations:AttachPolicy on resource: arn:aws:organizations::"+account+":root/o-",
		errorOf(bob.AttachPolicy(ctx, &organizations.AttachPolicyInput{PolicyId: aws.String(o.policy("p", statement("Deny", "eks:*", "*"))), TargetId: &o.root})))
	wantMessage(t, "AccessDeniedException", "organizations:ListAccounts on resource: * ", errorOf(bob.ListAccounts(ctx, nil)))
	wantMessage(t, "InvalidInputException", "localaws does not support", errorOf(o.manages.CreateOrganizationalUnit(ctx, &organizations.CreateOrganizationalUnitInput{
		ParentId: &o.root, Name: aws.String("tagged"), Tags: []types.Tag{{Key: aws.String("a"), Value: aws.String("b")}},
	})))
}

// TestOrganizationIsInTheState checks that an organization is there after a restart,
// and that accounts can be missing or new then.
func TestOrganizationIsInTheState(t *testing.T) {
	config := localaws.Config{AccountID: account, Accounts: []localaws.Account{{ID: otherAccount}}, StateFile: filepath.Join(t.TempDir(), "state.json")}
	a, err := localaws.New(config)
	must(t, err)
	s := &localawstest.Server{AWS: a}
	client := organizations.NewFromConfig(s.SDK())
	_, err = client.CreateOrganization(t.Context(), &organizations.CreateOrganizationInput{})
	must(t, err)
	roots, err := client.ListRoots(t.Context(), nil)
	must(t, err)
	o := organized{Server: s, t: t, manages: client, root: *roots.Roots[0].Id}
	dev := o.unit(o.root, "dev")
	o.move(o.root, dev)
	must(t, o.attach(o.policy("deny", statement("Deny", "eks:*", "*")), dev))
	must(t, a.Close())

	again := start(t, config)
	wantMessage(t, "AccessDeniedException", "with an explicit deny in a service control policy",
		errorOf(eks.NewFromConfig(again.SDKAs(again.Accounts()[1].Administrator, "")).ListClusters(t.Context(), nil)))
}
