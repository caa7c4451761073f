package lab

import "strings"

// The story of the tour: how an engineer whose user lives in AWS IAM is let in
// to a cluster. The commands are run by a shell exactly as they stand here.

const (
	storyUser = "kubedemy"
	userARN   = "arn:aws:iam::" + Account + ":user/" + storyUser
)

// A step of the story.
type step struct {
	title string
	// commands are what one types, each run by itself.
	commands []string
	// answers are typed at the prompts of the commands.
	answers func(*accessKey) string
	// sdk does the same through the AWS SDK, where the AWS CLI is not installed;
	// it takes the place of the commands that begin with "aws ". Nil: there are none.
	sdk func(*tour) sdkCall
	// why is one sentence on what the step is for.
	why string
}

func story() []step {
	return []step{
		{
			title:    "Create an IAM user",
			commands: []string{`aws iam create-user --user-name kubedemy --tags Key=owner,Value=kubedemy`},
			sdk:      (*tour).createUser,
			why:      "The user exists in AWS only; Kubernetes has no user objects and knows nothing of it.",
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
			why:      "The secret signs the user's requests and is shown this once (this one is worth nothing outside the lab).",
		},
		{
			title: "Map it in aws-auth",
			commands: []string{
				`cat <<EOF2 > aws-auth.yaml
` + awsAuth + `EOF2`,
				`kubectl apply -f aws-auth.yaml`,
			},
			why: "The ConfigMap says who an IAM identity is in Kubernetes; the node role that was there is kept, since without it the nodes are lost.",
		},
		{
			title:    "Configure the CLI with the new key",
			commands: []string{`aws configure`},
			answers: func(key *accessKey) string {
				return key.ID + "\n" + key.Secret + "\n" + Region + "\njson\n"
			},
			sdk: (*tour).configure,
			why: "From here on the shell is the new user; the administrator stays reachable as profile admin.",
		},
		{
			title: "Get a kubeconfig and sign in",
			commands: []string{
				`aws eks update-kubeconfig --name kubedemy`,
				`kubectl auth whoami`,
			},
			sdk: (*tour).updateKubeconfig,
			why: "kubectl ran a plugin that signed a request to AWS STS, the API server showed it to the authenticator, and STS told that one whose it is.",
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

// nodeRoleEntry is what a node group writes into aws-auth when it is made.
const nodeRoleEntry = `    - rolearn: arn:aws:iam::231144931069:role/` + nodeRole + `
      username: system:node:{{EC2PrivateDNSName}}
      groups:
        - system:bootstrappers
        - system:nodes
`

// unindented is the entry as it stands inside the ConfigMap.
func unindented(entry string) string {
	return strings.ReplaceAll(strings.TrimPrefix(entry, "    "), "\n    ", "\n")
}
