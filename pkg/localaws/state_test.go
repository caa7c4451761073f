package localaws_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/eks"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/kube-iam/authenticator/pkg/localaws"
	"github.com/kube-iam/authenticator/pkg/localaws/localawstest"
)

const trustAccount = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"` + account + `"},"Action":"sts:AssumeRole"}]}`

// TestStateIsKept restarts a local AWS with the same file.
func TestStateIsKept(t *testing.T) {
	file, now := filepath.Join(t.TempDir(), "state.json"), time.Now()
	again := func(s *localawstest.Server) *localawstest.Server {
		t.Helper()
		if s != nil {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
		return start(t, localaws.Config{StateFile: file, Now: func() time.Time { return now }})
	}
	s := again(nil)
	admin := s.Administrator()
	bob := s.NewUser(t, "Bob", statement("Allow", "*", "*"))
	s.NewCluster(t, "c", "https://127.0.0.1:6443", []byte("CA"))
	role := s.NewRole(t, "r", trustAccount, map[string]string{"p": statement("Allow", "eks:*", "*")})
	assumed, err := sts.NewFromConfig(s.SDKAs(bob, "")).AssumeRole(t.Context(), &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("session")})
	if err != nil {
		t.Fatal(err)
	}
	session := localaws.AccessKey{ID: *assumed.Credentials.AccessKeyId, Secret: *assumed.Credentials.SecretAccessKey}
	describe := func() (*eks.DescribeClusterOutput, error) {
		return eks.NewFromConfig(s.SDKAs(session, *assumed.Credentials.SessionToken)).DescribeCluster(t.Context(), &eks.DescribeClusterInput{Name: aws.String("c")})
	}

	s = again(s)
	if s.Administrator() != admin {
		t.Error("the administrator's key changed")
	}
	described, err := describe()
	if err != nil || !strings.HasSuffix(*described.Cluster.Endpoint, ".localaws.invalid") { // the API server is not part of the state
		t.Errorf("the session's role, its policy and the cluster: %+v, %v", described, err)
	}
	if _, err := iam.NewFromConfig(s.SDKAs(bob, "")).DeleteRolePolicy(t.Context(), &iam.DeleteRolePolicyInput{RoleName: aws.String("R"), PolicyName: aws.String("p")}); err != nil {
		t.Errorf("the user, its key and its policy: %v", err)
	}

	s = again(s)
	if _, err := describe(); code(err) != "AccessDeniedException" {
		t.Errorf("the deleted policy still allows: %v", err)
	}
	now = now.Add(2 * time.Hour)
	s = again(s)
	if _, err := describe(); code(err) != "UnrecognizedClientException" {
		t.Errorf("the session has expired: %v", err)
	}
	if text, err := os.ReadFile(file); err != nil || strings.Contains(string(text), session.ID) || !strings.Contains(string(text), bob.ID) {
		t.Errorf("the file has the expired session, or lacks the key: %v", err)
	}
}

// TestStateOfEarlierVersion loads a state file that localaws wrote when it was not yet
// made of services.
func TestStateOfEarlierVersion(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "state-1.json"))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "state.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, localaws.Config{StateFile: file, Region: "eu-west-2"})
	alice := s.SDKAs(localaws.AccessKey{ID: "AKIA45ZPSO3ILQ4QB5BK", Secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}, "")
	if described, err := eks.NewFromConfig(alice).DescribeCluster(t.Context(), &eks.DescribeClusterInput{Name: aws.String("blue")}); err != nil || described.Cluster.Status != "ACTIVE" {
		t.Errorf("her policy and the cluster: %+v, %v", described, err)
	}
	if listed, err := iam.NewFromConfig(alice).ListUsers(t.Context(), &iam.ListUsersInput{}); err != nil || len(listed.Users) != 2 {
		t.Errorf("the policy of her group, and the users: %+v, %v", listed, err)
	}
	admin := iam.NewFromConfig(s.SDK())
	if got, err := admin.GetInstanceProfile(t.Context(), &iam.GetInstanceProfileInput{InstanceProfileName: aws.String("Node")}); err != nil || *got.InstanceProfile.Roles[0].RoleName != "Node" {
		t.Errorf("the instance profile and its role: %+v, %v", got, err)
	}
	if got, err := admin.ListOpenIDConnectProviders(t.Context(), &iam.ListOpenIDConnectProvidersInput{}); err != nil || len(got.OpenIDConnectProviderList) != 1 {
		t.Errorf("the OIDC provider: %+v, %v", got, err)
	}
	described, err := ec2.NewFromConfig(s.SDK()).DescribeInstances(t.Context(), &ec2.DescribeInstancesInput{InstanceIds: []string{"i-037f50bc0fb5f6c38"}})
	if err != nil || !strings.HasSuffix(*described.Reservations[0].Instances[0].IamInstanceProfile.Arn, ":instance-profile/Node") {
		t.Errorf("the instance: %+v, %v", described, err)
	}
}

// TestStateFileIsNotTouched checks that a file that cannot be read is not changed.
func TestStateFileIsNotTouched(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"empty":             {"", "unexpected end of JSON input"},
		"cut":               {`{"version":1,"account":"` + account + `","users":{"bo`, "unexpected end of JSON input at byte"},
		"another account's": {`{"version":1,"account":"000000000000"}`, `it belongs to account "000000000000", not ` + account},
		"another version's": {`{"version":9,"account":"` + account + `"}`, "unsupported version 9 (supported: 1, and 2 for several accounts)"},
	} {
		file := filepath.Join(t.TempDir(), "state.json")
		if err := os.WriteFile(file, []byte(test.text), 0o600); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the first failure must release the lock
			_, err := localaws.New(localaws.Config{AccountID: account, StateFile: file})
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), file+" is unchanged: replace it with a valid one, or move it away") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if text, err := os.ReadFile(file); err != nil || string(text) != test.text {
			t.Errorf("%s: the file is now %q, %v", name, text, err)
		}
	}
	if _, err := localaws.New(localaws.Config{StateFile: t.TempDir()}); err == nil {
		t.Error("a directory was accepted as a state file")
	}
}

