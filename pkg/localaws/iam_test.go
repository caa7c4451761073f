package localaws_test

import (
	"encoding/xml"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/kube-iam/authenticator/pkg/localaws"
	"github.com/kube-iam/authenticator/pkg/localaws/localawstest"
)

// errorOf returns the error of a call and drops its output.
func errorOf[T any](_ T, err error) error { return err }

// wantCode checks the code of an AWS error; empty for no error.
func wantCode(t testing.TB, want string, err error) {
	t.Helper()
	if got := code(err); got != want || want == "" && err != nil {
		t.Errorf("%v, want %q", err, want)
	}
}

// wantMessage checks the code of an error and a part of its message.
func wantMessage(t testing.TB, wanted, message string, err error) {
	t.Helper()
	if code(err) != wanted || !strings.Contains(err.Error(), message) {
		t.Errorf("%v, want %s: %s", err, wanted, message)
	}
}

// must ends the test on an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// askIAM sends a form that no SDK would send and returns the error.
func askIAM(t testing.TB, s *localawstest.Server, as aws.Config, action, form string) (code, message string) {
	t.Helper()
	return failureOf(t, sendForm(t, s, as, "iam.amazonaws.com", "Action="+action+"&Version=2010-05-08&"+form, "iam", "us-east-1"))
}

// failureOf returns the error in a response; empty without one.
func failureOf(t testing.TB, text string) (code, message string) {
	t.Helper()
	var failure struct {
		Error struct{ Code, Message string }
	}
	must(t, xml.Unmarshal([]byte(text), &failure))
	return failure.Error.Code, failure.Error.Message
}

// TestNothingFollowsAGap checks that list members after a gap, which would not be
// read, are rejected.
func TestNothingFollowsAGap(t *testing.T) {
	s := start(t, localaws.Config{})
	const tag = "Tags.member.1.Key=a&Tags.member.1.Value=b&"
	for form, want := range map[string]string{
		"UserName=bob&" + tag + "Tags.member.3.Key=c&Tags.member.3.Value=d": "ValidationError",
		"UserName=bob&Tags.member.2.Key=c&Tags.member.2.Value=d":            "ValidationError",
		"UserName=bob&" + tag + "Tags.member.2.Key=c&Tags.member.2.Value=d": "",
	} {
		code, message := askIAM(t, s, s.SDK(), "CreateUser", form)
		if code != want || want != "" && !strings.Contains(message, "follows a gap") {
			t.Errorf("%s: %s: %s, want %q", form, code, message, want)
		}
	}
}

func TestUnknownParametersAreRefused(t *testing.T) {
	s := start(t, localaws.Config{})
	for _, action := range localaws.OperationsOf("iam") {
		if code, message := askIAM(t, s, s.SDK(), action, "Nonsense=1"); code != "ValidationError" || !strings.Contains(message, "Nonsense") {
			t.Errorf("%s: %s: %s", action, code, message)
		}
	}
}

const document = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"ec2:*","Resource":"*"}]}`

// makeEntities creates user/team/alice with an access key, group/team/devs,
// role/team/deployer and policy/team/ec2.
func makeEntities(t testing.TB, s *localawstest.Server) (keyID string) {
	t.Helper()
	client, ctx, path := iam.NewFromConfig(s.SDK()), t.Context(), aws.String("/team/")
	must(t, errorOf(client.CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("alice"), Path: path})))
	must(t, errorOf(client.CreateGroup(ctx, &iam.CreateGroupInput{GroupName: aws.String("devs"), Path: path})))
	must(t, errorOf(client.CreateRole(ctx, &iam.CreateRoleInput{RoleName: aws.String("deployer"), Path: path, AssumeRolePolicyDocument: aws.String(
		`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + account + `"},"Action":"sts:AssumeRole"}]}`)})))
	must(t, errorOf(client.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: aws.String("ec2"), Path: path, PolicyDocument: aws.String(document)})))
	made, err := client.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: aws.String("alice")})
	must(t, err)
	return *made.AccessKey.AccessKeyId
}

