package localaws_test

import (
	"slices"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

func TestGetUser(t *testing.T) {
	s := start(t, localaws.Config{})
	makeEntities(t, s)
	bob := newUser(t, s, "bob", statement("Allow", "iam:GetUser", "arn:aws:iam::*:user/${aws:username}"))
	client, ctx := iam.NewFromConfig(bob), t.Context()
	own, err := client.GetUser(ctx, &iam.GetUserInput{})
	if err != nil || *own.User.UserName != "bob" || *own.User.Path != "/" || own.User.CreateDate == nil {
		t.Errorf("the caller's own: %+v, %v", own, err)
	}
	byName, err := client.GetUser(ctx, &iam.GetUserInput{UserName: aws.String("BOB")})
	if err != nil || *byName.User.UserId != *own.User.UserId {
		t.Errorf("by name: %+v, %v", byName, err)
	}
	wantCode(t, "AccessDenied", errorOf(client.GetUser(ctx, &iam.GetUserInput{UserName: aws.String("alice")})))
	wantCode(t, "NoSuchEntity", errorOf(iam.NewFromConfig(s.SDK()).GetUser(ctx, &iam.GetUserInput{UserName: aws.String("nobody")})))

	// A role's session is not a user.
	admin := iam.NewFromConfig(s.SDK())
	must(t, errorOf(admin.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: aws.String("deployer"), PolicyArn: aws.String("arn:aws:iam::aws:policy/IAMReadOnlyAccess")})))
	assumed, err := sts.NewFromConfig(s.SDK()).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: aws.String("arn:aws:iam::" + account + ":role/team/deployer"), RoleSessionName: aws.String("session")})
	must(t, err)
	session := s.SDKAs(localaws.AccessKey{ID: *assumed.Credentials.AccessKeyId, Secret: *assumed.Credentials.SecretAccessKey}, *assumed.Credentials.SessionToken)
	wantMessage(t, "ValidationError", "Must specify userName when calling with non-User credentials", errorOf(iam.NewFromConfig(session).GetUser(ctx, &iam.GetUserInput{})))
	wantCode(t, "", errorOf(iam.NewFromConfig(session).GetUser(ctx, &iam.GetUserInput{UserName: aws.String("alice")})))
}

func TestListUsers(t *testing.T) {
	s := start(t, localaws.Config{})
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	for name, path := range map[string]string{"a": "/", "B": "/x/", "c": "/x/y/", "d": "/xy/"} {
		must(t, errorOf(client.CreateUser(ctx, &iam.CreateUserInput{UserName: &name, Path: &path, Tags: tags("a", "b")})))
	}
	for prefix, want := range map[string][]string{
		"/": {"a", "administrator", "B", "c", "d"}, "/x/": {"B", "c"}, "/x": {"B", "c", "d"}, "/z/": nil,
	} {
		var got []string
		pages := iam.NewListUsersPaginator(client, &iam.ListUsersInput{PathPrefix: &prefix, MaxItems: aws.Int32(2)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			must(t, err)
			for _, user := range page.Users {
				got = append(got, *user.UserName)
				if user.Tags != nil {
					t.Errorf("the list contains the tags of %s", *user.UserName)
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", prefix, got, want)
		}
	}
}

func TestUserQuota(t *testing.T) {
	s := start(t, localaws.Config{})
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	_, err := s.AddUsers(4998) // with the administrator 4999
	must(t, err)
	must(t, errorOf(client.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("the-last")})))
	wantMessage(t, "LimitExceeded", "UsersPerAccount: 5000", errorOf(client.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("one-more")})))
}

