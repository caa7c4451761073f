package lab

import "strings"

// The story of the tour: an engineer with a user in AWS IAM gets access to a
// cluster. A shell runs the commands exactly as they are written here.

const (
	storyUser = "kubedemy"
	userARN   = "arn:aws:iam::" + Account + ":user/" + storyUser
)

// A step of the story.
type step struct {
	title string
	// commands are shell commands, run one after the other.
	commands []string
	// answers returns the input for the commands' prompts.
	answers func(*accessKey) string
	// sdk replaces the command that begins with "aws " if the AWS CLI is not
	// installed. Nil means that there is no such command.
	sdk func(*tour) sdkCall
	// why explains the step in one sentence.
	why string
}

func story() []step {
	return []step{
		{
			title:    "Create an IAM user",
			commands: []string{`aws iam create-user --user-name kubedemy --tags Key=owner,Value=kubedemy`},
			sdk:      (*tour).createUser,
			why:      "The user exists only in AWS; Kubernetes has no user objects and does not know it.",
		},
		{
			title: "Allow it to describe the cluster",
			commands: []string{
				`cat <<EOF2 > describe-kubedemy-cluster.json
` + describePolicy + `EOF2`,
				`aws iam put-user-policy --user-name kubedemy --policy-name Describe_Kubedemy_Cluster --policy-document file://describe-kubedemy-cluster.json`,
			},
			sdk: (*tour).putUserPolicy,
			why: "Only update-kubeconfig needs this, to learn the cluster's endpoint and CA; signing in needs no IAM permission at all.",
		},
		{
			title:    "Create its access key",
			commands: []string{`aws iam create-access-key --user-name kubedemy`},
			sdk:      (*tour).createAccessKey,
			why:      "The secret signs the user's requests and is shown only once (this one works only in the lab).",
		},
		{
			title: "Map it in aws-auth",
			commands: []string{
				`cat <<EOF2 > aws-auth.yaml
` + awsAuth + `EOF2`,
				`kubectl apply -f aws-auth.yaml`,
			},
			why: "The ConfigMap maps IAM identities to Kubernetes users; the entry of the node role stays, because the nodes cannot sign in without it.",
		},
		{
			title:    "Configure the CLI with the new key",
			commands: []string{`aws configure`},
			answers: func(key *accessKey) string {
				return key.ID + "\n" + key.Secret + "\n" + Region + "\njson\n"
			},
			sdk: (*tour).configure,
			why: "From here on, the shell acts as the new user; profile admin is still the administrator.",
		},
		{
			title: "Get a kubeconfig and sign in",
			commands: []string{
				`aws eks update-kubeconfig --name kubedemy`,
				`kubectl auth whoami`,
			},
			sdk: (*tour).updateKubeconfig,
			why: "kubectl ran a plugin that signed a request to AWS STS, the API server passed it to the authenticator, and STS told the authenticator who signed it.",
		},
	}
}

const describePolicy = `{
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

const awsAuth = `apiVersion: v1
kind: ConfigMap
metadata:
  name: aws-auth
  namespace: kube-system
data:
  mapRoles: |
` + nodeRoleEntry + `  mapUsers: |
    - userarn: arn:aws:iam::231144931069:user/kubedemy
      username: kubedemy
      groups:
        - system:masters
`

// nodeRoleEntry is the entry that a new node group of EKS writes into aws-auth.
const nodeRoleEntry = `    - rolearn: arn:aws:iam::231144931069:role/` + nodeRole + `
      username: system:node:{{EC2PrivateDNSName}}
      groups:
        - system:bootstrappers
        - system:nodes
`

// unindented returns an entry without the indentation of the ConfigMap's YAML.
func unindented(entry string) string {
	return strings.ReplaceAll(strings.TrimPrefix(entry, "    "), "\n    ", "\n")
}