// A permissionTest is the form of a call, and the resource that it needs permission
// for.
type permissionTest struct{ form, resource string }

// entityTests are those of the operations on users, groups and managed policies, and
// on the policies and tags of entities; key is the ID of a key of user/team/alice.
func entityTests(key string) map[string]permissionTest {
	const (
		user, group, role = "UserName=alice", "GroupName=devs", "RoleName=deployer"
		named             = "PolicyArn=arn:aws:iam::" + account + ":policy/team/ec2"
	)
	tests := map[string]permissionTest{
		"CreateUser":              {"UserName=new&Path=/x/", "user/x/new"},
		"GetUser":                 {user, "user/team/alice"},
		"ListUsers":               {"PathPrefix=/team/", "user/team/"},
		"UpdateUser":              {user + "&NewUserName=new", "user/team/alice"},
		"DeleteUser":              {user, "user/team/alice"},
		"CreateAccessKey":         {user, "user/team/alice"},
		"ListAccessKeys":          {user, "user/team/alice"},
		"UpdateAccessKey":         {user, "user/team/alice"},
		"DeleteAccessKey":         {user, "user/team/alice"},
		"GetAccessKeyLastUsed":    {"AccessKeyId=" + key, "user/team/alice"},
		"CreateGroup":             {"GroupName=new&Path=/x/", "group/x/new"},
		"GetGroup":                {group, "group/team/devs"},
		"ListGroups":              {"", "group/"},
		"UpdateGroup":             {group, "group/team/devs"},
		"DeleteGroup":             {group, "group/team/devs"},
		"AddUserToGroup":          {group + "&" + user, "group/team/devs"},
		"RemoveUserFromGroup":     {group + "&" + user, "group/team/devs"},
		"ListGroupsForUser":       {user, "user/team/alice"},
		"CreatePolicy":            {"PolicyName=new&Path=/x/", "policy/x/new"},
		"GetPolicy":               {named, "policy/team/ec2"},
		"ListPolicies":            {"", "policy/"},
		"DeletePolicy":            {named, "policy/team/ec2"},
		"ListEntitiesForPolicy":   {named, "policy/team/ec2"},
		"CreatePolicyVersion":     {named, "policy/team/ec2"},
		"GetPolicyVersion":        {named, "policy/team/ec2"},
		"ListPolicyVersions":      {named, "policy/team/ec2"},
		"SetDefaultPolicyVersion": {named, "policy/team/ec2"},
		"DeletePolicyVersion":     {named, "policy/team/ec2"},
		"TagPolicy":               {named, "policy/team/ec2"},
		"UntagPolicy":             {named, "policy/team/ec2"},
		"ListPolicyTags":          {named, "policy/team/ec2"},
	}
	for kind, of := range map[string]permissionTest{"User": {user, "user/team/alice"}, "Group": {group, "group/team/devs"}, "Role": {role, "role/team/deployer"}} {
		for _, action := range []string{"Put*Policy", "Get*Policy", "List*Policies", "Delete*Policy", "Attach*Policy", "Detach*Policy", "ListAttached*Policies"} {
			tests[strings.Replace(action, "*", kind, 1)] = of
		}
		if kind != "Group" {
			for _, action := range []string{"Put*PermissionsBoundary", "Delete*PermissionsBoundary", "Tag*", "Untag*", "List*Tags"} {
				tests[strings.Replace(action, "*", kind, 1)] = of
			}
		}
	}
	return tests
}

func TestEveryOperationNeedsPermission(t *testing.T) {
	s := start(t, localaws.Config{})
	tests := entityTests(makeEntities(t, s))
	nobody := newUser(t, s, "nobody", "")
	for action, test := range tests {
		code, message := askIAM(t, s, nobody, action, test.form)
		want := "User: arn:aws:iam::" + account + ":user/nobody is not authorized to perform: iam:" + action + " on resource: arn:aws:iam::" + account + ":" +
			test.resource + " because no identity-based policy allows the iam:" + action + " action"
		if code != "AccessDenied" || message != want {
			t.Errorf("%s: %s: %s\nwant %s", action, code, message, want)
		}
	}
}

