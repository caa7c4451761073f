package localaws

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/service/toy"
)

// TestPanicsAreLogged checks that a panic of an operation is an error in the log and an
// answer, at the endpoint and through the proxy.
func TestPanicsAreLogged(t *testing.T) {
	var log bytes.Buffer
	a, err := open(Config{Log: slog.New(slog.NewTextHandler(&log, nil))}, func(a *AWS) []api.Service {
		broken := toy.New()
		for i := range broken.Operations {
			broken.Operations[i].Decode = func(api.Input) (api.Decoded, error) { panic("out of order") }
		}
		return append(a.services(), broken)
	})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Serve(ctx, listener, nil) }()
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(a.CA())
	through := &url.URL{Scheme: "http", Host: listener.Addr().String()}
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(through), TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
	for _, url := range []string{through.String(), "https://toy.us-east-1.amazonaws.com/"} {
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("X-Amz-Target", "Toy.Count")
		answer, err := client.Do(request)
		if err != nil || answer.StatusCode != http.StatusInternalServerError {
			t.Errorf("%s: %+v, %v", url, answer, err)
			continue
		}
		_ = answer.Body.Close()
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if text := log.String(); strings.Count(text, `level=ERROR msg="answering a request panicked"`) != 2 || !strings.Contains(text, "toy_internal_test.go") {
		t.Errorf("the log: %s", text)
	}
}

// TestAServiceIsOnePackageAndOneLine adds a service and calls it through the gateway:
// its operations are authenticated, authorized, saved, faulted and recorded.
func TestAServiceIsOnePackageAndOneLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "state.json")
	start := func() *AWS {
		a, err := open(Config{StateFile: file}, func(a *AWS) []api.Service {
			return append(a.services(), toy.New())
		})
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	a := start()
	call := func(key AccessKey, operation, body string) (status int, answer string) {
		t.Helper()
		r := httptest.NewRequest(http.MethodPost, "https://toy.us-east-1.amazonaws.com/", strings.NewReader(body))
		r.Header.Set("X-Amz-Target", "Toy."+operation)
		sum := sha256.Sum256([]byte(body))
		credentials := aws.Credentials{AccessKeyID: key.ID, SecretAccessKey: key.Secret}
		if err := v4.NewSigner().SignHTTP(t.Context(), credentials, r, hex.EncodeToString(sum[:]), "toy", "us-east-1", time.Now()); err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		a.ServeHTTP(w, r)
		return w.Code, w.Body.String()
	}
	want := func(operation, body string, status int, part string) {
		t.Helper()
		if got, answer := call(a.Administrator(), operation, body); got != status || !strings.Contains(answer, part) {
			t.Errorf("%s %s: %d %s, want %d %s", operation, body, got, answer, status, part)
		}
	}
	want("Count", `{"Name":"a"}`, 200, `{"Value":1}`)
	want("Count", `{"Name":"a"}`, 200, `{"Value":2}`)
	want("Read", `{"Name":"b"}`, 400, "NotFoundException")
	want("Read", `{"Nome":"a"}`, 400, "ValidationException")
	want("Reset", `{}`, 400, "UnknownOperationException")
	if status, answer := call(AccessKey{ID: "AKIAIOSFODNN7EXAMPLE", Secret: "wrong"}, "Read", `{"Name":"a"}`); status != 403 || !strings.Contains(answer, "UnrecognizedClientException") {
		t.Errorf("a key that does not exist: %d %s", status, answer)
	}
	nobody, err := a.AddUsers(1)
	if err != nil {
		t.Fatal(err)
	}
	if status, answer := call(nobody, "Count", `{"Name":"a"}`); status != 403 || !strings.Contains(answer, "toy:Count on resource: arn:aws:toy:us-east-1:000000000000:counter/a") {
		t.Errorf("a user without permission: %d %s", status, answer)
	}
	if _, err := a.Faults().Add(Fault{Action: "toy:Read", Kind: FaultThrottle, Count: 1}); err != nil {
		t.Error(err)
	}
	want("Read", `{"Name":"a"}`, 429, "TooManyRequestsException")
	events := a.Events()
	if first := events[0]; first.EventSource != "toy.amazonaws.com" || first.EventName != "Count" || first.ReadOnly || first.Resources[0].Type != "AWS::TOY::Counter" {
		t.Errorf("event %+v", first)
	}
	if last := events[len(events)-1]; !last.ReadOnly || last.ErrorCode != "Throttling" {
		t.Errorf("event %+v", last)
	}

	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	a = start()
	want("Read", `{"Name":"a"}`, 200, `{"Value":2}`)
	if err := a.accounts.Reset(); err != nil {
		t.Fatal(err)
	}
	want("Read", `{"Name":"a"}`, 400, "NotFoundException")
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}
