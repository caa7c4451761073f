package localawstest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"

	"github.com/kube-iam/authenticator/pkg/localaws"
	"github.com/kube-iam/authenticator/pkg/localaws/localawstest"
)

// TestEnvironment checks that a program finds the local AWS by its environment
// alone. The program is this test binary, which then runs only TestProgram.
func TestEnvironment(t *testing.T) {
	t.Setenv("AWS_ACCESS_KEY_ID", "hostile")
	t.Setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
	s := localawstest.Start(t, localaws.Config{Region: "eu-west-2"})
	command := exec.Command(os.Args[0], "-test.run=^TestProgram$", "-test.v")
	command.Env = append(s.Environment(), "PROGRAM=1")
	output, err := command.CombinedOutput()
	if err != nil || !strings.Contains(string(output), "I am arn:aws:iam::000000000000:user/administrator in eu-west-2") {
		t.Errorf("%s%v", output, err)
	}
	if event := s.Events()[0]; event.EventName != "GetCallerIdentity" || event.AWSRegion != "eu-west-2" {
		t.Errorf("%+v", event)
	}
}

func TestProgram(t *testing.T) {
	if os.Getenv("PROGRAM") == "" {
		t.Skip("started by TestEnvironment")
	}
	loaded, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	who, err := sts.NewFromConfig(loaded).GetCallerIdentity(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("I am %s in %s", *who.Arn, loaded.Region)
}

// TestServingEndsWithTheTest checks that a server ends with its test, and that the
// next one reads its state.
func TestServingEndsWithTheTest(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	var url string
	t.Run("serves", func(t *testing.T) {
		s := localawstest.Start(t, localaws.Config{StateFile: file})
		s.NewUser(t, "bob", "")
		if url = s.URL(); s.URL() != url {
			t.Error("the URL changed")
		}
	})
	if _, err := (&http.Client{}).Get(url); err == nil {
		t.Error("the server still answers")
	}
	s := localawstest.Start(t, localaws.Config{StateFile: file})
	if _, err := iam.NewFromConfig(s.SDK()).GetUser(t.Context(), &iam.GetUserInput{UserName: new("bob")}); err != nil {
		t.Error(err)
	}
}

// TestSDKAsksOnce checks that the SDK does not retry, which would hide errors,
// unless the clocks differ.
func TestSDKAsksOnce(t *testing.T) {
	s := localawstest.Start(t, localaws.Config{})
	client := sts.NewFromConfig(s.SDK())
	for _, kind := range []localaws.FaultKind{localaws.FaultThrottle, localaws.FaultError, localaws.FaultDrop, localaws.FaultSignature} {
		if _, err := s.Faults().Add(localaws.Fault{Action: "*", Kind: kind, Count: 1}); err != nil {
			t.Fatal(err)
		}
		if _, err := client.GetCallerIdentity(t.Context(), nil); err == nil {
			t.Errorf("%s: the client got no error", kind)
		}
	}
	for _, by := range []time.Duration{time.Hour, -2 * time.Hour, 365 * 24 * time.Hour} {
		s.Clock().Advance(by)
		if _, err := client.GetCallerIdentity(t.Context(), nil); err != nil {
			t.Errorf("after advancing the clock by %s: %v", by, err)
		}
	}
}

// TestClient checks that the in-process client behaves as with a real server.
func TestClient(t *testing.T) {
	s := localawstest.Start(t, localaws.Config{})
	answer, err := s.Client().Get("https://sts.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15")
	if err != nil || answer.StatusCode != http.StatusForbidden {
		t.Errorf("%v, %v", answer, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := sts.NewFromConfig(s.SDK()).GetCallerIdentity(ctx, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err := s.Faults().Add(localaws.Fault{Action: "*", Kind: localaws.FaultDrop}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Client().Get("https://sts.amazonaws.com/"); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("dropped: %v", err)
	}
}

// TestSetUps checks the policies of the users and roles that are created.
func TestSetUps(t *testing.T) {
	s := localawstest.Start(t, localaws.Config{})
	key := s.NewUser(t, "bob", "")
	_, err := iam.NewFromConfig(s.SDKAs(key, "")).GetUser(t.Context(), nil)
	if e, ok := errors.AsType[smithy.APIError](err); !ok || e.ErrorCode() != "AccessDenied" {
		t.Errorf("a user without a policy: %v", err)
	}
	s.NewRole(t, "r", trustsAccount, map[string]string{"a": mayAssume, "b": mayDescribe})
	policies, err := iam.NewFromConfig(s.SDK()).ListRolePolicies(t.Context(), &iam.ListRolePoliciesInput{RoleName: new("r")})
	if err != nil || !slices.Equal(policies.PolicyNames, []string{"a", "b"}) {
		t.Errorf("%+v, %v", policies, err)
	}
}