// TestInvalidParameters covers parameters that the SDK does not check, or does not
// send.
func TestInvalidParameters(t *testing.T) {
	s := start(t, localaws.Config{})
	key := makeEntities(t, s)
	const named = "PolicyArn=arn:aws:iam::" + account + ":policy/team/ec2"
	long := func(n int) string { return strings.Repeat("x", n) }
	for _, test := range []struct{ action, form, code, part string }{
		{"CreateUser", "", "ValidationError", "'userName' failed to satisfy constraint: Member must not be null"},
		{"CreateUser", "UserName=" + long(65), "ValidationError", "less than or equal to 64"},
		{"CreateUser", "UserName=a/b", "ValidationError", "alphanumeric characters"},
		{"CreateUser", "UserName=x&Path=team", "ValidationError", "path"},
		{"CreateUser", "UserName=x&Path=/" + long(511) + "/", "ValidationError", "path"},
		{"CreateUser", "UserName=x&PermissionsBoundary=", "ValidationError", "'permissionsBoundary' failed to satisfy constraint: Member must not be null"},
		{"DeleteUser", "", "ValidationError", "'userName'"},
		{"UpdateUser", "NewUserName=x", "ValidationError", "'userName'"},
		{"UpdateUser", "UserName=alice&NewUserName=", "ValidationError", "'newUserName'"},
		{"UpdateUser", "UserName=alice&NewPath=x", "ValidationError", "path"},
		{"ListUsers", "PathPrefix=team", "ValidationError", "pathPrefix"},
		{"ListUsers", "MaxItems=0", "ValidationError", "maxItems"},
		{"ListUsers", "MaxItems=1001", "ValidationError", "maxItems"},
		{"ListUsers", "Marker=x", "ValidationError", "Marker"},
		{"UpdateAccessKey", "UserName=alice&AccessKeyId=" + key, "ValidationError", "'status'"},
		{"UpdateAccessKey", "UserName=alice&AccessKeyId=" + key + "&Status=On", "ValidationError", "[Active, Inactive]"},
		{"UpdateAccessKey", "UserName=alice&AccessKeyId=x&Status=Active", "ValidationError", "'accessKeyId'"},
		{"GetAccessKeyLastUsed", "AccessKeyId=" + long(16), "NoSuchEntity", "The Access Key with id"},
		{"CreateGroup", "GroupName=" + long(129), "ValidationError", "'groupName'"},
		{"UpdateGroup", "GroupName=devs&NewGroupName=" + long(129), "ValidationError", "'newGroupName'"},
		{"AddUserToGroup", "GroupName=devs", "ValidationError", "'userName'"},
		{"AddUserToGroup", "UserName=alice", "ValidationError", "'groupName'"},
		{"CreatePolicy", "PolicyName=" + long(129) + "&PolicyDocument={}", "ValidationError", "'policyName'"},
		{"CreatePolicy", "PolicyName=x", "ValidationError", "'policyDocument' failed to satisfy constraint: Member must not be null"},
		{"CreatePolicy", "PolicyName=x&PolicyDocument=" + long(131073), "ValidationError", "less than or equal to 131072"},
		{"CreatePolicy", "PolicyName=x&PolicyDocument=" + url.QueryEscape("\u20ac"), "ValidationError", "printable ASCII"},
		{"CreatePolicy", "PolicyName=x&Description=" + long(1001) + "&PolicyDocument={}", "ValidationError", "'description'"},
		{"CreatePolicyVersion", named + "&SetAsDefault=yes&PolicyDocument={}", "ValidationError", "'setAsDefault'"},
		{"GetPolicyVersion", named + "&VersionId=1", "ValidationError", "'versionId'"},
		{"GetPolicy", "PolicyArn=x", "ValidationError", "greater than or equal to 20"},
		{"GetPolicy", "PolicyArn=arn:aws:iam::aws:policy/" + long(2048), "ValidationError", "less than or equal to 2048"},
		{"GetPolicy", "PolicyArn=arn:aws:iam::aws:role/administrator", "InvalidInput", "ARN arn:aws:iam::aws:role/administrator is not valid."},
		{"GetPolicy", "PolicyArn=AmazonEKSClusterPolicy", "ValidationError", "Invalid ARN:  Could not be parsed!"},
		{"AttachUserPolicy", "UserName=alice&PolicyArn=nothing-valid-in-here", "ValidationError", "Invalid ARN:  Could not be parsed!"},
		{"PutUserPermissionsBoundary", "UserName=alice&PermissionsBoundary=nothing-valid-in-here", "ValidationError", "Invalid ARN:  Could not be parsed!"},
		{"ListPolicies", "Scope=Mine", "ValidationError", "[All, AWS, Local]"},
		{"ListPolicies", "OnlyAttached=1", "ValidationError", "'onlyAttached'"},
		{"ListPolicies", "PolicyUsageFilter=x", "ValidationError", "'policyUsageFilter'"},
		{"ListEntitiesForPolicy", named + "&EntityFilter=Users", "ValidationError", "'entityFilter'"},
		{"AttachUserPolicy", "UserName=alice", "ValidationError", "'policyArn'"},
		{"PutUserPermissionsBoundary", "UserName=alice", "ValidationError", "'permissionsBoundary'"},
		{"PutUserPolicy", "UserName=alice&PolicyName=a/b&PolicyDocument={}", "ValidationError", "policyName"},
		{"PutUserPolicy", "UserName=alice&PolicyName=x", "ValidationError", "'policyDocument'"},
		{"TagUser", "UserName=alice", "ValidationError", "'tags'"},
		{"TagUser", "UserName=alice&Tags.member.1.Key=a", "ValidationError", "a key and a value"},
		{"UntagUser", "UserName=alice", "ValidationError", "'tagKeys'"},
	} {
		code, message := askIAM(t, s, s.SDK(), test.action, test.form)
		if code != test.code || !strings.Contains(message, test.part) {
			t.Errorf("%s %.80s: %s: %s; want %s: %s", test.action, test.form, code, message, test.code, test.part)
		}
	}
}

