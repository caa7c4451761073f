package lab

import (
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// TestStory: the commands of the story, as typed by whoever follows it.
func TestStory(t *testing.T) {
	t.Parallel()
	want := []string{
		`aws iam create-user --user-name kubedemy --tags Key=owner,Value=kubedemy`,
		`cat <<EOF2 > describe-kubedemy-cluster.json
{
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Resource": "arn:aws:eks:eu-west-2:231144931069:cluster/kubedemy",
            "Action": "eks:DescribeCluster"
        }
    ]
}
EOF2`,
		`aws iam put-user-policy --user-name kubedemy --policy-name Describe_Kubedemy_Cluster --policy-document file://describe-kubedemy-cluster.json`,
		`aws iam create-access-key --user-name kubedemy`,
		`cat <<EOF2 > aws-auth.yaml
apiVersion: v1
kind: ConfigMap
metadata:
  name: aws-auth
  namespace: kube-system
data:
  mapRoles: |
    - rolearn: arn:aws:iam::231144931069:role/KubedemyNode
      username: system:node:{{EC2PrivateDNSName}}
      groups:
        - system:bootstrappers
        - system:nodes
  mapUsers: |
    - userarn: arn:aws:iam::231144931069:user/kubedemy
      username: kubedemy
      groups:
        - system:masters
EOF2`,
		`kubectl apply -f aws-auth.yaml`,
		`aws configure`,
		`aws eks update-kubeconfig --name kubedemy`,
		`kubectl auth whoami`,
	}
	var got []string
	for _, step := range story() {
		got = append(got, step.commands...)
		if step.title == "" || !strings.HasSuffix(step.why, ".") || strings.ContainsAny(step.why, "\n") {
			t.Errorf("step %q: %q is not one sentence of why", step.title, step.why)
		}
		if needed := slices.ContainsFunc(step.commands, isAWS); needed != (step.sdk != nil) {
			t.Errorf("step %q: the SDK's twin of its aws commands is there: %v", step.title, step.sdk != nil)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the story's commands (-want +got):\n%s", diff)
	}
}

func isAWS(command string) bool { return strings.HasPrefix(command, "aws ") }

// TestStoryFits the lab: what the commands spell out is what the lab holds.
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

// TestTourCanBeTakenAgain on the same local AWS, by the SDK's calls.
func TestTourCanBeTakenAgain(t *testing.T) {
	t.Parallel()
	l := localAWS(t)
	l.info.Kubeconfig = l.path("kubeconfig")
	writeTestKubeconfig(t, l.info.Kubeconfig)
	client, err := l.info.IAM()
	if err != nil {
		t.Fatal(err)
	}
	admin, err := l.files().Administrator()
	if err != nil {
		t.Fatal(err)
	}
	walk := &tour{info: l.info, iam: client}
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
		if kept, err := l.files().Administrator(); err != nil || kept != admin {
			t.Errorf("the profile admin changed: %v, %v", kept, err)
		}
		text, err := os.ReadFile(l.files().Credentials())
		if err != nil {
			t.Fatal(err)
		}
		if first, _, _ := strings.Cut(string(text), "[admin]"); !strings.Contains(first, walk.key.ID) {
			t.Errorf("the default profile is not the new user's:\n%s", first)
		}
	}
}