func TestUpdateUser(t *testing.T) {
	s := start(t, localaws.Config{})
	makeEntities(t, s)
	const own = "arn:aws:iam::" + account + ":user/"
	bob := newUser(t, s, "bob", statement("Allow", "eks:ListClusters", "*"))
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	must(t, errorOf(client.AddUserToGroup(ctx, &iam.AddUserToGroupInput{GroupName: aws.String("devs"), UserName: aws.String("bob")})))
	before, err := client.GetUser(ctx, &iam.GetUserInput{UserName: aws.String("bob")})
	must(t, err)
	for _, test := range []struct{ name, newName, newPath, arn string }{
		{"bob", "Bob", "", own + "Bob"},
		{"bob", "robert", "/team/", own + "team/robert"},
		{"robert", "", "/", own + "robert"},
		{"robert", "", "", own + "robert"},
	} {
		input := &iam.UpdateUserInput{UserName: &test.name}
		if test.newName != "" {
			input.NewUserName = &test.newName
		}
		if test.newPath != "" {
			input.NewPath = &test.newPath
		}
		must(t, errorOf(client.UpdateUser(ctx, input)))
		who, err := sts.NewFromConfig(bob).GetCallerIdentity(ctx, nil)
		if err != nil || *who.Arn != test.arn || *who.UserId != *before.User.UserId {
			t.Errorf("%+v: %+v, %v", test, who, err)
		}
	}
	wantCode(t, "NoSuchEntity", errorOf(client.GetUser(ctx, &iam.GetUserInput{UserName: aws.String("bob")})))
	wantCode(t, "", errorOf(eks.NewFromConfig(bob).ListClusters(ctx, &eks.ListClustersInput{})))
	groups, err := client.ListGroupsForUser(ctx, &iam.ListGroupsForUserInput{UserName: aws.String("robert")})
	if err != nil || len(groups.Groups) != 1 {
		t.Errorf("the groups of robert: %+v, %v", groups, err)
	}
	wantCode(t, "EntityAlreadyExists", errorOf(client.UpdateUser(ctx, &iam.UpdateUserInput{UserName: aws.String("robert"), NewUserName: aws.String("ALICE")})))
	wantCode(t, "NoSuchEntity", errorOf(client.UpdateUser(ctx, &iam.UpdateUserInput{UserName: aws.String("bob"), NewUserName: aws.String("x")})))

	// Renaming requires the permission for both names.
	mover := iam.NewFromConfig(newUser(t, s, "mover", `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iam:UpdateUser","Resource":["`+own+`robert","`+own+`rob"]}]}`))
	wantMessage(t, "AccessDenied", own+"bobby", errorOf(mover.UpdateUser(ctx, &iam.UpdateUserInput{UserName: aws.String("robert"), NewUserName: aws.String("bobby")})))
	wantCode(t, "", errorOf(mover.UpdateUser(ctx, &iam.UpdateUserInput{UserName: aws.String("robert"), NewUserName: aws.String("rob")})))
}

// TestDeleteUser removes, one by one, what prevents a user's deletion.
func TestDeleteUser(t *testing.T) {
	now := time.Now()
	s := start(t, localaws.Config{Now: func() time.Time { return now }})
	key := makeEntities(t, s)
	client, ctx, user := iam.NewFromConfig(s.SDK()), t.Context(), aws.String("alice")
	managed := aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")
	must(t, errorOf(client.AddUserToGroup(ctx, &iam.AddUserToGroupInput{GroupName: aws.String("devs"), UserName: user})))
	must(t, errorOf(client.AttachUserPolicy(ctx, &iam.AttachUserPolicyInput{UserName: user, PolicyArn: managed})))
	must(t, errorOf(client.PutUserPolicy(ctx, &iam.PutUserPolicyInput{UserName: user, PolicyName: aws.String("p"), PolicyDocument: aws.String(document)})))
	must(t, errorOf(client.PutUserPermissionsBoundary(ctx, &iam.PutUserPermissionsBoundaryInput{UserName: user, PermissionsBoundary: managed})))
	made, err := client.CreateVirtualMFADevice(ctx, &iam.CreateVirtualMFADeviceInput{VirtualMFADeviceName: aws.String("phone")})
	must(t, err)
	device := made.VirtualMFADevice
	must(t, errorOf(client.EnableMFADevice(ctx, &iam.EnableMFADeviceInput{
		UserName: user, SerialNumber: device.SerialNumber,
		AuthenticationCode1: codeOf(t, device.Base32StringSeed, now), AuthenticationCode2: codeOf(t, device.Base32StringSeed, now.Add(30*time.Second)),
	})))
	for _, step := range []struct {
		conflict string
		resolve  func() error
	}{
		{"must remove users from group first", func() error {
			return errorOf(client.RemoveUserFromGroup(ctx, &iam.RemoveUserFromGroupInput{GroupName: aws.String("devs"), UserName: user}))
		}},
		{"must delete access keys first", func() error {
			return errorOf(client.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: user, AccessKeyId: &key}))
		}},
		{"must delete MFA device first", func() error {
			return errorOf(client.DeactivateMFADevice(ctx, &iam.DeactivateMFADeviceInput{UserName: user, SerialNumber: device.SerialNumber}))
		}},
		{"must detach all policies first", func() error {
			return errorOf(client.DetachUserPolicy(ctx, &iam.DetachUserPolicyInput{UserName: user, PolicyArn: managed}))
		}},
		{"must delete policies first", func() error {
			return errorOf(client.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: user, PolicyName: aws.String("p")}))
		}},
	} {
		wantMessage(t, "DeleteConflict", step.conflict, errorOf(client.DeleteUser(ctx, &iam.DeleteUserInput{UserName: user})))
		must(t, step.resolve())
	}
	wantCode(t, "", errorOf(client.DeleteUser(ctx, &iam.DeleteUserInput{UserName: user})))
	wantCode(t, "NoSuchEntity", errorOf(client.DeleteUser(ctx, &iam.DeleteUserInput{UserName: user})))
}

