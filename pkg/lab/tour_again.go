package lab

import (
	"context"
	"errors"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/kube-iam/authenticator/internal/story"
	"github.com/kube-iam/authenticator/pkg/lab/internal/kubeconfig"
)

// startOver undoes an earlier tour: it removes the files and the user, and makes the
// administrator the default of the AWS CLI and kubectl again.
func (t *tour) startOver(ctx context.Context) error {
	if err := t.clearDir(); err != nil {
		return err
	}
	if err := t.deleteUser(ctx); err != nil {
		return err
	}
	admin, err := t.info.administrator()
	if err != nil {
		return err
	}
	if err := t.info.useKey(admin); err != nil {
		return err
	}
	return kubeconfig.Use(t.dir, kubeconfigFile, administratorContext)
}

// clearDir empties the tour's directory, and checks the other files that the tour's
// commands write to.
func (t *tour) clearDir() error {
	if err := t.dir.RemoveAll(tourDir); err != nil {
		return err
	}
	if err := t.dir.Mkdir(tourDir); err != nil {
		return err
	}
	return t.dir.Check(kubeconfigFile, awsDir+"/config", awsDir+"/credentials")
}

// deleteUser deletes the story's user. IAM requires that its keys and policies are
// deleted first.
func (t *tour) deleteUser(ctx context.Context) error {
	name := aws.String(story.User)
	keys, err := t.iam.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: name})
	if _, none := errors.AsType[*types.NoSuchEntityException](err); none {
		return nil
	}
	if err != nil {
		return err
	}
	for _, key := range keys.AccessKeyMetadata {
		if _, err := t.iam.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: name, AccessKeyId: key.AccessKeyId}); err != nil {
			return err
		}
	}
	policies, err := t.iam.ListUserPolicies(ctx, &iam.ListUserPoliciesInput{UserName: name})
	if err != nil {
		return err
	}
	for _, policy := range policies.PolicyNames {
		if _, err := t.iam.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: name, PolicyName: &policy}); err != nil {
			return err
		}
	}
	_, err = t.iam.DeleteUser(ctx, &iam.DeleteUserInput{UserName: name})
	return err
}
