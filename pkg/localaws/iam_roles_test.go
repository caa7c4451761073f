package localaws_test

import (
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/kube-iam/authenticator/pkg/localaws"
	"github.com/kube-iam/authenticator/pkg/localaws/localawstest"
)

// An attempt is a call with its error, and the expected code; empty for no error.
type attempt struct {
	what string
	err  error
	want string
}

func expect(t *testing.T, attempts ...attempt) {
	t.Helper()
	for _, a := range attempts {
		if a.want == "" && a.err != nil || code(a.err) != a.want {
			t.Errorf("%s: %v, want %q", a.what, a.err, a.want)
		}
	}
}

func arn(resource string) string { return "arn:aws:iam::" + account + ":" + resource }

// trust returns a trust policy for a principal.
func trust(principal string) *string {
	return aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":` + principal + `,"Action":"sts:AssumeRole"}]}`)
}

// byEC2 returns a trust policy for tests that do not depend on it.
func byEC2() *string { return trust(`{"Service":"ec2.amazonaws.com"}`) }

func newRole(t testing.TB, s *localawstest.Server, name string, trust *string) *iamtypes.Role {
	t.Helper()
	made, err := iam.NewFromConfig(s.SDK()).CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: trust})
	if err != nil {
		t.Fatal(err)
	}
	return made.Role
}

