package localaws_test

import (
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation"
	"github.com/aws/aws-sdk-go-v2/service/cloudformation/types"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

// TestThereIsNoStack checks that lists are empty, and that no named stack exists.
func TestThereIsNoStack(t *testing.T) {
	s := start(t, localaws.Config{})
	ctx, client, name := t.Context(), cloudformation.NewFromConfig(s.SDK()), aws.String("eksctl-c-cluster")
	stacks, err := client.ListStacks(ctx, &cloudformation.ListStacksInput{StackStatusFilter: []types.StackStatus{"CREATE_COMPLETE", "DELETE_FAILED"}})
	if err != nil || len(stacks.StackSummaries) != 0 || stacks.NextToken != nil {
		t.Errorf("%+v, %v", stacks, err)
	}
	if all, err := client.DescribeStacks(ctx, nil); err != nil || len(all.Stacks) != 0 {
		t.Errorf("%+v, %v", all, err)
	}
	if sets, err := client.ListStackSets(ctx, &cloudformation.ListStackSetsInput{Status: "ACTIVE"}); err != nil || len(sets.Summaries) != 0 {
		t.Errorf("%+v, %v", sets, err)
	}
	if exports, err := client.ListExports(ctx, nil); err != nil || len(exports.Exports) != 0 {
		t.Errorf("%+v, %v", exports, err)
	}
	for operation, test := range map[string]struct {
		call    func() error
		message string
	}{
		"DescribeStacks": {func() error {
			_, err := client.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: name})
			return err
		}, "Stack with id eksctl-c-cluster does not exist"},
		"DescribeStackResource": {func() error {
			_, err := client.DescribeStackResource(ctx, &cloudformation.DescribeStackResourceInput{StackName: name, LogicalResourceId: aws.String("VPC")})
			return err
		}, "Stack 'eksctl-c-cluster' does not exist"},
		"DescribeStackResources": {func() error {
			_, err := client.DescribeStackResources(ctx, &cloudformation.DescribeStackResourcesInput{StackName: name})
			return err
		}, "Stack with id eksctl-c-cluster does not exist"},
		"DescribeStackResources of a resource": {func() error {
			_, err := client.DescribeStackResources(ctx, &cloudformation.DescribeStackResourcesInput{PhysicalResourceId: aws.String("vpc-1")})
			return err
		}, "Stack for vpc-1 does not exist"},
		"DescribeStackResources of nothing": {func() error {
			_, err := client.DescribeStackResources(ctx, nil)
			return err
		}, "'stackName' failed to satisfy constraint"},
		"DescribeStackEvents": {func() error {
			_, err := client.DescribeStackEvents(ctx, &cloudformation.DescribeStackEventsInput{StackName: name})
			return err
		}, "Stack [eksctl-c-cluster] does not exist"},
		"ListStackResources": {func() error {
			_, err := client.ListStackResources(ctx, &cloudformation.ListStackResourcesInput{StackName: name})
			return err
		}, "Stack with id eksctl-c-cluster does not exist"},
		"GetTemplate": {func() error {
			_, err := client.GetTemplate(ctx, &cloudformation.GetTemplateInput{StackName: name})
			return err
		}, "Stack with id eksctl-c-cluster does not exist"},
		"ListChangeSets": {func() error {
			_, err := client.ListChangeSets(ctx, &cloudformation.ListChangeSetsInput{StackName: name})
			return err
		}, "Stack [eksctl-c-cluster] does not exist"},
		"a page": {func() error {
			_, err := client.ListStacks(ctx, &cloudformation.ListStacksInput{NextToken: aws.String("x")})
			return err
		}, "The NextToken is invalid."},
	} {
		if err := test.call(); code(err) != "ValidationError" || !strings.Contains(err.Error(), test.message) {
			t.Errorf("%s: %v, want %s", operation, err, test.message)
		}
	}
	if _, err := client.CreateStack(ctx, &cloudformation.CreateStackInput{StackName: name}); code(err) != "InvalidAction" {
		t.Errorf("CreateStack: %v", err)
	}
	bob := cloudformation.NewFromConfig(s.SDKAs(s.NewUser(t, "bob", statement("Allow", "cloudformation:DescribeStacks", "arn:aws:cloudformation:eu-west-2:"+account+":stack/eksctl-*/*")), ""))
	if _, err := bob.DescribeStacks(ctx, &cloudformation.DescribeStacksInput{StackName: name}); code(err) != "ValidationError" {
		t.Errorf("with permission: %v", err)
	}
	if _, err := bob.DescribeStacks(ctx, nil); code(err) != "AccessDenied" || !strings.Contains(err.Error(), "cloudformation:DescribeStacks on resource: * ") {
		t.Errorf("without permission for all stacks: %v", err)
	}
}
