// Package story is the story of the tour as data: the six steps that give an engineer
// with a user in AWS IAM access to a cluster. The tour runs them, and the end-to-end
// tests run them with every AWS CLI.
package story

import "strings"

// User is the IAM user of the story, and Policy its policy document.
const (
	User   = "kubedemy"
	Policy = `{
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Resource": "arn:aws:eks:eu-west-2:231144931069:cluster/kubedemy",
            "Action": "eks:DescribeCluster"
        }
    ]
}
`
)

// AWSAuth is the aws-auth that maps the user.
const AWSAuth = `apiVersion: v1
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
`

// A Step is a step of the story.
type Step struct {
	Title string
	// Commands are shell commands, run one after the other exactly as they are
	// written.
	Commands []string
	// answers are typed at the prompts of the commands. keyID and secret are
	// placeholders for the access key that an earlier step created.
	answers []string
	// Why explains the step in one sentence.
	Why string
}

const (
	keyID  = "$AccessKeyId"
	secret = "$SecretAccessKey"
)

// Answers returns what is typed at the prompts of the step's commands, given the
// access key that the story has created. It is empty if the commands prompt for
// nothing.
func (s Step) Answers(accessKeyID, secretAccessKey string) []string {
	var typed []string
	for _, answer := range s.answers {
		typed = append(typed, strings.NewReplacer(keyID, accessKeyID, secret, secretAccessKey).Replace(answer))
	}
	return typed
}

// Steps returns the six steps.
func Steps() []Step {
	return []Step{
		{
			Title:    "Create an IAM user",
			Commands: []string{`aws iam create-user --user-name kubedemy --tags Key=owner,Value=kubedemy`},
			Why:      "The user exists only in AWS; Kubernetes has no user objects and does not know it.",
		},
		{
			Title: "Allow it to describe the cluster",
			Commands: []string{
				"cat <<EOF2 > describe-kubedemy-cluster.json\n" + Policy + "EOF2",
				`aws iam put-user-policy --user-name kubedemy --policy-name Describe_Kubedemy_Cluster --policy-document file://describe-kubedemy-cluster.json`,
			},
			Why: "Only update-kubeconfig needs this, to learn the cluster's endpoint and CA; signing in needs no IAM permission at all.",
		},
		{
			Title:    "Create its access key",
			Commands: []string{`aws iam create-access-key --user-name kubedemy`},
			Why:      "The secret signs the user's requests and is shown only once (this one works only in the lab).",
		},
		{
			Title: "Map it in aws-auth",
			Commands: []string{
				"cat <<EOF2 > aws-auth.yaml\n" + AWSAuth + "EOF2",
				`kubectl apply -f aws-auth.yaml`,
			},
			Why: "The ConfigMap maps IAM identities to Kubernetes users; the entry of the node role stays, because the nodes cannot sign in without it.",
		},
		{
			Title:    "Configure the CLI with the new key",
			Commands: []string{`aws configure`},
			answers:  []string{keyID, secret, "eu-west-2", "json"},
			Why:      "From here on, the shell acts as the new user; profile admin is still the administrator.",
		},
		{
			Title: "Get a kubeconfig and sign in",
			Commands: []string{
				`aws eks update-kubeconfig --name kubedemy`,
				`kubectl auth whoami`,
			},
			Why: "kubectl ran a plugin that signed a request to AWS STS, the API server passed it to the authenticator, and STS told the authenticator who signed it.",
		},
	}
}
