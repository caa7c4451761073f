package ec2names

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go/transport/http"
)

// LazyClient returns a function that creates the EC2 client at its first call, and
// tries again after a failure. Many servers never need one.
func LazyClient(roleARN, sourceARN string) func(context.Context) (ec2.DescribeInstancesAPIClient, error) {
	var mu sync.Mutex
	var client *ec2.Client
	return func(ctx context.Context) (ec2.DescribeInstancesAPIClient, error) {
		mu.Lock()
		defer mu.Unlock()
		if client != nil {
			return client, nil
		}
		loaded, err := loadAWS(ctx)
		if err != nil {
			return nil, err
		}
		if roleARN != "" {
			if loaded.Credentials, err = assumedRole(loaded, roleARN, sourceARN); err != nil {
				return nil, err
			}
		}
		client = ec2.NewFromConfig(loaded)
		return client, nil
	}
}

func loadAWS(ctx context.Context) (aws.Config, error) {
	loaded, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return aws.Config{}, fmt.Errorf("loading the AWS configuration: %w", err)
	}
	if loaded.Region == "" {
		answer, err := imds.NewFromConfig(loaded).GetRegion(ctx, &imds.GetRegionInput{})
		if err != nil {
			return aws.Config{}, errors.New("finding the region of the instances: neither $AWS_REGION nor the instance metadata service names it (set $AWS_REGION)")
		}
		loaded.Region = cmp.Or(answer.Region, loaded.Region)
	}
	return loaded, nil
}

// assumedRole returns the credentials of a role. The source ARN tells the role's trust
// policy on whose behalf the role is assumed.
func assumedRole(loaded aws.Config, roleARN, sourceARN string) (aws.CredentialsProvider, error) {
	client := sts.NewFromConfig(loaded)
	if sourceARN != "" {
		source, err := arn.Parse(sourceARN)
		if err != nil {
			return nil, fmt.Errorf("reading server.sourceARN: %w", err)
		}
		client = sts.NewFromConfig(loaded, func(o *sts.Options) {
			o.APIOptions = append(o.APIOptions,
				http.SetHeaderValue("x-amz-source-arn", sourceARN), http.SetHeaderValue("x-amz-source-account", source.AccountID))
		})
	}
	return aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(client, roleARN)), nil
}
