package lab

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"k8s.io/client-go/tools/clientcmd/api"

	"github.com/kube-iam/authenticator/internal/story"
	"github.com/kube-iam/authenticator/pkg/lab/internal/kubeconfig"
	"github.com/kube-iam/authenticator/pkg/localaws"
)

// An sdkCall does what a command of the AWS CLI does, and returns what that prints.
type sdkCall func(context.Context) ([]byte, error)

// sdk returns what replaces a command of the AWS CLI where that is not installed, or nil.
func (t *tour) sdk(command string) sdkCall {
	words := strings.Fields(command)
	switch strings.Join(words[:min(3, len(words))], " ") {
	case "aws iam create-user":
		return t.createUser()
	case "aws iam put-user-policy":
		return t.putUserPolicy()
	case "aws iam create-access-key":
		return t.createAccessKey()
	case "aws configure":
		return t.configure()
	case "aws eks update-kubeconfig":
		return t.updateKubeconfig()
	}
	return nil
}

func (t *tour) createUser() sdkCall {
	return func(ctx context.Context) ([]byte, error) {
		answer, err := t.iam.CreateUser(ctx, &iam.CreateUserInput{
			UserName: aws.String(story.User),
			Tags:     []types.Tag{{Key: aws.String("owner"), Value: aws.String("kubedemy")}},
		})
		if err != nil {
			return nil, err
		}
		return printed(map[string]any{"User": answer.User})
	}
}

func (t *tour) putUserPolicy() sdkCall {
	return func(ctx context.Context) ([]byte, error) {
		_, err := t.iam.PutUserPolicy(ctx, &iam.PutUserPolicyInput{
			UserName:       aws.String(story.User),
			PolicyName:     aws.String("Describe_Kubedemy_Cluster"),
			PolicyDocument: aws.String(story.Policy),
		})
		return nil, err
	}
}

func (t *tour) createAccessKey() sdkCall {
	return func(ctx context.Context) ([]byte, error) {
		answer, err := t.iam.CreateAccessKey(ctx, &iam.CreateAccessKeyInput{UserName: aws.String(story.User)})
		if err != nil {
			return nil, err
		}
		return printed(map[string]any{"AccessKey": answer.AccessKey})
	}
}

// configure makes the new key the default one, as `aws configure` does.
func (t *tour) configure() sdkCall {
	return func(context.Context) ([]byte, error) {
		return nil, t.info.useKey(localaws.AccessKey{ID: t.key.ID, Secret: t.key.Secret})
	}
}

// updateKubeconfig adds a context to the kubeconfig, with our credential plugin.
func (t *tour) updateKubeconfig() sdkCall {
	return func(ctx context.Context) ([]byte, error) {
		client, err := t.info.eksAs(t.key)
		if err != nil {
			return nil, err
		}
		answer, err := client.DescribeCluster(ctx, &eks.DescribeClusterInput{Name: aws.String(ClusterName)})
		if err != nil {
			return nil, err
		}
		ca, err := base64.StdEncoding.DecodeString(aws.ToString(answer.Cluster.CertificateAuthority.Data))
		if err != nil {
			return nil, fmt.Errorf("reading the cluster's CA: %w", err)
		}
		cluster := &api.Cluster{Server: aws.ToString(answer.Cluster.Endpoint), CertificateAuthorityData: ca}
		user := &api.AuthInfo{Exec: t.info.plugin()}
		if err := kubeconfig.Merge(t.dir, kubeconfigFile, ClusterARN, cluster, user); err != nil {
			return nil, err
		}
		return fmt.Appendf(nil, "Added new context %s to %s\n", ClusterARN, t.info.Kubeconfig), nil
	}
}

// plugin returns our credential plugin, `authenticator token`, which replaces
// `aws eks get-token`.
func (i Info) plugin() *api.ExecConfig {
	return &api.ExecConfig{
		APIVersion:      "client.authentication.k8s.io/v1",
		Command:         i.Authenticator,
		Args:            []string{"token", "--cluster-id", ClusterName, "--region", Region},
		InteractiveMode: api.NeverExecInteractiveMode,
	}
}

// printed returns a value as the AWS CLI prints it.
func printed(value any) ([]byte, error) {
	return json.MarshalIndent(value, "", "    ")
}
