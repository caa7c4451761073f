// Package localawstest gives Go tests a local AWS: no port, no process, no
// network, and clients that believe that they talk to AWS.
package localawstest

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"

	"github.com/kube-iam/authenticator/pkg/localaws"
)

// Server is a local AWS for one test.
type Server struct {
	*localaws.AWS
}

// Start makes a local AWS for a test.
func Start(t testing.TB, config localaws.Config) *Server {
	t.Helper()
	a, err := localaws.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return &Server{a}
}

// Client is an HTTP client for which all the world is the local AWS.
func (s *Server) Client() *http.Client {
	return &http.Client{Transport: roundTripper{s.AWS}}
}

// SDK is a configuration of the AWS SDK with the administrator's key.
func (s *Server) SDK() aws.Config {
	return s.SDKAs(s.Administrator(), "")
}

// SDKAs is a configuration of the AWS SDK with a key, and its session token if
// it is a session's.
func (s *Server) SDKAs(key localaws.AccessKey, sessionToken string) aws.Config {
	return aws.Config{
		Region:           s.Region(),
		Credentials:      credentials.NewStaticCredentialsProvider(key.ID, key.Secret, sessionToken),
		HTTPClient:       s.Client(),
		RetryMaxAttempts: 1,
	}
}

// A roundTripper answers requests by a handler, in process.
type roundTripper struct{ handler http.Handler }

func (t roundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	served := r.Clone(r.Context())
	served.RemoteAddr = "127.0.0.1:1"
	served.RequestURI = r.URL.RequestURI()
	if served.Host == "" {
		served.Host = r.URL.Host
	}
	if served.Body == nil {
		served.Body = http.NoBody
	}
	recorder := httptest.NewRecorder()
	t.handler.ServeHTTP(recorder, served)
	answer := recorder.Result()
	answer.Request = r
	return answer, nil
}
