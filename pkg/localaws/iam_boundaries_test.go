package localaws_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

func TestPermissionsBoundaries(t *testing.T) {
	s := start(t, localaws.Config{})
	makeEntities(t, s)
	client, ctx, user := iam.NewFromConfig(s.SDK()), t.Context(), aws.String("alice")
	bound := func(arn string) error {
		return errorOf(client.PutUserPermissionsBoundary(ctx, &iam.PutUserPermissionsBoundaryInput{UserName: user, PermissionsBoundary: &arn}))
	}
	is := func(want string, boundary *iamtypes.AttachedPermissionsBoundary) {
		t.Helper()
		if want == "" && boundary != nil || want != "" && (boundary == nil || *boundary.PermissionsBoundaryArn != want || boundary.PermissionsBoundaryType != "Policy") {
			t.Errorf("%+v, want %s", boundary, want)
		}
	}
	ofAlice := func() *iamtypes.AttachedPermissionsBoundary {
		t.Helper()
		answer, err := client.GetUser(ctx, &iam.GetUserInput{UserName: user})
		must(t, err)
		return answer.User.PermissionsBoundary
	}
	is("", ofAlice())
	wantMessage(t, "NoSuchEntity", "Scope ARN: "+noSuchPolicy+" does not exist or is not attachable.", bound(noSuchPolicy))
	wantCode(t, "InvalidInput", bound("arn:aws:iam::aws:role/nonsense"))
	wantCode(t, "", bound(readOnly))
	is(readOnly, ofAlice())
	wantCode(t, "", bound(ownPolicy))
	is(ownPolicy, ofAlice())
	wantMessage(t, "DeleteConflict", "Cannot delete a policy attached to entities.", errorOf(client.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: aws.String(ownPolicy)})))
	for range 2 { // the second call has no effect
		wantCode(t, "", errorOf(client.DeleteUserPermissionsBoundary(ctx, &iam.DeleteUserPermissionsBoundaryInput{UserName: user})))
	}
	is("", ofAlice())
	wantCode(t, "", errorOf(client.DeletePolicy(ctx, &iam.DeletePolicyInput{PolicyArn: aws.String(ownPolicy)})))

	made, err := client.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("bob"), PermissionsBoundary: aws.String(readOnly)})
	must(t, err)
	is(readOnly, made.User.PermissionsBoundary)
	wantCode(t, "NoSuchEntity", errorOf(client.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("carol"), PermissionsBoundary: aws.String(noSuchPolicy)})))
	wantCode(t, "NoSuchEntity", errorOf(client.GetUser(ctx, &iam.GetUserInput{UserName: aws.String("carol")})))
	wantCode(t, "NoSuchEntity", errorOf(client.PutRolePermissionsBoundary(ctx, &iam.PutRolePermissionsBoundaryInput{RoleName: aws.String("x"), PermissionsBoundary: aws.String(readOnly)})))
	wantCode(t, "NoSuchEntity", errorOf(client.DeleteRolePermissionsBoundary(ctx, &iam.DeleteRolePermissionsBoundaryInput{RoleName: aws.String("x")})))
	wantCode(t, "", errorOf(client.PutRolePermissionsBoundary(ctx, &iam.PutRolePermissionsBoundaryInput{RoleName: aws.String("deployer"), PermissionsBoundary: aws.String(readOnly)})))
	wantCode(t, "", errorOf(client.DeleteRolePermissionsBoundary(ctx, &iam.DeleteRolePermissionsBoundaryInput{RoleName: aws.String("deployer")})))
}

// TestBoundariesBound checks that a boundary limits an administrator.
func TestBoundariesBound(t *testing.T) {
	s := start(t, localaws.Config{})
	bob := newUser(t, s, "bob", statement("Allow", "*", "*"))
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	made, err := client.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("bound"), PolicyDocument: aws.String(statement("Allow", "eks:*", "*"))})
	must(t, err)
	tries := func() (error, error) {
		return errorOf(eks.NewFromConfig(bob).ListClusters(ctx, &eks.ListClustersInput{})), errorOf(iam.NewFromConfig(bob).ListUsers(ctx, &iam.ListUsersInput{}))
	}
	must(t, errorOf(client.PutUserPermissionsBoundary(ctx, &iam.PutUserPermissionsBoundaryInput{UserName: aws.String("bob"), PermissionsBoundary: made.Policy.Arn})))
	within, beyond := tries()
	wantCode(t, "", within)
	wantMessage(t, "AccessDenied", "because no permissions boundary allows the iam:ListUsers action", beyond)
	must(t, errorOf(client.CreatePolicyVersion(ctx, &iam.CreatePolicyVersionInput{PolicyArn: made.Policy.Arn, PolicyDocument: aws.String(statement("Deny", "eks:*", "*")), SetAsDefault: true})))
	within, _ = tries()
	wantMessage(t, "AccessDeniedException", "with an explicit deny in a permissions boundary", within)
	must(t, errorOf(client.DeleteUserPermissionsBoundary(ctx, &iam.DeleteUserPermissionsBoundaryInput{UserName: aws.String("bob")})))
	within, beyond = tries()
	wantCode(t, "", within)
	wantCode(t, "", beyond)
}

