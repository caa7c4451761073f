package lab

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/yaml"

	"github.com/kube-iam/authenticator/internal/story"
	"github.com/kube-iam/authenticator/pkg/lab/internal/kubeconfig"
	"github.com/kube-iam/authenticator/pkg/lab/internal/private/privatetest"
)

// TestSDKHasEveryCommand checks that the tour can do without the AWS CLI.
func TestSDKHasEveryCommand(t *testing.T) {
	t.Parallel()
	for _, step := range story.Steps() {
		for _, command := range step.Commands {
			if isAWS(command) != ((&tour{}).sdk(command) != nil) {
				t.Errorf("%s: has an equivalent SDK call: %v", command, !isAWS(command))
			}
		}
	}
}

// options returns the options of a command line, each with the word after it.
func options(command string) map[string]string {
	found := map[string]string{}
	words := strings.Fields(command)
	for i, word := range words[:len(words)-1] {
		if strings.HasPrefix(word, "-") {
			found[word] = words[i+1]
		}
	}
	return found
}

func isAWS(command string) bool { return strings.HasPrefix(command, "aws ") }

// TestSDKDoesWhatTheCommandsSay compares what the SDK calls leave in local AWS with
// the options of the commands that they replace.
func TestSDKDoesWhatTheCommandsSay(t *testing.T) {
	t.Parallel()
	l := localAWS(t)
	client, err := l.info.IAM()
	if err != nil {
		t.Fatal(err)
	}
	walk := &tour{info: l.info, iam: client}
	said := map[string]string{}
	for _, step := range story.Steps() {
		for _, command := range step.Commands {
			if !strings.HasPrefix(command, "aws iam ") {
				continue
			}
			maps.Copy(said, options(command))
			if _, err := walk.sdk(command)(t.Context()); err != nil {
				t.Fatalf("%s: %v", command, err)
			}
		}
	}
	user := aws.String(said["--user-name"])
	tags, err := client.ListUserTags(t.Context(), &iam.ListUserTagsInput{UserName: user})
	if err != nil {
		t.Fatal(err)
	}
	var tagged []string
	for _, tag := range tags.Tags {
		tagged = append(tagged, "Key="+*tag.Key+",Value="+*tag.Value)
	}
	if got := strings.Join(tagged, " "); got != said["--tags"] {
		t.Errorf("the SDK tags the user %s, the command %s", got, said["--tags"])
	}
	if _, err := client.GetUserPolicy(t.Context(), &iam.GetUserPolicyInput{UserName: user, PolicyName: aws.String(said["--policy-name"])}); err != nil {
		t.Errorf("the SDK puts no policy %s: %v", said["--policy-name"], err)
	}
	keys, err := client.ListAccessKeys(t.Context(), &iam.ListAccessKeysInput{UserName: user})
	if err != nil || len(keys.AccessKeyMetadata) != 1 {
		t.Errorf("the SDK makes %v access keys, %v", keys, err)
	}
}

// TestStoryFits checks that the names in the commands are those of the lab.
func TestStoryFits(t *testing.T) {
	const userARN = "arn:aws:iam::" + Account + ":user/" + story.User
	t.Parallel()
	var policy struct{ Statement []struct{ Resource string } }
	if err := json.Unmarshal([]byte(story.Policy), &policy); err != nil {
		t.Fatal(err)
	}
	if got := policy.Statement[0].Resource; got != ClusterARN {
		t.Errorf("the policy is for %s, the lab's cluster is %s", got, ClusterARN)
	}
	var configMap struct{ Data map[string]string }
	if err := yaml.Unmarshal([]byte(story.AWSAuth), &configMap); err != nil {
		t.Fatal(err)
	}
	if got, want := configMap.Data["mapRoles"], NodesMapping(); got != want {
		t.Errorf("step 4 does not keep the node role:\n%s\nwas\n%s", got, want)
	}
	var users []struct{ UserARN, Username string }
	if err := yaml.Unmarshal([]byte(configMap.Data["mapUsers"]), &users); err != nil {
		t.Fatal(err)
	}
	if len(users) != 1 || users[0].UserARN != userARN || users[0].Username != story.User {
		t.Errorf("step 4 maps %v, want %s", users, userARN)
	}
}

