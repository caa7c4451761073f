//go:build e2e

package e2e

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/pkg/lab"
	"github.com/kube-iam/authenticator/pkg/token"
)

// TestStory is the story that must always work, its commands as typed, once
// for every AWS CLI of this machine.
func TestStory(t *testing.T) {
	for _, aws := range awsCLIs(t) {
		t.Run(strings.ReplaceAll(strings.Trim(aws, "/"), "/", "-"), func(t *testing.T) { story(newShell(t, aws)) })
	}
}

// TestStoryByEndpointURL is the same story by a CLI that is led to the local AWS
// by AWS_ENDPOINT_URL, and so puts that URL into its tokens. The others are led
// by the proxy to the same lab.
func TestStoryByEndpointURL(t *testing.T) {
	s := newShell(t, awsCLI1(t))
	s.leadByEndpointURL()
	story(s)
	signed, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(s.bearerToken("kubedemy"), token.Prefix))
	if err != nil || !strings.HasPrefix(string(signed), suite.Info().AWS+"/?") {
		t.Errorf("the token does not name %s (%v)", suite.Info().AWS, err)
	}
}

// story walks its six steps.
func story(s *shell) {
	t := s.t
	t.Log(strings.TrimSpace(s.run("aws --version 2>&1")))
	t.Cleanup(func() { forgetUser(t, "kubedemy") })
	keepAWSAuth(t)

	// 1. Create an IAM user
	s.run(`aws iam create-user --user-name kubedemy --tags Key=owner,Value=kubedemy`)

	// 2. Allow it to describe the cluster
	s.run(`cat <<EOF2 > describe-kubedemy-cluster.json
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
EOF2`)
	s.run(`aws iam put-user-policy --user-name kubedemy --policy-name Describe_Kubedemy_Cluster --policy-document file://describe-kubedemy-cluster.json`)

	// 3. Create its access key
	var created struct {
		AccessKey struct {
			ID              string `json:"AccessKeyId"`
			SecretAccessKey string
		}
	}
	s.decode(`aws iam create-access-key --user-name kubedemy`, &created)

	// 4. Map it in aws-auth
	s.write("aws-auth.yaml", `apiVersion: v1
kind: ConfigMap
metadata:
  name: aws-auth
  namespace: kube-system
data:
  # mapRoles: | …
  mapUsers: |
    - userarn: arn:aws:iam::231144931069:user/kubedemy
      username: kubedemy
      groups:
        - system:masters
`)
	s.run(`kubectl apply -f aws-auth.yaml`)

	// 5. Configure the CLI with the new key
	s.run(`aws configure`, created.AccessKey.ID, created.AccessKey.SecretAccessKey, "eu-west-2", "json")

	// 6. Get a kubeconfig and sign in
	added := s.run(`aws eks update-kubeconfig --name kubedemy`)
	if !strings.Contains(added, "Added new context "+lab.ClusterARN) {
		t.Errorf("update-kubeconfig printed %q", added)
	}
	table := s.run(`kubectl auth whoami`)
	for _, want := range []string{"kubedemy", "[system:masters system:authenticated]", "[arn:aws:iam::231144931069:user/kubedemy]"} {
		if !strings.Contains(table, want) {
			t.Errorf("kubectl auth whoami does not print %q:\n%s", want, table)
		}
	}

	user := s.whoami("")
	if user.Username != "kubedemy" {
		t.Errorf("Username = %q", user.Username)
	}
	if want := []string{"system:masters", "system:authenticated"}; !slices.Equal(user.Groups, want) {
		t.Errorf("Groups = %q, want %q", user.Groups, want)
	}
	if !strings.HasPrefix(user.UID, "aws-iam-authenticator:231144931069:AIDA") {
		t.Errorf("UID = %q", user.UID)
	}
	for key, want := range map[string]string{
		"arn":          "arn:aws:iam::231144931069:user/kubedemy",
		"canonicalArn": "arn:aws:iam::231144931069:user/kubedemy",
		"sessionName":  "",
		"accessKeyId":  created.AccessKey.ID,
	} {
		if got := user.Extra[key]; len(got) != 1 || got[0] != want {
			t.Errorf("Extra[%q] = %q, want [%q]", key, got, want)
		}
	}
}

// TestDescribeClusterNeedsThePolicy leaves step 2 out: local AWS really checks.
func TestDescribeClusterNeedsThePolicy(t *testing.T) {
	s := newShell(t, awsCLIs(t)[0])
	newUser(t, "no-policy").configure(s)
	s.fails("aws eks update-kubeconfig --name kubedemy", "AccessDeniedException")
}

// TestTour runs what a learner runs: the tour itself, with and without an AWS CLI.
func TestTour(t *testing.T) {
	lab := filepath.Join("..", "bin", "lab")
	absolute, err := filepath.Abs(lab)
	if err != nil {
		t.Fatal(err)
	}
	for name, path := range map[string]string{"with the AWS CLI": "", "without": "/nowhere"} {
		t.Run(name, func(t *testing.T) {
			s := newShell(t, awsCLIs(t)[0])
			if path != "" {
				s.hideAWS()
			}
			t.Cleanup(func() { forgetUser(t, "kubedemy") })
			keepFiles(t)
			keepAWSAuth(t)
			output := s.run(absolute + " tour --dir " + suite.Info().Dir)
			for _, want := range []string{"6/6", "Username", "kubedemy", "[system:masters system:authenticated]", "[arn:aws:iam::231144931069:user/kubedemy]"} {
				if !strings.Contains(output, want) {
					t.Errorf("the tour does not print %q:\n%s", want, output)
				}
			}
			if said := strings.Contains(output, "not installed"); said != (path != "") {
				t.Errorf("the tour says that the AWS CLI is missing: %v", said)
			}
		})
	}
}

// keepFiles puts the lab's own files back when the test ends: the tour works with
// them, and every shell begins with a copy.
func keepFiles(t *testing.T) {
	t.Helper()
	for _, path := range filesOf(suite) {
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Error(err)
			}
		})
	}
}