func TestRoles(t *testing.T) {
	s := start(t, localaws.Config{})
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	made, err := client.CreateRole(ctx, &iam.CreateRoleInput{
		RoleName: aws.String("Node"), Path: aws.String("/team/x/"), AssumeRolePolicyDocument: byEC2(), Description: aws.String("of nodes"),
		MaxSessionDuration: aws.Int32(7200), PermissionsBoundary: aws.String("arn:aws:iam::aws:policy/AdministratorAccess"),
		Tags: []iamtypes.Tag{{Key: aws.String("owner"), Value: aws.String("me")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if *made.Role.Arn != arn("role/team/x/Node") || len(*made.Role.RoleId) != 21 || !strings.HasPrefix(*made.Role.RoleId, "AROA") || made.Role.CreateDate == nil ||
		made.Role.MaxSessionDuration != nil || made.Role.RoleLastUsed != nil {
		t.Errorf("%+v", made.Role)
	}
	newRole(t, s, "other", byEC2())

	got, err := client.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String("nODE")})
	if err != nil {
		t.Fatal(err)
	}
	r := got.Role
	if *r.RoleName != "Node" || *r.Path != "/team/x/" || *r.Description != "of nodes" || *r.MaxSessionDuration != 7200 || *r.Tags[0].Value != "me" ||
		*r.PermissionsBoundary.PermissionsBoundaryArn != "arn:aws:iam::aws:policy/AdministratorAccess" || r.RoleLastUsed.LastUsedDate != nil {
		t.Errorf("%+v", r)
	}
	if document, err := url.PathUnescape(*r.AssumeRolePolicyDocument); err != nil || document != *byEC2() {
		t.Errorf("the trust policy is %s, %v", *r.AssumeRolePolicyDocument, err)
	}
	for prefix, want := range map[string]int{"": 2, "/": 2, "/team/": 1, "/nobody/": 0} {
		input := &iam.ListRolesInput{}
		if prefix != "" {
			input.PathPrefix = &prefix
		}
		listed, err := client.ListRoles(ctx, input)
		if err != nil || len(listed.Roles) != want {
			t.Errorf("path prefix %q: %d roles, %v; want %d", prefix, len(listed.Roles), err, want)
		}
		for _, r := range listed.Roles {
			if r.Tags != nil || r.PermissionsBoundary != nil || r.RoleLastUsed != nil {
				t.Errorf("the list contains too much: %+v", r)
			}
		}
	}

	if _, err := client.UpdateRole(ctx, &iam.UpdateRoleInput{RoleName: aws.String("Node"), MaxSessionDuration: aws.Int32(43200)}); err != nil {
		t.Fatal(err)
	}
	if got, err = client.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String("Node")}); err != nil || *got.Role.Description != "of nodes" || *got.Role.MaxSessionDuration != 43200 {
		t.Errorf("%+v, %v", got, err)
	}
	updated, err := client.UpdateRoleDescription(ctx, &iam.UpdateRoleDescriptionInput{RoleName: aws.String("Node"), Description: aws.String("of workers")})
	if err != nil || *updated.Role.Description != "of workers" || *updated.Role.MaxSessionDuration != 43200 {
		t.Errorf("%+v, %v", updated, err)
	}
	if _, err := client.UpdateRole(ctx, &iam.UpdateRoleInput{RoleName: aws.String("Node"), Description: aws.String("")}); err != nil {
		t.Fatal(err)
	}
	if got, err = client.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String("Node")}); err != nil || got.Role.Description != nil || *got.Role.MaxSessionDuration != 3600 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestRolesAreChecked(t *testing.T) {
	s := start(t, localaws.Config{})
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	newRole(t, s, "taken", byEC2())
	create := func(change func(*iam.CreateRoleInput)) error {
		input := &iam.CreateRoleInput{RoleName: aws.String("new"), AssumeRolePolicyDocument: byEC2()}
		change(input)
		return errorOf(client.CreateRole(ctx, input))
	}
	named := func(name, path string) error {
		return create(func(i *iam.CreateRoleInput) { i.RoleName, i.Path = &name, &path })
	}
	trusting := func(document string) error {
		return create(func(i *iam.CreateRoleInput) { i.AssumeRolePolicyDocument = &document })
	}
	const sso = "/aws-reserved/sso.amazonaws.com/"
	expect(t,
		attempt{"a name that is taken", named("TAKEN", "/elsewhere/"), "EntityAlreadyExists"},
		attempt{"a name of 65 characters", named(strings.Repeat("x", 65), "/"), "ValidationError"},
		attempt{"a name with a slash", named("a/b", "/"), "ValidationError"},
		attempt{"a path without its end", named("new", "/team"), "ValidationError"},
		attempt{"a service's path", named("new", "/aws-service-role/eks.amazonaws.com/"), "InvalidInput"},
		attempt{"a reserved path", named("new", "/aws-reserved/x/"), "InvalidInput"},
		attempt{"Identity Center's path, another name", named("new", sso), "InvalidInput"},
		attempt{"Identity Center's path, 15 digits", named("AWSReservedSSO_Admin_0123456789abcde", sso), "InvalidInput"},
		attempt{"Identity Center's role", named("AWSReservedSSO_Admin_0123456789abcdef", sso), ""},
		attempt{"Identity Center's role in a region", named("AWSReservedSSO_View_0123456789abcdef", sso+"eu-west-2/"), ""},
		attempt{"a duration too short", create(func(i *iam.CreateRoleInput) { i.MaxSessionDuration = aws.Int32(3599) }), "ValidationError"},
		attempt{"a duration too long", create(func(i *iam.CreateRoleInput) { i.MaxSessionDuration = aws.Int32(43201) }), "ValidationError"},
		attempt{"a description too long", create(func(i *iam.CreateRoleInput) { i.Description = aws.String(strings.Repeat("x", 1001)) }), "ValidationError"},
		attempt{"a description in Greek", create(func(i *iam.CreateRoleInput) { i.Description = aws.String("Ω") }), "ValidationError"},
		attempt{"a boundary that does not exist", create(func(i *iam.CreateRoleInput) { i.PermissionsBoundary = aws.String("arn:aws:iam::aws:policy/None") }), "NoSuchEntity"},
		attempt{"a tag twice", create(func(i *iam.CreateRoleInput) {
			i.Tags = []iamtypes.Tag{{Key: aws.String("a"), Value: aws.String("1")}, {Key: aws.String("A"), Value: aws.String("2")}}
		}), "InvalidInput"},
		attempt{"no trust policy", trusting("{}"), "MalformedPolicyDocument"},
		attempt{"a trust policy too long", trusting(*byEC2() + strings.Repeat(" ", 2048)), "LimitExceeded"},

		attempt{"list under no path", errorOf(client.ListRoles(ctx, &iam.ListRolesInput{PathPrefix: aws.String("team")})), "ValidationError"},
		attempt{"get none", errorOf(client.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String("none")})), "NoSuchEntity"},
		attempt{"update none", errorOf(client.UpdateRole(ctx, &iam.UpdateRoleInput{RoleName: aws.String("none")})), "NoSuchEntity"},
		attempt{"update to too long", errorOf(client.UpdateRole(ctx, &iam.UpdateRoleInput{RoleName: aws.String("taken"), MaxSessionDuration: aws.Int32(1)})), "ValidationError"},
		attempt{"update to Greek", errorOf(client.UpdateRole(ctx, &iam.UpdateRoleInput{RoleName: aws.String("taken"), Description: aws.String("Ω")})), "ValidationError"},
		attempt{"describe none", errorOf(client.UpdateRoleDescription(ctx, &iam.UpdateRoleDescriptionInput{RoleName: aws.String("none"), Description: aws.String("")})), "NoSuchEntity"},
		attempt{"describe in Greek", errorOf(client.UpdateRoleDescription(ctx, &iam.UpdateRoleDescriptionInput{RoleName: aws.String("taken"), Description: aws.String("Ω")})), "ValidationError"},
		attempt{"trust none", errorOf(client.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: aws.String("none"), PolicyDocument: byEC2()})), "NoSuchEntity"},
		attempt{"delete none", errorOf(client.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: aws.String("none")})), "NoSuchEntity"},
	)
}

