package localaws_test

import (
	"bytes"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

// TestABoundaryThatIsGoneAllowsNothing checks that a call and a simulation of it agree.
func TestABoundaryThatIsGoneAllowsNothing(t *testing.T) {
	s := start(t, localaws.Config{})
	bob := iam.NewFromConfig(newUser(t, s, "bob", anything))
	client, ctx, name := iam.NewFromConfig(s.SDK()), t.Context(), aws.String("bob")
	must(t, errorOf(client.PutUserPermissionsBoundary(ctx, &iam.PutUserPermissionsBoundaryInput{UserName: name, PermissionsBoundary: aws.String("arn:aws:iam::aws:policy/AdministratorAccess")})))
	must(t, errorOf(bob.ListUsers(ctx, nil)))
	must(t, s.EditState(func(state []byte) []byte {
		return bytes.Replace(state, []byte(`"permissionsBoundary":"arn:aws:iam::aws:policy/AdministratorAccess"`), []byte(`"permissionsBoundary":"`+arn("policy/gone")+`"`), 1)
	}))
	wantCode(t, "AccessDenied", errorOf(bob.ListUsers(ctx, nil)))
	answer, err := client.SimulatePrincipalPolicy(ctx, &iam.SimulatePrincipalPolicyInput{PolicySourceArn: aws.String(arn("user/bob")), ActionNames: []string{"iam:ListUsers"}})
	must(t, err)
	if got := answer.EvaluationResults[0].EvalDecision; got != "implicitDeny" {
		t.Error(got)
	}
}
