package localaws_test

import (
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

// TestEC2RegionKey checks that every permission of EC2 has the condition key ec2:Region.
func TestEC2RegionKey(t *testing.T) {
	s := start(t, localaws.Config{})
	if _, err := ec2.NewFromConfig(s.SDK()).ImportKeyPair(t.Context(), &ec2.ImportKeyPairInput{
		KeyName:           aws.String("k"),
		PublicKeyMaterial: []byte("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJmhjKmwiM5Qnl5uzSmn9ER28VNuZVTlNiFgvUOVnyZs"),
	}); err != nil {
		t.Fatal(err)
	}
	here := ec2.NewFromConfig(newUser(t, s, "here", statements(`{"Effect":"Allow","Action":"ec2:*","Resource":"*","Condition":{"StringEquals":{"ec2:Region":"eu-west-2"}}}`)))
	if _, err := here.DescribeInstances(t.Context(), nil); err != nil {
		t.Error(err)
	}
	made, err := here.RunInstances(t.Context(), launch(named("n"), func(i *ec2.RunInstancesInput) { i.KeyName = aws.String("k") }))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := here.CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: []string{*made.Instances[0].InstanceId}, Tags: []ec2types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}); err != nil {
		t.Error(err)
	}
	elsewhere := func(o *ec2.Options) { o.Region = "eu-west-1" }
	if _, err := here.DescribeInstances(t.Context(), nil, elsewhere); code(err) != "UnauthorizedOperation" {
		t.Error(err)
	}
}

// TestImageKeys checks the condition keys of an image that is launched.
func TestImageKeys(t *testing.T) {
	s := start(t, localaws.Config{})
	client := ec2.NewFromConfig(newUser(t, s, "bob", statements(
		`{"Effect":"Allow","Action":"ec2:RunInstances","NotResource":"arn:aws:ec2:*::image/*"}`,
		`{"Effect":"Allow","Action":"ec2:RunInstances","Resource":"arn:aws:ec2:*::image/*","Condition":{
			"StringEquals":{"ec2:Owner":"amazon","ec2:ImageType":"machine","ec2:RootDeviceType":"ebs","ec2:ImageID":"`+image+`"},
			"Bool":{"ec2:Public":"true"},"StringNotEquals":{"aws:ResourceAccount":"`+account+`"},"Null":{"aws:ResourceAccount":"false"}}}`)))
	if _, err := client.RunInstances(t.Context(), launch()); err != nil {
		t.Error(err)
	}
}