func TestRolesInUseAreNotDeleted(t *testing.T) {
	s := start(t, localaws.Config{})
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	name, policy := aws.String("r"), aws.String("p")
	newRole(t, s, *name, byEC2())
	remove := func() error { return errorOf(client.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name})) }
	expect(t,
		attempt{"put a policy", errorOf(client.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: name, PolicyName: policy, PolicyDocument: aws.String(statement("Allow", "s3:*", "*"))})), ""},
		attempt{"with a policy", remove(), "DeleteConflict"},
		attempt{"attach a policy", errorOf(client.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: name, PolicyArn: aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")})), ""},
		attempt{"delete the policy", errorOf(client.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: name, PolicyName: policy})), ""},
		attempt{"with a policy attached", remove(), "DeleteConflict"},
		attempt{"detach the policy", errorOf(client.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: name, PolicyArn: aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")})), ""},
		attempt{"create a profile", errorOf(client.CreateInstanceProfile(ctx, &iam.CreateInstanceProfileInput{InstanceProfileName: name})), ""},
		attempt{"add to the profile", errorOf(client.AddRoleToInstanceProfile(ctx, &iam.AddRoleToInstanceProfileInput{InstanceProfileName: name, RoleName: name})), ""},
		attempt{"in a profile", remove(), "DeleteConflict"},
		attempt{"remove from the profile", errorOf(client.RemoveRoleFromInstanceProfile(ctx, &iam.RemoveRoleFromInstanceProfileInput{InstanceProfileName: name, RoleName: name})), ""},
		attempt{"with nothing", remove(), ""},
		attempt{"once more", remove(), "NoSuchEntity"},
	)
}

func TestRolesHaveAQuota(t *testing.T) {
	s := start(t, localaws.Config{})
	client := iam.NewFromConfig(s.SDK())
	for i := range 1000 {
		newRole(t, s, "r"+strconv.Itoa(i), byEC2())
	}
	expect(t,
		attempt{"one more", errorOf(client.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("r"), AssumeRolePolicyDocument: byEC2()})), "LimitExceeded"},
		attempt{"one of a service", errorOf(client.CreateServiceLinkedRole(t.Context(), &iam.CreateServiceLinkedRoleInput{AWSServiceName: aws.String("eks.amazonaws.com")})), "LimitExceeded"},
	)
}

