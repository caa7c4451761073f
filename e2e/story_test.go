//go:build e2e

package e2e

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kube-iam/authenticator/internal/story"
	"github.com/kube-iam/authenticator/pkg/lab"
	"github.com/kube-iam/authenticator/pkg/token"
)

// TestStory is the story that must always work, its commands as typed, once
// for every AWS CLI of this machine.
func TestStory(t *testing.T) {
	for _, aws := range awsCLIs(t) {
		t.Run(strings.ReplaceAll(strings.Trim(aws, "/"), "/", "-"), func(t *testing.T) { walk(newShell(t, aws)) })
	}
}

// TestStoryByEndpointURL is the same story by a CLI that is led to the local AWS
// by AWS_ENDPOINT_URL, and so puts that URL into its tokens. The others are led
// by the proxy to the same lab.
func TestStoryByEndpointURL(t *testing.T) {
	s := newShell(t, awsCLI1(t))
	s.leadByEndpointURL()
	walk(s)
	signed, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(s.bearerToken("kubedemy"), token.Prefix))
	if err != nil || !strings.HasPrefix(string(signed), suite.Info().AWS+"/?") {
		t.Errorf("the token does not name %s (%v)", suite.Info().AWS, err)
	}
}

// walk takes the six steps of the story.
func walk(s *shell) {
	t := s.t
	t.Log(strings.TrimSpace(s.run("aws --version 2>&1")))
	t.Cleanup(func() { forgetUser(t, "kubedemy") })
	keepAWSAuth(t)

	var created struct {
		AccessKey struct {
			ID              string `json:"AccessKeyId"`
			SecretAccessKey string
		}
	}
	key := &created.AccessKey
	var table string
	for _, step := range story.Steps() {
		for _, command := range step.Commands {
			switch {
			case strings.Contains(command, "create-access-key"):
				s.decode(command, &created)
			default:
				table = s.run(command, step.Answers(key.ID, key.SecretAccessKey)...)
			}
			if strings.Contains(command, "update-kubeconfig") && !strings.Contains(table, "Added new context "+lab.ClusterARN) {
				t.Errorf("update-kubeconfig printed %q", table)
			}
		}
	}
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
		"accessKeyId":  key.ID,
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
