//go:build e2e

package e2e

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
)

// The administrator's side of the AWS account, through the AWS SDK.
func administrator(t *testing.T) *iam.Client {
	t.Helper()
	client, err := suite.Info().IAM()
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// An accessKey belongs to a user created for one test.
type accessKey struct{ user, id, secret string }

// newUser creates an IAM user with an access key for one test.
func newUser(t *testing.T, name string) accessKey {
	t.Helper()
	if _, err := administrator(t).CreateUser(t.Context(), &iam.CreateUserInput{UserName: &name}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { forgetUser(t, name) })
	created, err := administrator(t).CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: &name})
	if err != nil {
		t.Fatal(err)
	}
	return accessKey{name, *created.AccessKey.AccessKeyId, *created.AccessKey.SecretAccessKey}
}

// configure makes the key the default one of a shell.
func (k accessKey) configure(s *shell) {
	s.t.Helper()
	s.run("aws configure", k.id, k.secret, "eu-west-2", "json")
}

// newRole creates a role that the account may assume.
func newRole(t *testing.T, name string) string {
	t.Helper()
	return newRoleOf(t, "/", name, `"Principal":{"AWS":"arn:aws:iam::231144931069:root"},"Action":"sts:AssumeRole"`)
}

// newRoleOf creates a role under a path; its trust policy has the one statement.
func newRoleOf(t *testing.T, path, name, allowed string) string {
	t.Helper()
	created, err := administrator(t).CreateRole(t.Context(), &iam.CreateRoleInput{
		Path: &path, RoleName: &name,
		AssumeRolePolicyDocument: aws.String(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow",` + allowed + `}]}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := administrator(t).DeleteRole(context.Background(), &iam.DeleteRoleInput{RoleName: &name}); err != nil {
			t.Error(err)
		}
	})
	return *created.Role.Arn
}

// forgetUser deletes a user and all that belongs to it.
func forgetUser(t *testing.T, name string) {
	t.Helper()
	ctx, client := context.Background(), administrator(t)
	keys, err := client.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: &name})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys.AccessKeyMetadata {
		if _, err := client.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: &name, AccessKeyId: key.AccessKeyId}); err != nil {
			t.Fatal(err)
		}
	}
	policies, err := client.ListUserPolicies(ctx, &iam.ListUserPoliciesInput{UserName: &name})
	if err != nil {
		t.Fatal(err)
	}
	for _, policy := range policies.PolicyNames {
		if _, err := client.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: &name, PolicyName: &policy}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := client.DeleteUser(ctx, &iam.DeleteUserInput{UserName: &name}); err != nil {
		t.Fatal(err)
	}
}
