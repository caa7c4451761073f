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

// deleteUser deletes the story's user, with all that people may have attached to it: IAM
// requires that.
func (t *tour) deleteUser(ctx context.Context) error {
	name := aws.String(story.User)
	if _, err := t.iam.GetUser(ctx, &iam.GetUserInput{UserName: name}); isNoSuchEntity(err) {
		return nil
	}
	for _, detach := range []func(context.Context, *string) error{
		t.deleteKeys, t.deletePolicies, t.detachPolicies, t.leaveGroups, t.deletePassword, t.deactivateDevices, t.deleteSSHKeys, t.deleteCertificates,
	} {
		if err := detach(ctx, name); err != nil {
			return err
		}
	}
	_, err := t.iam.DeleteUser(ctx, &iam.DeleteUserInput{UserName: name})
	return err
}

func isNoSuchEntity(err error) bool {
	_, none := errors.AsType[*types.NoSuchEntityException](err)
	return none
}

func (t *tour) deleteKeys(ctx context.Context, user *string) error {
	keys, err := t.iam.ListAccessKeys(ctx, &iam.ListAccessKeysInput{UserName: user})
	if err != nil {
		return err
	}
	for _, key := range keys.AccessKeyMetadata {
		if _, err := t.iam.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: user, AccessKeyId: key.AccessKeyId}); err != nil {
			return err
		}
	}
	return nil
}

func (t *tour) deletePolicies(ctx context.Context, user *string) error {
	policies, err := t.iam.ListUserPolicies(ctx, &iam.ListUserPoliciesInput{UserName: user})
	if err != nil {
		return err
	}
	for _, policy := range policies.PolicyNames {
		if _, err := t.iam.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: user, PolicyName: &policy}); err != nil {
			return err
		}
	}
	return nil
}

func (t *tour) detachPolicies(ctx context.Context, user *string) error {
	policies, err := t.iam.ListAttachedUserPolicies(ctx, &iam.ListAttachedUserPoliciesInput{UserName: user})
	if err != nil {
		return err
	}
	for _, policy := range policies.AttachedPolicies {
		if _, err := t.iam.DetachUserPolicy(ctx, &iam.DetachUserPolicyInput{UserName: user, PolicyArn: policy.PolicyArn}); err != nil {
			return err
		}
	}
	return nil
}

func (t *tour) leaveGroups(ctx context.Context, user *string) error {
	groups, err := t.iam.ListGroupsForUser(ctx, &iam.ListGroupsForUserInput{UserName: user})
	if err != nil {
		return err
	}
	for _, group := range groups.Groups {
		if _, err := t.iam.RemoveUserFromGroup(ctx, &iam.RemoveUserFromGroupInput{UserName: user, GroupName: group.GroupName}); err != nil {
			return err
		}
	}
	return nil
}

func (t *tour) deletePassword(ctx context.Context, user *string) error {
	_, err := t.iam.DeleteLoginProfile(ctx, &iam.DeleteLoginProfileInput{UserName: user})
	if isNoSuchEntity(err) {
		return nil
	}
	return err
}

func (t *tour) deactivateDevices(ctx context.Context, user *string) error {
	devices, err := t.iam.ListMFADevices(ctx, &iam.ListMFADevicesInput{UserName: user})
	if err != nil {
		return err
	}
	for _, device := range devices.MFADevices {
		if _, err := t.iam.DeactivateMFADevice(ctx, &iam.DeactivateMFADeviceInput{UserName: user, SerialNumber: device.SerialNumber}); err != nil {
			return err
		}
	}
	return nil
}

func (t *tour) deleteSSHKeys(ctx context.Context, user *string) error {
	keys, err := t.iam.ListSSHPublicKeys(ctx, &iam.ListSSHPublicKeysInput{UserName: user})
	if err != nil {
		return err
	}
	for _, key := range keys.SSHPublicKeys {
		if _, err := t.iam.DeleteSSHPublicKey(ctx, &iam.DeleteSSHPublicKeyInput{UserName: user, SSHPublicKeyId: key.SSHPublicKeyId}); err != nil {
			return err
		}
	}
	return nil
}

func (t *tour) deleteCertificates(ctx context.Context, user *string) error {
	certificates, err := t.iam.ListSigningCertificates(ctx, &iam.ListSigningCertificatesInput{UserName: user})
	if err != nil {
		return err
	}
	for _, certificate := range certificates.Certificates {
		if _, err := t.iam.DeleteSigningCertificate(ctx, &iam.DeleteSigningCertificateInput{UserName: user, CertificateId: certificate.CertificateId}); err != nil {
			return err
		}
	}
	return nil
}