func tags(pairs ...string) (list []iamtypes.Tag) {
	for i := 0; i < len(pairs); i += 2 {
		list = append(list, iamtypes.Tag{Key: &pairs[i], Value: &pairs[i+1]})
	}
	return list
}

func TestTags(t *testing.T) {
	s := start(t, localaws.Config{})
	makeEntities(t, s)
	client, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	user, role, arn := aws.String("alice"), aws.String("deployer"), aws.String("arn:aws:iam::"+account+":policy/team/ec2")
	for kind, of := range map[string]struct {
		tag   func([]iamtypes.Tag) error
		untag func(...string) error
		list  func() ([]iamtypes.Tag, error)
	}{
		"user": {
			func(list []iamtypes.Tag) error {
				return errorOf(client.TagUser(ctx, &iam.TagUserInput{UserName: user, Tags: list}))
			},
			func(keys ...string) error {
				return errorOf(client.UntagUser(ctx, &iam.UntagUserInput{UserName: user, TagKeys: keys}))
			},
			func() ([]iamtypes.Tag, error) {
				answer, err := client.ListUserTags(ctx, &iam.ListUserTagsInput{UserName: user})
				return answer.Tags, err
			},
		},
		"role": {
			func(list []iamtypes.Tag) error {
				return errorOf(client.TagRole(ctx, &iam.TagRoleInput{RoleName: role, Tags: list}))
			},
			func(keys ...string) error {
				return errorOf(client.UntagRole(ctx, &iam.UntagRoleInput{RoleName: role, TagKeys: keys}))
			},
			func() ([]iamtypes.Tag, error) {
				answer, err := client.ListRoleTags(ctx, &iam.ListRoleTagsInput{RoleName: role})
				return answer.Tags, err
			},
		},
		"policy": {
			func(list []iamtypes.Tag) error {
				return errorOf(client.TagPolicy(ctx, &iam.TagPolicyInput{PolicyArn: arn, Tags: list}))
			},
			func(keys ...string) error {
				return errorOf(client.UntagPolicy(ctx, &iam.UntagPolicyInput{PolicyArn: arn, TagKeys: keys}))
			},
			func() ([]iamtypes.Tag, error) {
				answer, err := client.ListPolicyTags(ctx, &iam.ListPolicyTagsInput{PolicyArn: arn})
				return answer.Tags, err
			},
		},
	} {
		t.Run(kind, func(t *testing.T) {
			has := func(want ...string) {
				t.Helper()
				list, err := of.list()
				must(t, err)
				var got []string
				for _, tag := range list {
					got = append(got, *tag.Key, *tag.Value)
				}
				if !slices.Equal(got, want) {
					t.Errorf("%q, want %q", got, want)
				}
			}
			has()
			wantCode(t, "", of.tag(tags("team", "a", "Department", "x")))
			has("Department", "x", "team", "a")
			wantCode(t, "", of.tag(tags("DEPARTMENT", "y", "empty", "")))
			has("DEPARTMENT", "y", "empty", "", "team", "a")
			wantCode(t, "", of.untag("Team", "no such"))
			has("DEPARTMENT", "y", "empty", "")

			var many []string
			for i := range 51 {
				many = append(many, "key"+strconv.Itoa(i), "v")
			}
			wantCode(t, "ValidationError", of.tag(tags(many...)))
			wantCode(t, "LimitExceeded", of.tag(tags(many[:98]...))) // plus two existing ones
			wantCode(t, "", of.tag(tags(many[:96]...)))
			wantCode(t, "ValidationError", of.tag(tags("", "v")))
			wantCode(t, "ValidationError", of.tag(tags("a*b", "v")))
			wantCode(t, "ValidationError", of.tag(tags("key1", "<")))
			wantCode(t, "ValidationError", of.tag(tags(strings.Repeat("x", 129), "v")))
			wantCode(t, "ValidationError", of.tag(tags("key1", strings.Repeat("x", 257))))
			wantCode(t, "", of.tag(tags("key1", strings.Repeat("\u00fc", 256))))
			wantCode(t, "InvalidInput", of.tag(tags("key1", "a", "KEY1", "b")))
			wantCode(t, "InvalidInput", of.tag(tags("aws:key1", "a")))
		})
	}
	wantCode(t, "NoSuchEntity", errorOf(client.TagUser(ctx, &iam.TagUserInput{UserName: aws.String("bob"), Tags: tags("a", "b")})))
	wantCode(t, "NoSuchEntity", errorOf(client.UntagUser(ctx, &iam.UntagUserInput{UserName: aws.String("bob"), TagKeys: []string{"a"}})))
	wantCode(t, "NoSuchEntity", errorOf(client.ListUserTags(ctx, &iam.ListUserTagsInput{UserName: aws.String("bob")})))
	wantCode(t, "AccessDenied", errorOf(client.TagPolicy(ctx, &iam.TagPolicyInput{PolicyArn: aws.String("arn:aws:iam::aws:policy/ReadOnlyAccess"), Tags: tags("a", "b")})))
}

