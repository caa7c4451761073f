//go:build e2e

package clients

import (
	"context"
	"fmt"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
)

// callAll makes the tests' calls with aws-sdk-go-v2. The arguments are a user's name
// and perhaps an endpoint, or --version.
func callAll(ctx context.Context, arguments []string, out io.Writer) error {
	user := arguments[0]
	if user == "--version" {
		fmt.Fprintln(out, "aws-sdk-go-v2/"+aws.SDKVersion)
		return nil
	}
	var options []func(*config.LoadOptions) error
	if len(arguments) > 1 {
		options = append(options, config.WithBaseEndpoint(arguments[1]))
	}
	loaded, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return err
	}
	caller, err := sts.NewFromConfig(loaded).GetCallerIdentity(ctx, nil)
	if err != nil {
		return err
	}
	created, err := iam.NewFromConfig(loaded).CreateUser(ctx, &iam.CreateUserInput{UserName: &user})
	if err != nil {
		return err
	}
	clusters, err := eks.NewFromConfig(loaded).ListClusters(ctx, nil)
	if err != nil {
		return err
	}
	instances, err := ec2.NewFromConfig(loaded).DescribeInstances(ctx, nil)
	if err != nil {
		return err
	}
	fmt.Fprintln(out, *caller.Arn, *created.User.Arn, clusters.Clusters, *instances.Reservations[0].Instances[0].InstanceId)
	return nil
}
