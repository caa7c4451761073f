package localawstest_test

import (
	"fmt"
	"os/exec"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/kube-iam/authenticator/pkg/localaws"
	"github.com/kube-iam/authenticator/pkg/localaws/localawstest"
)

const (
	mayDescribe = `{"Version": "2012-10-17", "Statement": [{
		"Effect": "Allow", "Action": "eks:DescribeCluster", "Resource": "arn:aws:eks:*:*:cluster/kubedemy"}]}`
	trustsAccount = `{"Version": "2012-10-17", "Statement": [{
		"Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "sts:AssumeRole"}]}`
	mayAssume = `{"Version": "2012-10-17", "Statement": [{
		"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"}]}`
)

// A user may do only what its policy allows.
func Example() {
	server := localawstest.Start(t, localaws.Config{})
	server.NewCluster(t, "kubedemy", "https://127.0.0.1:6443", []byte("the CA, in PEM"))
	key := server.NewUser(t, "kubedemy", mayDescribe)

	client := eks.NewFromConfig(server.SDKAs(key, ""))
	described, err := client.DescribeCluster(t.Context(), &eks.DescribeClusterInput{Name: aws.String("kubedemy")})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println(*described.Cluster.Endpoint)
	_, err = client.ListClusters(t.Context(), &eks.ListClustersInput{})
	fmt.Println("denied:", err != nil)
	// Output:
	// https://127.0.0.1:6443
	// denied: true
}

// A session expires by the server's clock.
func ExampleServer_NewRole() {
	server := localawstest.Start(t, localaws.Config{})
	role := server.NewRole(t, "Admin", trustsAccount, nil)
	caller := sts.NewFromConfig(server.SDKAs(server.NewUser(t, "alice", mayAssume), ""))
	assumed, err := caller.AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("alice")})
	if err != nil {
		t.Fatal(err)
	}
	key := localaws.AccessKey{ID: *assumed.Credentials.AccessKeyId, Secret: *assumed.Credentials.SecretAccessKey}
	session := sts.NewFromConfig(server.SDKAs(key, *assumed.Credentials.SessionToken))

	who, err := session.GetCallerIdentity(t.Context(), nil)
	fmt.Println(*who.Arn, err)
	server.Clock().Advance(time.Hour)
	_, err = session.GetCallerIdentity(t.Context(), nil)
	fmt.Println("ended:", err != nil)
	// Output:
	// arn:aws:sts::000000000000:assumed-role/Admin/alice <nil>
	// ended: true
}

// Calls fail with the faults, and the trail records the callers.
func ExampleServer_faults() {
	server := localawstest.Start(t, localaws.Config{})
	if _, err := server.Faults().Add(localaws.Fault{Action: "sts:*", Kind: localaws.FaultThrottle, Count: 1}); err != nil {
		t.Fatal(err)
	}
	client := sts.NewFromConfig(server.SDK())
	for range 2 {
		_, _ = client.GetCallerIdentity(t.Context(), nil)
	}
	for _, event := range server.Events() {
		fmt.Printf("%s by %s: %q\n", event.EventName, event.UserIdentity.UserName, event.ErrorCode)
	}
	// Output:
	// GetCallerIdentity by administrator: "Throttling"
	// GetCallerIdentity by administrator: ""
}

// A program that the test starts, such as the AWS CLI, talks to the local AWS.
func ExampleServer_Environment() {
	server := localawstest.Start(t, localaws.Config{Region: "eu-west-2"})
	command := exec.Command("sh", "-c", "echo $AWS_REGION")
	command.Env = server.Environment()
	output, err := command.Output()
	fmt.Print(string(output), err)
	// Output:
	// eu-west-2
	// <nil>
}
