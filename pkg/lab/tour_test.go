package lab

import (
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"k8s.io/client-go/tools/clientcmd/api"
	"sigs.k8s.io/yaml"

	"github.com/kube-iam/authenticator/pkg/lab/internal/kubeconfig"
)

// TestStory checks that the commands fit together: each reads files that one
// before it wrote, and names the story's user and the lab's cluster.
func TestStory(t *testing.T) {
	t.Parallel()
	written := map[string]bool{}
	for _, step := range story() {
		if step.title == "" || !strings.HasSuffix(step.why, ".") || strings.ContainsAny(step.why, "\n") {
			t.Errorf("step %q: %q is not one sentence", step.title, step.why)
		}
		if needed := slices.ContainsFunc(step.commands, isAWS); needed != (step.sdk != nil) {
			t.Errorf("step %q: has an equivalent SDK call: %v", step.title, step.sdk != nil)
		}
		for _, command := range step.commands {
			if text, ok := strings.CutPrefix(command, "cat <<EOF2 > "); ok {
				file, content, _ := strings.Cut(text, "\n")
				if !strings.HasSuffix(content, "\nEOF2") {
					t.Errorf("the text of %s never ends", file)
				}
				written[file] = true
				continue
			}
			for option, value := range options(command) {
				file, isFile := strings.CutPrefix(value, "file://")
				switch {
				case (isFile || option == "-f") && !written[file]:
					t.Errorf("%s: no command before it writes %s", command, file)
				case option == "--user-name" && value != storyUser, option == "--name" && value != ClusterName:
					t.Errorf("%s: the story's user is %s, the lab's cluster %s", command, storyUser, ClusterName)
				}
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
	for _, step := range story() {
		for _, command := range step.commands {
			if strings.HasPrefix(command, "aws iam ") {
				maps.Copy(said, options(command))
			}
		}
		if slices.ContainsFunc(step.commands, func(command string) bool { return strings.HasPrefix(command, "aws iam ") }) {
			if _, err := step.sdk(walk)(t.Context()); err != nil {
				t.Fatalf("step %q: %v", step.title, err)
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
	t.Parallel()
	var policy struct{ Statement []struct{ Resource string } }
	if err := json.Unmarshal([]byte(describePolicy), &policy); err != nil {
		t.Fatal(err)
	}
	if got := policy.Statement[0].Resource; got != ClusterARN {
		t.Errorf("the policy is for %s, the lab's cluster is %s", got, ClusterARN)
	}
	var configMap struct{ Data map[string]string }
	if err := yaml.Unmarshal([]byte(awsAuth), &configMap); err != nil {
		t.Fatal(err)
	}
	if got, want := configMap.Data["mapRoles"], unindented(nodeRoleEntry); got != want {
		t.Errorf("step 4 does not keep the node role:\n%s\nwas\n%s", got, want)
	}
	var users []struct{ UserARN, Username string }
	if err := yaml.Unmarshal([]byte(configMap.Data["mapUsers"]), &users); err != nil {
		t.Fatal(err)
	}
	if len(users) != 1 || users[0].UserARN != userARN || users[0].Username != storyUser {
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
	for range 2 {
		if err := walk.startOver(t.Context()); err != nil {
			t.Fatal(err)
		}
		users, err := client.ListUsers(t.Context(), &iam.ListUsersInput{})
		if err != nil {
			t.Fatal(err)
		}
		for _, user := range users.Users {
			if aws.ToString(user.UserName) == storyUser {
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
	}
}
