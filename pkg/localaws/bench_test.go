package localaws_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
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

// signed returns a function that returns the same signed call each time.
func signed(b *testing.B, key localaws.AccessKey, service, form string) func() *http.Request {
	b.Helper()
	request := httptest.NewRequest(http.MethodPost, "https://"+service+".amazonaws.com/", bytes.NewReader([]byte(form)))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	hash := sha256.Sum256([]byte(form))
	credentials := aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}
	if err := v4.NewSigner().SignHTTP(b.Context(), credentials, request, hex.EncodeToString(hash[:]), service, "us-east-1", time.Now()); err != nil {
		b.Fatal(err)
	}
	return func() *http.Request {
		again := request.Clone(request.Context())
		again.Body = http.NoBody
		if form != "" {
			again.Body = readCloser{bytes.NewReader([]byte(form))}
		}
		return again
	}
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }

func serve(b *testing.B, s *localawstest.Server, request *http.Request) {
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
	again := signed(b, key, "sts", "Action=GetCallerIdentity&Version=2011-06-15")
	b.ReportAllocs()
	for b.Loop() {
		serve(b, s, again())
	}
}

// BenchmarkSave measures a call that changes, and so saves, a state of 1 000 users.
func BenchmarkSave(b *testing.B) {
	s := start(b, localaws.Config{StateFile: crowd(b)})
	again := signed(b, s.Administrator(), "iam", "Action=UpdateAccessKey&Version=2010-05-08&UserName=user7&Status=Active&AccessKeyId="+fmt.Sprintf("AKIA%016d", 7))
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
