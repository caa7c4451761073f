package localaws_test

import (
	"slices"
	"strconv"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

func TestGroups(t *testing.T) {
	s := start(t, localaws.Config{})
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	made, err := client.CreateGroup(ctx, &iam.CreateGroupInput{GroupName: aws.String("Devs"), Path: aws.String("/x/")})
	if err != nil || *made.Group.Arn != "arn:aws:iam::"+account+":group/x/Devs" || (*made.Group.GroupId)[:4] != "AGPA" || made.Group.CreateDate == nil {
		t.Fatalf("%+v, %v", made, err)
	}
	wantCode(t, "EntityAlreadyExists", errorOf(client.CreateGroup(ctx, &iam.CreateGroupInput{GroupName: aws.String("dEVS")})))
	wantCode(t, "ValidationError", errorOf(client.CreateGroup(ctx, &iam.CreateGroupInput{GroupName: aws.String("a b")})))
	must(t, errorOf(client.CreateGroup(ctx, &iam.CreateGroupInput{GroupName: aws.String("ops")})))

	for prefix, want := range map[string][]string{"/": {"Devs", "ops"}, "/x/": {"Devs"}, "/y/": nil} {
		var got []string
		pages := iam.NewListGroupsPaginator(client, &iam.ListGroupsInput{PathPrefix: &prefix, MaxItems: aws.Int32(1)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			must(t, err)
			for _, group := range page.Groups {
				got = append(got, *group.GroupName)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", prefix, got, want)
		}
	}

	wantCode(t, "EntityAlreadyExists", errorOf(client.UpdateGroup(ctx, &iam.UpdateGroupInput{GroupName: aws.String("devs"), NewGroupName: aws.String("OPS")})))
	wantCode(t, "NoSuchEntity", errorOf(client.UpdateGroup(ctx, &iam.UpdateGroupInput{GroupName: aws.String("x"), NewGroupName: aws.String("y")})))
	must(t, errorOf(client.UpdateGroup(ctx, &iam.UpdateGroupInput{GroupName: aws.String("devs"), NewGroupName: aws.String("makers"), NewPath: aws.String("/y/")})))
	wantCode(t, "NoSuchEntity", errorOf(client.GetGroup(ctx, &iam.GetGroupInput{GroupName: aws.String("devs")})))
	got, err := client.GetGroup(ctx, &iam.GetGroupInput{GroupName: aws.String("makers")})
	if err != nil || *got.Group.Arn != "arn:aws:iam::"+account+":group/y/makers" || *got.Group.GroupId != *made.Group.GroupId || got.IsTruncated {
		t.Errorf("%+v, %v", got, err)
	}
	for i := range 298 {
		must(t, errorOf(client.CreateGroup(ctx, &iam.CreateGroupInput{GroupName: aws.String("g" + strconv.Itoa(i))})))
	}
	wantMessage(t, "LimitExceeded", "GroupsPerAccount: 300", errorOf(client.CreateGroup(ctx, &iam.CreateGroupInput{GroupName: aws.String("one-more")})))
}

func TestMembership(t *testing.T) {
	s := start(t, localaws.Config{})
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	names := []string{"c", "a", "b"}
	for _, name := range names {
		must(t, errorOf(client.CreateUser(ctx, &iam.CreateUserInput{UserName: &name})))
	}
	for i := range 11 {
		must(t, errorOf(client.CreateGroup(ctx, &iam.CreateGroupInput{GroupName: aws.String("g" + strconv.Itoa(i))})))
	}
	add := func(group, user string) error {
		return errorOf(client.AddUserToGroup(ctx, &iam.AddUserToGroupInput{GroupName: &group, UserName: &user}))
	}
	remove := func(group, user string) error {
		return errorOf(client.RemoveUserFromGroup(ctx, &iam.RemoveUserFromGroupInput{GroupName: &group, UserName: &user}))
	}
	members := func() (got []string) {
		pages := iam.NewGetGroupPaginator(client, &iam.GetGroupInput{GroupName: aws.String("g0"), MaxItems: aws.Int32(2)})
		for pages.HasMorePages() {
			page, err := pages.NextPage(ctx)
			must(t, err)
			for _, user := range page.Users {
				got = append(got, *user.UserName)
			}
		}
		return got
	}
	for _, name := range append(names, "A") { // adding again has no effect
		wantCode(t, "", add("g0", name))
	}
	if got := members(); !slices.Equal(got, names) {
		t.Errorf("%q", got)
	}
	wantCode(t, "NoSuchEntity", add("g0", "x"))
	wantCode(t, "NoSuchEntity", add("x", "a"))
	wantCode(t, "NoSuchEntity", remove("g0", "x"))
	wantCode(t, "NoSuchEntity", remove("x", "a"))
	wantCode(t, "", remove("g0", "c"))
	wantCode(t, "", remove("g0", "c")) // nor has removing a user who is not a member
	if got := members(); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("%q", got)
	}

	for i := 1; i < 10; i++ {
		wantCode(t, "", add("g"+strconv.Itoa(i), "a"))
	}
	wantMessage(t, "LimitExceeded", "GroupsPerUser: 10", add("g10", "a"))
	of, err := client.ListGroupsForUser(ctx, &iam.ListGroupsForUserInput{UserName: aws.String("a"), MaxItems: aws.Int32(9)})
	if err != nil || len(of.Groups) != 9 || !of.IsTruncated || *of.Groups[0].GroupName != "g0" {
		t.Errorf("%+v, %v", of, err)
	}
	wantCode(t, "NoSuchEntity", errorOf(client.ListGroupsForUser(ctx, &iam.ListGroupsForUserInput{UserName: aws.String("x")})))
}

// TestGroupPolicies checks that a user has the permissions of its group.
func TestGroupPolicies(t *testing.T) {
	s := start(t, localaws.Config{})
	makeEntities(t, s)
	client, ctx, group := iam.NewFromConfig(s.SDK()), t.Context(), aws.String("devs")
	bob := newUser(t, s, "bob", "")
	listed := func() error { return errorOf(eks.NewFromConfig(bob).ListClusters(ctx, &eks.ListClustersInput{})) }
	inline := func(document string) error {
		return errorOf(client.PutGroupPolicy(ctx, &iam.PutGroupPolicyInput{GroupName: group, PolicyName: aws.String("p"), PolicyDocument: &document}))
	}
	must(t, inline(statement("Allow", "eks:ListClusters", "*")))
	wantCode(t, "AccessDeniedException", listed())
	must(t, errorOf(client.AddUserToGroup(ctx, &iam.AddUserToGroupInput{GroupName: group, UserName: aws.String("bob")})))
	wantCode(t, "", listed())
	must(t, inline(statement("Deny", "eks:ListClusters", "*")))
	wantMessage(t, "AccessDeniedException", "explicit deny", listed())
	must(t, errorOf(client.DeleteGroupPolicy(ctx, &iam.DeleteGroupPolicyInput{GroupName: group, PolicyName: aws.String("p")})))
	wantCode(t, "AccessDeniedException", listed())
	must(t, errorOf(client.AttachGroupPolicy(ctx, &iam.AttachGroupPolicyInput{GroupName: group, PolicyArn: aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")})))
	wantCode(t, "", listed())

	must(t, inline(document))
	list, err := client.ListGroupPolicies(ctx, &iam.ListGroupPoliciesInput{GroupName: group})
	if err != nil || !slices.Equal(list.PolicyNames, []string{"p"}) {
		t.Errorf("%+v, %v", list, err)
	}
	for _, step := range []struct {
		conflict string
		resolve  func() error
	}{
		{"must remove users from group first", func() error {
			return errorOf(client.RemoveUserFromGroup(ctx, &iam.RemoveUserFromGroupInput{GroupName: group, UserName: aws.String("bob")}))
		}},
		{"must detach all policies first", func() error {
			return errorOf(client.DetachGroupPolicy(ctx, &iam.DetachGroupPolicyInput{GroupName: group, PolicyArn: aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess")}))
		}},
		{"must delete policies first", func() error {
			return errorOf(client.DeleteGroupPolicy(ctx, &iam.DeleteGroupPolicyInput{GroupName: group, PolicyName: aws.String("p")}))
		}},
	} {
		wantMessage(t, "DeleteConflict", step.conflict, errorOf(client.DeleteGroup(ctx, &iam.DeleteGroupInput{GroupName: group})))
		must(t, step.resolve())
	}
	wantCode(t, "", errorOf(client.DeleteGroup(ctx, &iam.DeleteGroupInput{GroupName: group})))
	wantCode(t, "NoSuchEntity", errorOf(client.DeleteGroup(ctx, &iam.DeleteGroupInput{GroupName: group})))
}