// TestTagConditions checks permissions that depend on the tags of users, roles and
// policies, or on tags in the request.
func TestTagConditions(t *testing.T) {
	s := start(t, localaws.Config{})
	makeEntities(t, s)
	admin, ctx := iam.NewFromConfig(s.SDK()), t.Context()
	user, role, policy := aws.String("alice"), aws.String("deployer"), aws.String("arn:aws:iam::"+account+":policy/team/ec2")
	client := iam.NewFromConfig(newUser(t, s, "tagger", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":"iam:TagUser","Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/team":["a","b"]}}},
		{"Effect":"Allow","Action":"iam:UntagUser","Resource":"*","Condition":{"ForAllValues:StringEquals":{"aws:TagKeys":"other"}}},
		{"Effect":"Allow","Action":"iam:Get*","Resource":"*","Condition":{"StringEquals":{"aws:ResourceTag/team":"a"}}},
		{"Effect":"Allow","Action":"iam:Delete*","Resource":"*","Condition":{"StringEquals":{"iam:ResourceTag/team":"b"}}}]}`))
	tag := func(pairs ...string) error {
		return errorOf(client.TagUser(ctx, &iam.TagUserInput{UserName: user, Tags: tags(pairs...)}))
	}
	untag := func(keys ...string) error {
		return errorOf(client.UntagUser(ctx, &iam.UntagUserInput{UserName: user, TagKeys: keys}))
	}
	attempts := func(want map[string]string) {
		t.Helper()
		wantCode(t, want["get"], errorOf(client.GetUser(ctx, &iam.GetUserInput{UserName: user})))
		wantCode(t, want["get"], errorOf(client.GetRole(ctx, &iam.GetRoleInput{RoleName: role})))
		wantCode(t, want["get"], errorOf(client.GetPolicy(ctx, &iam.GetPolicyInput{PolicyArn: policy})))
		wantCode(t, want["delete"], errorOf(client.DeleteUserPolicy(ctx, &iam.DeleteUserPolicyInput{UserName: user, PolicyName: aws.String("x")})))
		wantCode(t, want["delete"], errorOf(client.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: role, PolicyName: aws.String("x")})))
		wantCode(t, want["delete"], errorOf(client.DeletePolicyVersion(ctx, &iam.DeletePolicyVersionInput{PolicyArn: policy, VersionId: aws.String("v2")})))
	}
	const denied, allowed = "AccessDenied", "NoSuchEntity" // when allowed, the thing to delete does not exist
	wantCode(t, "", tag("team", "a", "other", "c"))
	wantCode(t, denied, tag("team", "c"))
	wantCode(t, denied, tag("other", "c"))
	wantCode(t, "", untag("other"))
	wantCode(t, denied, untag("other", "team"))
	for value, want := range map[string]map[string]string{
		"a": {"get": "", "delete": denied}, "b": {"get": denied, "delete": allowed}, "c": {"get": denied, "delete": denied},
	} {
		must(t, errorOf(admin.TagUser(ctx, &iam.TagUserInput{UserName: user, Tags: tags("Team", value)})))
		must(t, errorOf(admin.TagRole(ctx, &iam.TagRoleInput{RoleName: role, Tags: tags("Team", value)})))
		must(t, errorOf(admin.TagPolicy(ctx, &iam.TagPolicyInput{PolicyArn: policy, Tags: tags("Team", value)})))
		attempts(want)
	}
}

func TestTagsAtCreationNeedPermission(t *testing.T) {
	s := start(t, localaws.Config{})
	const own = "arn:aws:iam::" + account + ":"
	client, ctx := iam.NewFromConfig(newUser(t, s, "maker", `{"Version":"2012-10-17","Statement":[
		{"Effect":"Allow","Action":["iam:CreateUser","iam:CreatePolicy"],"Resource":"*"},
		{"Effect":"Allow","Action":"iam:TagUser","Resource":"*","Condition":{"StringEquals":{"aws:RequestTag/team":"a"}}}]}`)), t.Context()
	user := func(name string, tags []iamtypes.Tag) error {
		return errorOf(client.CreateUser(ctx, &iam.CreateUserInput{UserName: &name, Tags: tags}))
	}
	policy := func(name string, tags []iamtypes.Tag) error {
		return errorOf(client.CreatePolicy(ctx, &iam.CreatePolicyInput{PolicyName: &name, PolicyDocument: aws.String(document), Tags: tags}))
	}
	wantCode(t, "", user("a", nil))
	wantCode(t, "", user("b", tags("team", "a")))
	wantMessage(t, "AccessDenied", "iam:TagUser on resource: "+own+"user/c because", user("c", tags("team", "b")))
	wantCode(t, "NoSuchEntity", errorOf(iam.NewFromConfig(s.SDK()).GetUser(ctx, &iam.GetUserInput{UserName: aws.String("c")})))
	wantCode(t, "", policy("a", nil))
	wantMessage(t, "AccessDenied", "iam:TagPolicy on resource: "+own+"policy/b because", policy("b", tags("team", "a")))
}