// TestTrustNamesWhoExists checks that a trust policy may name only principals that
// exist.
func TestTrustNamesWhoExists(t *testing.T) {
	s := start(t, localaws.Config{})
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	newUser(t, s, "bob", "")
	newRole(t, s, "worker", byEC2())
	set := func(principal string) error {
		return errorOf(client.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: aws.String("worker"), PolicyDocument: trust(principal)}))
	}
	expect(t,
		attempt{"a user", set(`{"AWS":"` + arn("user/bob") + `"}`), ""},
		attempt{"a role, itself", set(`{"AWS":"` + arn("role/worker") + `"}`), ""},
		attempt{"the account", set(`{"AWS":"` + arn("root") + `"}`), ""},
		attempt{"everybody", set(`{"AWS":"*"}`), ""},
		attempt{"another account's user", set(`{"AWS":"arn:aws:iam::111122223333:user/nobody"}`), ""},
		attempt{"no user", set(`{"AWS":"` + arn("user/nobody") + `"}`), "MalformedPolicyDocument"},
		attempt{"no role, beside a user", set(`{"AWS":["` + arn("user/bob") + `","` + arn("role/nobody") + `"]}`), "MalformedPolicyDocument"},
		attempt{"a user as a role", set(`{"AWS":"` + arn("role/bob") + `"}`), "MalformedPolicyDocument"},
		attempt{"a user by another path", set(`{"AWS":"` + arn("user/x/bob") + `"}`), "MalformedPolicyDocument"},
		attempt{"a new role with no user", errorOf(client.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("new"), AssumeRolePolicyDocument: trust(`{"AWS":"` + arn("user/nobody") + `"}`)})), "MalformedPolicyDocument"},
	)
	if err := set(`{"AWS":"` + arn("user/nobody") + `"}`); err == nil || !strings.Contains(err.Error(), `Invalid principal in policy: "AWS":"`+arn("user/nobody")+`"`) {
		t.Errorf("no user: %v", err)
	}
}

func TestTrustIsOfWhoWasNamed(t *testing.T) {
	s := start(t, localaws.Config{})
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	assume := func(caller aws.Config) error {
		return errorOf(sts.NewFromConfig(caller).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String(arn("role/r")), RoleSessionName: aws.String("session")}))
	}
	remove := func(name string) {
		keys, err := client.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: &name})
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range keys.AccessKeyMetadata {
			if _, err := client.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: &name, AccessKeyId: key.AccessKeyId}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := client.DeleteUser(ctx, &iam.DeleteUserInput{UserName: &name}); err != nil {
			t.Fatal(err)
		}
	}
	trusted := trust(`{"AWS":["` + arn("user/bob") + `","` + arn("user/carol") + `"]}`)
	first, carol := newUser(t, s, "bob", ""), newUser(t, s, "carol", "")
	newRole(t, s, "r", trusted)
	expect(t, attempt{"bob", assume(first), ""}, attempt{"carol", assume(carol), ""})
	remove("bob")
	second := newUser(t, s, "bob", "")
	expect(t, attempt{"another bob", assume(second), "AccessDenied"}, attempt{"carol still", assume(carol), ""})
	if _, err := client.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: aws.String("r"), PolicyDocument: trusted}); err != nil {
		t.Fatal(err)
	}
	expect(t, attempt{"that bob, after naming him again", assume(second), ""})
}

// TestTrustFollowsItsOwn checks that a renamed user is still trusted, and that a new
// user with the old name is not.
func TestTrustFollowsItsOwn(t *testing.T) {
	s := start(t, localaws.Config{})
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	bob := newUser(t, s, "bob", "")
	newRole(t, s, "r", trust(`{"AWS":"`+arn("user/bob")+`"}`))
	assume := func(caller aws.Config) error {
		return errorOf(sts.NewFromConfig(caller).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String(arn("role/r")), RoleSessionName: aws.String("session")}))
	}
	must(t, errorOf(client.UpdateUser(ctx, &iam.UpdateUserInput{UserName: aws.String("bob"), NewUserName: aws.String("robert"), NewPath: aws.String("/x/")})))
	other := newUser(t, s, "bob", "")
	expect(t, attempt{"robert, who was bob", assume(bob), ""}, attempt{"another bob", assume(other), "AccessDenied"})
}