func TestUsersWithoutAPassword(t *testing.T) {
	s := start(t, localaws.Config{})
	makeEntities(t, s)
	client, ctx, user := iam.NewFromConfig(s.SDK()), t.Context(), aws.String("alice")
	wantMessage(t, "NoSuchEntity", "Login Profile for User alice cannot be found.", errorOf(client.GetLoginProfile(ctx, &iam.GetLoginProfileInput{UserName: user})))
	wantMessage(t, "NoSuchEntity", "Login Profile for User administrator cannot be found.", errorOf(client.GetLoginProfile(ctx, &iam.GetLoginProfileInput{})))
}

func TestAccessKeys(t *testing.T) {
	now := time.Now()
	s := start(t, localaws.Config{Now: func() time.Time { return now }})
	alices := makeEntities(t, s)
	bob := newUser(t, s, "bob", statement("Allow", "iam:*AccessKey*", "arn:aws:iam::*:user/bob"))
	client, ctx := iam.NewFromConfig(bob), t.Context()
	made, err := client.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{}) // for the caller
	must(t, err)
	if *made.AccessKey.UserName != "bob" || made.AccessKey.Status != iamtypes.StatusTypeActive || made.AccessKey.CreateDate == nil {
		t.Errorf("%+v", made.AccessKey)
	}
	id, secret := made.AccessKey.AccessKeyId, *made.AccessKey.SecretAccessKey
	wantMessage(t, "LimitExceeded", "Cannot exceed quota for AccessKeysPerUser: 2", errorOf(client.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{})))
	wantCode(t, "AccessDenied", errorOf(client.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: aws.String("alice")})))

	lastUsed := func() iamtypes.AccessKeyLastUsed {
		t.Helper()
		answer, err := client.GetAccessKeyLastUsed(ctx, &iam.GetAccessKeyLastUsedInput{AccessKeyId: id})
		must(t, err)
		if *answer.UserName != "bob" {
			t.Errorf("the key belongs to %s", *answer.UserName)
		}
		return *answer.AccessKeyLastUsed
	}
	if use := lastUsed(); use.LastUsedDate != nil || *use.ServiceName != "N/A" || *use.Region != "N/A" {
		t.Errorf("a new key: %+v", use)
	}
	second := s.SDKAs(localaws.AccessKey{ID: *id, Secret: secret}, "")
	now = now.Add(time.Minute)
	wantCode(t, "AccessDeniedException", errorOf(eks.NewFromConfig(second).ListClusters(ctx, &eks.ListClustersInput{}))) // a denied call counts as a use
	if use := lastUsed(); *use.ServiceName != "eks" || *use.Region != "eu-west-2" || !use.LastUsedDate.Equal(now.Truncate(time.Second)) {
		t.Errorf("after a call to EKS: %+v, want the time %s", use, now)
	}
	forged := s.SDKAs(localaws.AccessKey{ID: *id, Secret: "x"}, "")
	wantCode(t, "SignatureDoesNotMatch", errorOf(sts.NewFromConfig(forged).GetCallerIdentity(ctx, nil)))
	if use := lastUsed(); *use.ServiceName != "eks" {
		t.Errorf("after a call with a forged signature: %+v", use)
	}
	wantCode(t, "AccessDenied", errorOf(client.GetAccessKeyLastUsed(ctx, &iam.GetAccessKeyLastUsedInput{AccessKeyId: &alices})))
	wantCode(t, "AccessDenied", errorOf(client.GetAccessKeyLastUsed(ctx, &iam.GetAccessKeyLastUsedInput{AccessKeyId: aws.String("AKIANOSUCHKEYATALL00")})))

	for _, test := range []struct {
		status iamtypes.StatusType
		want   string
	}{{iamtypes.StatusTypeInactive, "InvalidClientTokenId"}, {iamtypes.StatusTypeActive, ""}} {
		must(t, errorOf(client.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{AccessKeyId: id, Status: test.status})))
		wantCode(t, test.want, errorOf(sts.NewFromConfig(second).GetCallerIdentity(ctx, nil)))
		list, err := client.ListAccessKeys(ctx, &iam.ListAccessKeysInput{})
		if err != nil || len(list.AccessKeyMetadata) != 2 || list.AccessKeyMetadata[1].Status != test.status {
			t.Errorf("%s: %+v, %v", test.status, list, err)
		}
	}
	wantCode(t, "NoSuchEntity", errorOf(client.UpdateAccessKey(ctx, &iam.UpdateAccessKeyInput{AccessKeyId: &alices, Status: iamtypes.StatusTypeInactive})))
	wantCode(t, "NoSuchEntity", errorOf(client.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{UserName: aws.String("bob"), AccessKeyId: &alices})))
	must(t, errorOf(client.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{AccessKeyId: id})))
	wantCode(t, "InvalidClientTokenId", errorOf(sts.NewFromConfig(second).GetCallerIdentity(ctx, nil)))
	wantCode(t, "NoSuchEntity", errorOf(client.DeleteAccessKey(ctx, &iam.DeleteAccessKeyInput{AccessKeyId: id})))
}
