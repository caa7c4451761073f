// Package localawstest gives Go tests a local AWS, and clients that talk to it as if
// to AWS: in process, without a port, or, for programs that a test starts, on a
// loopback port.
package localawstest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

// Server is a local AWS for one test. [localaws.AWS.Clock] and [localaws.AWS.Faults]
// control it, and [localaws.AWS.Events] lists the calls to it.
type Server struct {
	*localaws.AWS
	t      testing.TB
	listen func() listening
}

// Start starts a local AWS for a test.
func Start(t testing.TB, config localaws.Config) *Server {
	t.Helper()
	a, err := localaws.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Errorf("closing the local AWS: %v", err)
		}
	})
	s := &Server{AWS: a, t: t}
	s.listen = sync.OnceValue(s.serve)
	return s
}

// Client returns an HTTP client that sends every request to the local AWS.
func (s *Server) Client() *http.Client {
	return &http.Client{Transport: roundTripper{s.AWS}}
}

// SDK returns a configuration of the AWS SDK with the administrator's key.
func (s *Server) SDK() aws.Config {
	return s.SDKAs(s.Administrator(), "")
}

// SDKAs returns a configuration of the AWS SDK with a key, and a session token if
// the key is a session's. It does not retry, so that tests see every error, except
// to correct its clock if the server's clock was set.
func (s *Server) SDKAs(key localaws.AccessKey, sessionToken string) aws.Config {
	return aws.Config{
		Region:      s.Region(),
		Credentials: credentials.NewStaticCredentialsProvider(key.ID, key.Secret, sessionToken),
		HTTPClient:  s.Client(),
		Retryer: func() aws.Retryer {
			return retry.NewStandard(func(o *retry.StandardOptions) {
				o.MaxAttempts = 2
				o.Backoff = retry.BackoffDelayerFunc(func(int, error) (time.Duration, error) { return 0, nil })
				o.Retryables = []retry.IsErrorRetryable{retry.RetryableError{}}
			})
		},
	}
}

// NewUser creates a user and an access key. An empty policy means none.
func (s *Server) NewUser(t testing.TB, name, policy string) localaws.AccessKey {
	t.Helper()
	client := iam.NewFromConfig(s.SDK())
	if _, err := client.CreateUser(t.Context(), &iam.CreateUserInput{UserName: &name}); err != nil {
		t.Fatal(err)
	}
	if policy != "" {
		if _, err := client.PutUserPolicy(t.Context(), &iam.PutUserPolicyInput{UserName: &name, PolicyName: aws.String("policy"), PolicyDocument: &policy}); err != nil {
			t.Fatal(err)
		}
	}
	made, err := client.CreateAccessKey(t.Context(), &iam.CreateAccessKeyInput{UserName: &name})
	if err != nil {
		t.Fatal(err)
	}
	return localaws.AccessKey{ID: *made.AccessKey.AccessKeyId, Secret: *made.AccessKey.SecretAccessKey}
}

// NewRole creates a role with a trust policy and inline policies by name. It returns
// the role's ARN.
func (s *Server) NewRole(t testing.TB, name, trust string, policies map[string]string) string {
	t.Helper()
	client := iam.NewFromConfig(s.SDK())
	made, err := client.CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: &name, AssumeRolePolicyDocument: &trust})
	if err != nil {
		t.Fatal(err)
	}
	for policy, document := range policies {
		if _, err := client.PutRolePolicy(t.Context(), &iam.PutRolePolicyInput{RoleName: &name, PolicyName: &policy, PolicyDocument: &document}); err != nil {
			t.Fatal(err)
		}
	}
	return *made.Role.Arn
}

// NewCluster registers an API server, by its https URL and its CA in PEM, as an EKS
// cluster in the server's region.
func (s *Server) NewCluster(t testing.TB, name, endpoint string, ca []byte) {
	t.Helper()
	if err := s.RegisterCluster(s.Region(), name, endpoint, ca); err != nil {
		t.Fatal(err)
	}
}

// URL returns the local AWS's URL on a loopback port, as endpoint and as proxy. It
// listens until the test ends.
func (s *Server) URL() string { return "http://" + s.listen().address }

// Environment returns the environment for a program that the test starts, as os/exec
// takes it: this process's, with the local AWS and its administrator in place of the
// real AWS. See [Server.URL].
func (s *Server) Environment() []string {
	l := s.listen()
	return l.files.Environment(l.address, s.Region()).Apply(os.Environ())
}

type listening struct {
	address string
	files   localaws.Files
}

// serve serves on a loopback port until the test ends.
func (s *Server) serve() listening {
	s.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	l := listening{listener.Addr().String(), localaws.Files{Dir: s.t.TempDir()}}
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, listener, nil) }()
	s.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			s.t.Errorf("serving the local AWS: %v", err)
		}
	})
	if err := errors.Join(l.files.Write(s.AWS), os.WriteFile(l.files.CA(), s.CA(), 0o600), l.files.Announce(l.address)); err != nil {
		s.t.Fatal(err)
	}
	return l
}