func TestRolesAreUsed(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	s := start(t, localaws.Config{Now: func() time.Time { return now }})
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	newRole(t, s, "r", trust(`{"AWS":"`+arn("user/administrator")+`"}`))
	used := func() string {
		t.Helper()
		got, err := client.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String("r")})
		must(t, err)
		if got.Role.RoleLastUsed.LastUsedDate == nil {
			return ""
		}
		return got.Role.RoleLastUsed.LastUsedDate.Format(time.RFC3339) + " " + *got.Role.RoleLastUsed.Region
	}
	assumed, err := sts.NewFromConfig(s.SDK()).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String(arn("role/r")), RoleSessionName: aws.String("session")})
	must(t, err)
	if got := used(); got != "" {
		t.Errorf("last used before the session's first call: %s", got)
	}
	now = now.Add(time.Minute)
	session := s.SDKAs(localaws.AccessKey{ID: *assumed.Credentials.AccessKeyId, Secret: *assumed.Credentials.SecretAccessKey}, *assumed.Credentials.SessionToken)
	must(t, errorOf(sts.NewFromConfig(session, func(o *sts.Options) { o.Region = "eu-west-1" }).GetCallerIdentity(ctx, nil)))
	if got, want := used(), now.UTC().Format(time.RFC3339)+" eu-west-1"; got != want {
		t.Errorf("last used %q, want %q", got, want)
	}
}