// TestDelegation checks the purpose of boundaries: a caller may manage users, but
// only with a given boundary, and may attach only some policies.
func TestDelegation(t *testing.T) {
	s := start(t, localaws.Config{})
	makeEntities(t, s)
	admin, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	client := iam.NewFromConfig(newUser(t, s, "delegate", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["iam:CreateUser","iam:CreateRole","iam:PutUserPermissionsBoundary","iam:PutUserPolicy","iam:DeleteUserPolicy","iam:DeleteUserPermissionsBoundary"],
		 "Resource":"*","Condition":{"StringEquals":{"iam:PermissionsBoundary":"`+readOnly+`"}}},
		{"Effect":"Allow","Action":["iam:AttachUserPolicy","iam:DetachUserPolicy"],
		 "Resource":"*","Condition":{"StringEquals":{"iam:PermissionsBoundary":"`+readOnly+`"},"ArnLike":{"iam:PolicyARN":"arn:aws:iam::*:policy/team/*"}}}]}`))
	create := func(name, boundary string) error {
		input := &iam.CreateUserInput{UserName: &name}
		if boundary != "" {
			input.PermissionsBoundary = &boundary
		}
		return errorOf(client.CreateUser(ctx, input))
	}
	put := func(user, boundary string) error {
		return errorOf(client.PutUserPermissionsBoundary(ctx, &iam.PutUserPermissionsBoundaryInput{UserName: &user, PermissionsBoundary: &boundary}))
	}
	policy := func(user string) error {
		return errorOf(client.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: &user, PolicyName: aws.String("p"), PolicyDocument: aws.String(document)}))
	}
	remove := func(user string) error {
		return errorOf(client.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: &user, PolicyName: aws.String("p")}))
	}
	attach := func(user, arn string) error {
		return errorOf(client.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: &user, PolicyArn: &arn}))
	}
	detach := func(user, arn string) error {
		return errorOf(client.DetachUserPolicy(ctx, &iam.DetachUserPolicyInput{UserName: &user, PolicyArn: &arn}))
	}
	lift := func(user string) error {
		return errorOf(client.DeleteUserPermissionsBoundary(ctx, &iam.DeleteUserPermissionsBoundaryInput{UserName: &user}))
	}
	const denied, administrator = "AccessDenied", "arn:aws:iam::aws:policy/AdministratorAccess"
	must(t, errorOf(admin.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: aws.String("alice"), PolicyName: aws.String("p"), PolicyDocument: aws.String(document)})))
	for _, step := range []struct {
		name, want string
		do         func() error
	}{
		{"create an unbounded user", denied, func() error { return create("bob", "") }},
		{"create a user of another boundary", denied, func() error { return create("bob", administrator) }},
		{"create a bounded user", "", func() error { return create("bob", readOnly) }},
		{"give it another boundary", denied, func() error { return put("bob", administrator) }},
		{"give a policy to an unbounded user", denied, func() error { return policy("alice") }},
		{"take a policy from an unbounded user", denied, func() error { return remove("alice") }},
		{"give a policy to the bounded user", "", func() error { return policy("bob") }},
		{"take it away", "", func() error { return remove("bob") }},
		{"attach a policy that is allowed", "", func() error { return attach("bob", ownPolicy) }},
		{"attach another", denied, func() error { return attach("bob", administrator) }},
		{"attach to an unbounded user", denied, func() error { return attach("alice", ownPolicy) }},
		{"detach a policy that is allowed", "", func() error { return detach("bob", ownPolicy) }},
		{"detach another", denied, func() error { return detach("bob", administrator) }},
		{"bound a user", "", func() error { return put("alice", readOnly) }},
		{"which may now be given a policy", "", func() error { return policy("alice") }},
		{"lift the boundary", "", func() error { return lift("alice") }},
		{"lift it again", denied, func() error { return lift("alice") }},
	} {
		if err := step.do(); code(err) != step.want || step.want == "" && err != nil {
			t.Errorf("%s: %v, want %q", step.name, err, step.want)
		}
	}
}