// TestStateFileHasOneServer checks that one server at a time uses a file.
func TestStateFileHasOneServer(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	first := start(t, localaws.Config{StateFile: file})
	if _, err := localaws.New(localaws.Config{AccountID: account, StateFile: file}); !errors.Is(err, localaws.ErrInUse) || !strings.Contains(err.Error(), file) {
		t.Error(err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	start(t, localaws.Config{StateFile: file})
}

// TestReadsAndFailuresSaveNothing checks that reads and failed calls do not write
// the file.
func TestReadsAndFailuresSaveNothing(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	s := start(t, localaws.Config{StateFile: file})
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	client := iam.NewFromConfig(s.SDK())
	if _, err := client.ListUsers(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if _, err := client.CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String("Administrator")}); code(err) != "EntityAlreadyExists" {
		t.Error(err)
	}
	if after, err := os.Stat(file); err != nil || !os.SameFile(before, after) {
		t.Errorf("the file was written, %v", err)
	}
	if _, err := client.CreateUser(t.Context(), &iam.CreateUserInput{UserName: aws.String("bob")}); err != nil {
		t.Error(err)
	}
	if after, err := os.Stat(file); err != nil || os.SameFile(before, after) {
		t.Errorf("the file was not written, %v", err)
	}
}

// TestSavingFails checks that calls fail in each service's form if the state cannot
// be saved, and that saving works again once the disk does.
func TestSavingFails(t *testing.T) {
	var log bytes.Buffer
	dir := t.TempDir()
	file := filepath.Join(dir, "state.json")
	s := start(t, localaws.Config{StateFile: file, Log: slog.New(slog.NewTextHandler(&log, nil))})
	role := s.NewRole(t, "r", trustAccount, nil)
	s.NewCluster(t, "c", "https://127.0.0.1:1", nil)
	// A directory in the place of the temporary file makes writing fail.
	obstacle := filepath.Join(dir, ".state.json.partial")
	if err := os.MkdirAll(filepath.Join(obstacle, "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for want, err := range map[string]error{
		"iam 500 ServiceFailure": func() error {
			_, err := iam.NewFromConfig(s.SDK()).CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("bob")})
			return err
		}(),
		"sts 500 ServiceFailure": func() error {
			_, err := sts.NewFromConfig(s.SDK()).AssumeRole(ctx, &sts.AssumeRoleInput{RoleArn: &role, RoleSessionName: aws.String("session")})
			return err
		}(),
		"eks 500 ServerException": func() error {
			_, err := eks.NewFromConfig(s.SDK()).TagResource(ctx, &eks.TagResourceInput{
				ResourceArn: aws.String("arn:aws:eks:eu-west-2:" + account + ":cluster/c"), Tags: map[string]string{"tagged": "meanwhile"},
			})
			return err
		}(),
	} {
		if got := fmt.Sprint(status(err), " ", code(err)); got != want[4:] || !strings.Contains(err.Error(), "may not have been saved") {
			t.Errorf("%s: %v", want, err)
		}
	}
	if err := s.RegisterCluster("eu-west-2", "d", "https://127.0.0.1:1", nil); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("registering a cluster: %v", err)
	}
	if !strings.Contains(log.String(), "saving the state failed") || !strings.Contains(log.String(), file) {
		t.Errorf("the log: %s", log.String())
	}
	if got := last(t, s).ErrorCode; got != "ServiceFailure" {
		t.Errorf("the trail has %s", got)
	}
	if _, err := iam.NewFromConfig(s.SDK()).GetUser(ctx, &iam.GetUserInput{UserName: aws.String("bob")}); err != nil {
		t.Errorf("the user is missing in memory: %v", err)
	}
	if err := os.RemoveAll(obstacle); err != nil {
		t.Fatal(err)
	}
	if _, err := iam.NewFromConfig(s.SDK()).CreateUser(ctx, &iam.CreateUserInput{UserName: aws.String("carol")}); err != nil {
		t.Errorf("saving after the failure: %v", err)
	}
	text, err := os.ReadFile(file)
	for _, name := range []string{`"bob"`, `"carol"`, `"meanwhile"`, "cluster/d"} {
		if err != nil || !strings.Contains(string(text), name) {
			t.Errorf("the file lacks %s, %v", name, err)
		}
	}
}