func TestKeepAccessKey(t *testing.T) {
	t.Parallel()
	const answer = `{
    "AccessKey": {
        "UserName": "kubedemy",
        "AccessKeyId": "AKIAEXAMPLE",
        "Status": "Active",
        "SecretAccessKey": "secret"
    }
}
`
	for name, test := range map[string]struct {
		output string
		want   accessKey
	}{
		"as the CLI prints it": {answer, accessKey{"AKIAEXAMPLE", "secret"}},
		"after a warning":      {"Note: AWS CLI version 1 is old.\n" + answer, accessKey{"AKIAEXAMPLE", "secret"}},
		"before a warning":     {answer + "urllib3 is old", accessKey{"AKIAEXAMPLE", "secret"}},
		"as text":              {"ACCESSKEY\tAKIAEXAMPLE\tsecret", accessKey{}},
		"nothing":              {"", accessKey{}},
		"something else":       {`{"User":{}}`, accessKey{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			walk := &tour{}
			err := walk.keep([]byte(test.output))
			if (err == nil) != (test.want != accessKey{}) || walk.key != test.want {
				t.Errorf("keep = %v, key %v, want %v", err, walk.key, test.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error shows the secret: %v", err)
			}
		})
	}
}

// TestInterruptedTour checks that the error says why a command was ended.
func TestInterruptedTour(t *testing.T) {
	t.Parallel()
	dir := privatetest.Open(t, privatetest.Path(t))
	if err := dir.Mkdir(tourDir); err != nil {
		t.Fatal(err)
	}
	interrupted := errors.New("interrupt signal received")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(interrupted)
	walk := &tour{dir: dir}
	if _, err := walk.output(ctx, story.Step{}, "exit 0"); !errors.Is(err, interrupted) {
		t.Errorf("the error is %v", err)
	}
}

// TestTourCanBeTakenAgain repeats the tour's SDK calls on the same local AWS.
func TestTourCanBeTakenAgain(t *testing.T) {
	t.Parallel()
	l := localAWS(t)
	if err := kubeconfig.Write(l.dir, kubeconfigFile, administratorContext, &api.Cluster{}, &api.AuthInfo{}); err != nil {
		t.Fatal(err)
	}
	client, err := l.info.IAM()
	if err != nil {
		t.Fatal(err)
	}
	admin, err := l.info.administrator()
	if err != nil {
		t.Fatal(err)
	}
	walk := &tour{info: l.info, dir: l.dir, iam: client}
	for range 3 {
		if err := walk.startOver(t.Context()); err != nil {
			t.Fatal(err)
		}
		users, err := client.ListUsers(t.Context(), &iam.ListUsersInput{})
		if err != nil {
			t.Fatal(err)
		}
		for _, user := range users.Users {
			if aws.ToString(user.UserName) == story.User {
				t.Error("the earlier tour's user is still there")
			}
		}
		for _, call := range []sdkCall{walk.createUser(), walk.putUserPolicy()} {
			if _, err := call(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		printed, err := walk.createAccessKey()(t.Context())
		if err == nil {
			err = walk.keep(printed)
		}
		if err == nil {
			_, err = walk.configure()(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		if kept, err := l.info.administrator(); err != nil || kept != admin {
			t.Errorf("the profile admin changed: %v, %v", kept, err)
		}
		text, err := os.ReadFile(l.info.files().Credentials())
		if err != nil {
			t.Fatal(err)
		}
		if first, _, _ := strings.Cut(string(text), "[admin]"); !strings.Contains(first, walk.key.ID) {
			t.Errorf("the default profile is not the new user's:\n%s", first)
		}
		attachAll(t, client)
	}
}

// attachAll attaches to the story's user what people attach to users. IAM deletes no user
// that has any of it.
func attachAll(t *testing.T, client *iam.Client) {
	t.Helper()
	user, group := aws.String(story.User), aws.String("people")
	_, err := client.CreateGroup(t.Context(), &iam.CreateGroupInput{GroupName: group})
	if _, again := errors.AsType[*types.EntityAlreadyExistsException](err); again {
		err = nil
	}
	if err == nil {
		_, err = client.AddUserToGroup(t.Context(), &iam.AddUserToGroupInput{GroupName: group, UserName: user})
	}
	if err == nil {
		_, err = client.AttachUserPolicy(t.Context(), &iam.AttachUserPolicyInput{UserName: user, PolicyArn: aws.String("arn:aws:iam::aws:policy/AdministratorAccess")})
	}
	if err == nil {
		_, err = client.CreateLoginProfile(t.Context(), &iam.CreateLoginProfileInput{UserName: user, Password: aws.String("Ab1!efgh-ijkl")})
	}
	if err == nil {
		_, err = client.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: user})
	}
	if err != nil {
		t.Fatal(err)
	}
}