func TestServiceLinkedRoles(t *testing.T) {
	s := start(t, localaws.Config{})
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	for service, want := range map[string]string{
		"eks.amazonaws.com":           "AWSServiceRoleForAmazonEKS",
		"eks-nodegroup.amazonaws.com": "AWSServiceRoleForAmazonEKSNodegroup",
		"eks-fargate.amazonaws.com":   "AWSServiceRoleForAmazonEKSForFargate",
		"autoscaling.amazonaws.com":   "AWSServiceRoleForAutoScaling",
	} {
		made, err := client.CreateServiceLinkedRole(ctx, &iam.CreateServiceLinkedRoleInput{AWSServiceName: &service, Description: aws.String("d")})
		if err != nil {
			t.Fatal(err)
		}
		document, _ := url.PathUnescape(*made.Role.AssumeRolePolicyDocument)
		if *made.Role.Arn != arn("role/aws-service-role/"+service+"/"+want) || *made.Role.Description != "d" || !strings.Contains(document, `{"Service":"`+service+`"}`) {
			t.Errorf("%+v, %s", made.Role, document)
		}
	}
	create := func(service, suffix, description string) error {
		input := &iam.CreateServiceLinkedRoleInput{AWSServiceName: &service, Description: &description}
		if suffix != "" {
			input.CustomSuffix = &suffix
		}
		return errorOf(client.CreateServiceLinkedRole(ctx, input))
	}
	wantMessage(t, "InvalidInput", "is not a service with a service-linked role in localaws; supported: ", create("nothing.amazonaws.com", "", ""))
	name := aws.String("AWSServiceRoleForAmazonEKS")
	remove := func(name string) error {
		return errorOf(client.DeleteServiceLinkedRole(ctx, &iam.DeleteServiceLinkedRoleInput{RoleName: &name}))
	}
	newRole(t, s, "ordinary", byEC2())
	expect(t,
		attempt{"one twice", create("eks.amazonaws.com", "", ""), "InvalidInput"},
		attempt{"a suffix that is not allowed", create("eks.amazonaws.com", "x", ""), "InvalidInput"},
		attempt{"a suffix", create("autoscaling.amazonaws.com", "blue", ""), ""},
		attempt{"the suffix is part of the name", errorOf(client.GetRole(ctx, &iam.GetRoleInput{RoleName: aws.String("AWSServiceRoleForAutoScaling_blue")})), ""},
		attempt{"a suffix with a space", create("autoscaling.amazonaws.com", "a b", ""), "ValidationError"},
		attempt{"a description in Greek", create("spot.amazonaws.com", "", "Ω"), "ValidationError"},

		attempt{"put a policy", errorOf(client.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: name, PolicyName: aws.String("p"), PolicyDocument: aws.String(statement("Allow", "s3:*", "*"))})), "UnmodifiableEntity"},
		attempt{"trust another", errorOf(client.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: name, PolicyDocument: byEC2()})), "UnmodifiableEntity"},
		attempt{"attach a policy", errorOf(client.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: name, PolicyArn: aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")})), "UnmodifiableEntity"},
		attempt{"detach a policy", errorOf(client.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: name, PolicyArn: aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")})), "UnmodifiableEntity"},
		attempt{"delete a policy", errorOf(client.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: name, PolicyName: aws.String("p")})), "UnmodifiableEntity"},
		attempt{"bound it", errorOf(client.PutRolePermissionsBoundary(ctx, &iam.PutRolePermissionsBoundaryInput{RoleName: name, PermissionsBoundary: aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")})), "UnmodifiableEntity"},
		attempt{"unbound it", errorOf(client.DeleteRolePermissionsBoundary(ctx, &iam.DeleteRolePermissionsBoundaryInput{RoleName: name})), "UnmodifiableEntity"},
		attempt{"delete it as an ordinary one", errorOf(client.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name})), "UnmodifiableEntity"},
		attempt{"describe it", errorOf(client.UpdateRoleDescription(ctx, &iam.UpdateRoleDescriptionInput{RoleName: name, Description: aws.String("d")})), ""},

		attempt{"delete an ordinary one", remove("ordinary"), "NoSuchEntity"},
		attempt{"delete none", remove("none"), "NoSuchEntity"},
		attempt{"ask about none", errorOf(client.GetServiceLinkedRoleDeletionStatus(ctx, &iam.GetServiceLinkedRoleDeletionStatusInput{DeletionTaskId: aws.String("task/aws-service-role/x/y/z")})), "NoSuchEntity"},
	)
	onlySpot := iam.NewFromConfig(newUser(t, s, "spot", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:CreateServiceLinkedRole","Resource":"*","Condition":{"StringEquals":{"iam:AWSServiceName":"spot.amazonaws.com"}}}]}`))
	expect(t,
		attempt{"by who may for another service", errorOf(onlySpot.CreateServiceLinkedRole(ctx, &iam.CreateServiceLinkedRoleInput{AWSServiceName: aws.String("spotfleet.amazonaws.com")})), "AccessDenied"},
		attempt{"by who may for the service", errorOf(onlySpot.CreateServiceLinkedRole(ctx, &iam.CreateServiceLinkedRoleInput{AWSServiceName: aws.String("spot.amazonaws.com")})), ""},
	)
	deleted, err := client.DeleteServiceLinkedRole(ctx, &iam.DeleteServiceLinkedRoleInput{RoleName: name})
	if err != nil || !strings.HasPrefix(*deleted.DeletionTaskId, "task/aws-service-role/eks.amazonaws.com/AWSServiceRoleForAmazonEKS/") {
		t.Fatalf("%+v, %v", deleted, err)
	}
	status, err := client.GetServiceLinkedRoleDeletionStatus(ctx, &iam.GetServiceLinkedRoleDeletionStatusInput{DeletionTaskId: deleted.DeletionTaskId})
	if err != nil || status.Status != iamtypes.DeletionTaskStatusTypeSucceeded {
		t.Errorf("%+v, %v", status, err)
	}
	expect(t,
		attempt{"it is gone", errorOf(client.GetRole(ctx, &iam.GetRoleInput{RoleName: name})), "NoSuchEntity"},
		attempt{"and can be made again", create("eks.amazonaws.com", "", ""), ""},
	)
}
