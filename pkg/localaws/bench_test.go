package localaws_test

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/kube-iam/authenticator/pkg/localaws"
	"github.com/kube-iam/authenticator/pkg/localaws/localawstest"
)

// crowd writes a state file of 1 000 users, each with a key and a policy, in 100
// groups of ten, and returns its path.
func crowd(b *testing.B) string {
	b.Helper()
	type object = map[string]any
	users, groups := object{}, object{}
	for i := range 1000 {
		name := fmt.Sprintf("user%d", i)
		users[name] = object{
			"name": name, "path": "/", "id": fmt.Sprintf("AIDA%017d", i), "arn": "arn:aws:iam::" + account + ":user/" + name, "created": time.Now(),
			"inlinePolicies": []object{{"name": "p", "document": statement("Allow", "eks:DescribeCluster", "arn:aws:eks:*:*:cluster/kubedemy")}},
			"accessKeys":     []object{{"id": fmt.Sprintf("AKIA%016d", i), "secret": fmt.Sprintf("secret%034d", i), "active": true, "created": time.Now()}},
		}
	}
	for i := range 100 {
		name, members := fmt.Sprintf("group%d", i), []string{}
		for m := range 10 {
			members = append(members, fmt.Sprintf("AIDA%017d", i*10+m))
		}
		groups[name] = object{"name": name, "path": "/", "id": fmt.Sprintf("AGPA%017d", i), "arn": "arn:aws:iam::" + account + ":group/" + name, "created": time.Now(), "members": members}
	}
	text, err := json.Marshal(object{"version": 1, "account": account, "users": users, "groups": groups})
	if err != nil {
		b.Fatal(err)
	}
	file := filepath.Join(b.TempDir(), "state.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		b.Fatal(err)
	}
	return file
}

// signed returns a function that returns the same signed call to a host each time.
func signed(b *testing.B, key localaws.AccessKey, host, service, form string) func() *http.Request {
	b.Helper()
	request, err := http.NewRequestWithContext(b.Context(), http.MethodPost, host+"/", nil)
	if err != nil {
		b.Fatal(err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	hash := sha256.Sum256([]byte(form))
	credentials := aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}
	if err := v4.NewSigner().SignHTTP(b.Context(), credentials, request, hex.EncodeToString(hash[:]), service, "us-east-1", time.Now()); err != nil {
		b.Fatal(err)
	}
	return func() *http.Request {
		again := request.Clone(request.Context())
		again.Body, again.ContentLength = io.NopCloser(strings.NewReader(form)), int64(len(form))
		return again
	}
}

func serve(b *testing.B, s *localawstest.Server, request *http.Request) {
	request.RemoteAddr, request.RequestURI = "127.0.0.1:1", "/"
	recorder := httptest.NewRecorder()
	s.ServeHTTP(recorder, request)
	if recorder.Code != http.StatusOK {
		b.Fatal(recorder.Body)
	}
}

// BenchmarkCall measures an authenticated call of one user among 1 000, in memory.
func BenchmarkCall(b *testing.B) {
	s := start(b, localaws.Config{StateFile: crowd(b)})
	key := localaws.AccessKey{ID: fmt.Sprintf("AKIA%016d", 500), Secret: fmt.Sprintf("secret%034d", 500)}
	again := signed(b, key, "https://sts.amazonaws.com", "sts", "Action=GetCallerIdentity&Version=2011-06-15")
	b.ReportAllocs()
	for b.Loop() {
		serve(b, s, again())
	}
}

// BenchmarkServe measures a signed call over loopback, with keep-alive: client, server
// and, in the proxy, TLS on both sides. Each CPU has a client.
func BenchmarkServe(b *testing.B) {
	s := start(b, localaws.Config{})
	endpoint, err := url.Parse(s.URL())
	if err != nil {
		b.Fatal(err)
	}
	form := "Action=GetCallerIdentity&Version=2011-06-15"
	for name, way := range map[string]struct {
		url       string
		transport *http.Transport
	}{
		"endpoint": {endpoint.String(), &http.Transport{}},
		"proxy": {"https://sts.us-east-1.amazonaws.com", &http.Transport{
			Proxy: http.ProxyURL(endpoint), TLSClientConfig: &tls.Config{RootCAs: trusted(b, s)},
		}},
	} {
		b.Run(name, func(b *testing.B) {
			way.transport.MaxIdleConnsPerHost = runtime.GOMAXPROCS(0)
			b.Cleanup(way.transport.CloseIdleConnections)
			again := signed(b, s.Administrator(), way.url, "sts", form)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(calls *testing.PB) {
				for calls.Next() {
					answer, err := way.transport.RoundTrip(again())
					if err != nil {
						b.Error(err)
						return
					}
					content, err := io.ReadAll(answer.Body)
					if err := errors.Join(err, answer.Body.Close()); err != nil || answer.StatusCode != http.StatusOK {
						b.Errorf("%s %s, %v", answer.Status, content, err)
						return
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
		})
	}
}

// BenchmarkSave measures a call that changes, and so saves, a state of 1 000 users.
func BenchmarkSave(b *testing.B) {
	s := start(b, localaws.Config{StateFile: crowd(b)})
	again := signed(b, s.Administrator(), "https://iam.amazonaws.com", "iam", "Action=UpdateAccessKey&Version=2010-05-08&UserName=user7&Status=Active&AccessKeyId="+fmt.Sprintf("AKIA%016d", 7))
	b.ReportAllocs()
	for b.Loop() {
		serve(b, s, again())
	}
}

// BenchmarkStart measures a start with a state of 1 000 users.
func BenchmarkStart(b *testing.B) {
	file := crowd(b)
	b.ReportAllocs()
	for b.Loop() {
		a, err := localaws.New(localaws.Config{AccountID: account, StateFile: file})
		if err != nil {
			b.Fatal(err)
		}
		if err := a.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
