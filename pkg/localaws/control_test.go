package localaws_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	ec2types "github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"go.uber.org/goleak"

	"github.com/kube-iam/authenticator/pkg/localaws"
	"github.com/kube-iam/authenticator/pkg/localaws/localawstest"
)

// proxied returns a client that reaches AWS's hostnames through the server, over TLS.
func proxied(t testing.TB, s *localawstest.Server) *http.Client {
	t.Helper()
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(s.CA()) {
		t.Fatal("the CA is not PEM")
	}
	through, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(through), TLSClientConfig: &tls.Config{RootCAs: pool}, DisableKeepAlives: true}}
}

// control sends a request to a control endpoint and returns the status and the body.
func control(t testing.TB, s *localawstest.Server, method, path, body string, header http.Header) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.URL()+"/_localaws/"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, strings.TrimSpace(string(text))
}

func secret(s *localawstest.Server) http.Header {
	return http.Header{localaws.SecretHeader: {s.ControlSecret()}}
}

// TestControlsAreGuarded calls every endpoint with the secret and without.
func TestControlsAreGuarded(t *testing.T) {
	s := start(t, localaws.Config{})
	for _, test := range []struct {
		method, path, body string
		open               bool
	}{
		{"GET", "health", "", true},
		{"GET", "ca.pem", "", true},
		{"GET", "events", "", true},
		{"GET", "clock", "", true},
		{"POST", "clock", `{"action":"resume"}`, false},
		{"GET", "faults", "", true},
		{"POST", "faults", `{"action":"ec2:*","kind":"throttle"}`, false},
		{"DELETE", "faults/1", "", false},
		{"DELETE", "faults", "", false},
		{"GET", "state", "", false},
		{"PUT", "state", `{"version":1,"account":"` + account + `"}`, false},
		{"DELETE", "state", "", false},
	} {
		for name, header := range map[string]http.Header{"no secret": nil, "another secret": {localaws.SecretHeader: {"x"}}} {
			status, text := control(t, s, test.method, test.path, test.body, header)
			if test.open && status != http.StatusOK || !test.open && (status != http.StatusForbidden || !strings.Contains(text, "control-secret")) {
				t.Errorf("%s: %s %s: %d %s", name, test.method, test.path, status, text)
			}
		}
		if status, text := control(t, s, test.method, test.path, test.body, secret(s)); status != http.StatusOK {
			t.Errorf("%s %s: %d %s", test.method, test.path, status, text)
		}
		header := secret(s)
		header.Set("Origin", "http://127.0.0.1:4566")
		if status, text := control(t, s, test.method, test.path, test.body, header); status != http.StatusForbidden {
			t.Errorf("a browser: %s %s: %d %s", test.method, test.path, status, text)
		}
	}
	if events := len(s.Events()); events != 0 {
		t.Errorf("%d control requests are in the trail", events)
	}
}

// TestControlsSay checks the responses: the result, or what to do instead.
func TestControlsSay(t *testing.T) {
	s := start(t, localaws.Config{Now: func() time.Time { return time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC) }})
	for _, test := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "health", "", 200, `{"account":"` + account + `","region":"eu-west-2","status":"ok"}`},
		{"GET", "nothing", "", 404, `unknown endpoint GET /_localaws/nothing (supported: GET /_localaws/health, `},
		{"PATCH", "clock", "", 404, `unknown endpoint PATCH /_localaws/clock (supported: `},
		{"GET", "clock", "", 200, `{"now":"2026-11-23T08:00:00Z","frozen":false}`},
		{"POST", "clock", `{"action":"advance","by":"1h30m"}`, 200, `{"now":"2026-11-23T09:30:00Z","frozen":false}`},
		{"POST", "clock", `{"action":"freeze"}`, 200, `{"now":"2026-11-23T09:30:00Z","frozen":true}`},
		{"POST", "clock", `{"action":"set","to":"2026-11-24T10:00:00+01:00"}`, 200, `{"now":"2026-11-24T09:00:00Z","frozen":true}`},
		{"POST", "clock", `{"action":"resume"}`, 200, `{"now":"2026-11-23T08:00:00Z","frozen":false}`},
		{"POST", "clock", `{"action":"stop"}`, 400, `unknown action \"stop\" (supported: freeze, advance, set, resume)`},
		{"POST", "clock", `{"action":"advance"}`, 400, `duration \"\": expected one such as 5m or -1h`},
		{"POST", "clock", `{"action":"advance","by":"2000000h"}`, 400, `expected a time in the years 1970 to 2200`},
		{"POST", "clock", `{"action":"set","to":"now"}`, 400, `time \"now\": expected one such as 2026-11-23T08:00:00Z`},
		{"POST", "clock", `{"action":"set","to":"0001-01-01T00:00:00Z"}`, 400, `expected a time in the years 1970 to 2200`},
		{"POST", "clock", `{"action":"freeze","by":"5m"}`, 400, `unknown argument of action \"freeze\"`},
		{"POST", "clock", `{"action":"freeze","at":"5m"}`, 400, `unknown field \"at\"`},
		{"POST", "clock", ``, 400, `unexpected end of JSON input`},
		{"GET", "faults", "", 200, `{"faults":[]}`},
		{"POST", "faults", `{"action":"sts:*","kind":"latency","latency":"2s","count":3}`, 200, `{"id":"1","action":"sts:*","kind":"latency","latency":"2s","count":3,"struck":0}`},
		{"POST", "faults", `{"action":"*","kind":"error","status":503,"rate":0.5}`, 200, `{"id":"2","action":"*","kind":"error","status":503,"rate":0.5,"struck":0}`},
		{"DELETE", "faults/1", "", 200, `{"faults":[{"id":"2","action":"*","kind":"error","status":503,"rate":0.5,"struck":0}]}`},
		{"DELETE", "faults/1", "", 404, `no fault has the id \"1\"`},
		{"DELETE", "faults", "", 200, `{"faults":[]}`},
		{"POST", "faults", `{"action":"sts:*","kind":"nonsense"}`, 400, `adding a fault: unknown kind \"nonsense\" (supported: latency, throttle, error, drop, wrong-signature)`},
		{"POST", "faults", `{"action":"sts:*","kind":"latency","latency":"2"}`, 400, `latency \"2\": expected a duration, such as 1.5s`},
		{"POST", "faults", `{"action":"sts:*","kind":"drop","id":"7"}`, 400, `localaws sets id and struck: leave them out`},
		{"POST", "faults", `{"action":"sts:*","kind":"drop","chance":1}`, 400, `unknown field \"chance\"`},
		{"GET", "events?follow=perhaps", "", 400, `expected follow=true or follow=false, not \"perhaps\"`},
		{"GET", "events?since=yesterday", "", 400, `since=\"yesterday\": expected a time such as 2026-11-23T08:00:00Z, or a duration such as 10m`},
		{"GET", "events?name=x", "", 400, `unknown parameter \"name\" (supported: follow, since)`},
		{"PUT", "state", `{`, 400, `reading the state: unexpected end of JSON input at byte 1; nothing has changed`},
		{"PUT", "state", `{"version":1,"account":"000000000000"}`, 400, `it belongs to account \"000000000000\", not ` + account},
		{"PUT", "state", `{"version":1,"account":"` + account + `"}`, 200, `{"clusters":0,"groups":0,"instances":0,"roles":0,"users":1}`},
	} {
		status, text := control(t, s, test.method, test.path, test.body, secret(s))
		if status != test.status || !strings.Contains(text, test.want) {
			t.Errorf("%s %s %s: %d %s, want %d %s", test.method, test.path, test.body, status, text, test.status, test.want)
		}
		if !json.Valid([]byte(text)) {
			t.Errorf("%s %s: %s is not JSON", test.method, test.path, text)
		}
	}
}

// TestStateGoesElsewhere exports, resets and imports a state.
func TestStateGoesElsewhere(t *testing.T) {
	instances := []localaws.Instance{{ID: "i-0123456789abcdef0", PrivateDNSName: "x"}}
	s := start(t, localaws.Config{Instances: instances})
	bob := s.NewUser(t, "bob", "")
	ask := func(key localaws.AccessKey) string {
		_, err := sts.NewFromConfig(s.SDKAs(key, "")).GetCallerIdentity(t.Context(), nil)
		return code(err)
	}
	administrator := s.Administrator()
	_, exported := control(t, s, "GET", "state", "", secret(s))
	if status, text := control(t, s, "DELETE", "state", "", secret(s)); status != http.StatusOK || text != `{"clusters":0,"groups":0,"instances":1,"roles":0,"users":1}` {
		t.Errorf("%d %s", status, text)
	}
	if ask(bob) != "InvalidClientTokenId" || ask(administrator) != "" {
		t.Error("after the reset: want only the administrator")
	}
	if status, text := control(t, s, "PUT", "state", exported, secret(s)); status != http.StatusOK {
		t.Errorf("%d %s", status, text)
	}
	if ask(bob) != "" || ask(s.Administrator()) != "" {
		t.Error("after the import: want both users")
	}
	s = start(t, localaws.Config{})
	own := s.Administrator()
	if status, text := control(t, s, "PUT", "state", exported, secret(s)); status != http.StatusOK {
		t.Errorf("%d %s", status, text)
	}
	if ask(bob) != "" || ask(administrator) != "" || ask(own) != "" || s.Administrator() != own {
		t.Error("after the import into another server: want both users, and the administrator's key of both servers")
	}
}

// TestImportsOfLess imports less than was exported: missing fields get their
// defaults, and a missing boundary allows nothing.
func TestImportsOfLess(t *testing.T) {
	const id = "i-0123456789abcdef0"
	s := start(t, localaws.Config{Instances: []localaws.Instance{{ID: id, PrivateDNSName: "x"}}})
	policy, err := iam.NewFromConfig(s.SDK()).CreatePolicy(t.Context(), &iam.CreatePolicyInput{PolicyName: aws.String("boundary"), PolicyDocument: aws.String(statement("Allow", "*", "*"))})
	if err != nil {
		t.Fatal(err)
	}
	bob := s.NewUser(t, "bob", statement("Allow", "*", "*"))
	if _, err := iam.NewFromConfig(s.SDK()).PutUserPermissionsBoundary(t.Context(), &iam.PutUserPermissionsBoundaryInput{UserName: aws.String("bob"), PermissionsBoundary: policy.Policy.Arn}); err != nil {
		t.Fatal(err)
	}
	_, exported := control(t, s, "GET", "state", "", secret(s))
	var all map[string]any
	if err := json.Unmarshal([]byte(exported), &all); err != nil {
		t.Fatal(err)
	}
	instance := all["instances"].(map[string]any)[id].(map[string]any)
	delete(instance, "state")
	delete(instance, "tags")
	all["policies"] = map[string]any{}
	less, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	s = start(t, localaws.Config{})
	if status, text := control(t, s, "PUT", "state", string(less), secret(s)); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	if got := described(t, s, id).State.Name; got != "running" {
		t.Errorf("the instance is %s", got)
	}
	if _, err := ec2.NewFromConfig(s.SDK()).CreateTags(t.Context(), &ec2.CreateTagsInput{Resources: []string{id}, Tags: []ec2types.Tag{{Key: aws.String("a"), Value: aws.String("b")}}}); err != nil {
		t.Error(err)
	}
	if _, err := iam.NewFromConfig(s.SDKAs(bob, "")).ListUsers(t.Context(), nil); code(err) != "AccessDenied" || !strings.Contains(err.Error(), "no permissions boundary allows") {
		t.Errorf("a user whose boundary is missing: %v", err)
	}
}

// follow returns the events of a server, line by line.
func follow(ctx context.Context, t testing.TB, s *localawstest.Server, query string) *bufio.Scanner {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL()+"/_localaws/events"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = answer.Body.Close() })
	return bufio.NewScanner(answer.Body)
}

func names(t testing.TB, lines *bufio.Scanner, n int) string {
	t.Helper()
	var got []string
	for len(got) != n && lines.Scan() {
		var event localaws.Event
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			t.Fatal(err)
		}
		got = append(got, event.EventName)
	}
	return strings.Join(got, " ")
}

func TestEventsAreStreamed(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	t.Run("", func(t *testing.T) {
		s := start(t, localaws.Config{})
		client := iam.NewFromConfig(s.SDK())
		call := func() { _, _ = client.ListUsers(t.Context(), nil) }
		s.Clock().Freeze()
		call()
		at := s.Clock().Now().Add(time.Minute)
		s.Clock().Set(at)
		_, _ = client.ListRoles(t.Context(), nil)
		if got := names(t, follow(t.Context(), t, s, ""), -1); got != "ListUsers ListRoles" {
			t.Errorf("all: %s", got)
		}
		for query, want := range map[string]string{
			"?since=30s":                         "ListRoles",
			"?since=2m":                          "ListUsers ListRoles",
			"?since=" + at.Format(time.RFC3339):  "ListRoles",
			"?since=2000-01-01T00:00:00%2B01:00": "ListUsers ListRoles",
			"?since=2100-01-01T00:00:00Z":        "",
			"?follow=false&since=" + "0s":        "ListRoles",
		} {
			if got := names(t, follow(t.Context(), t, s, query), -1); got != want {
				t.Errorf("%s: %q, want %q", query, got, want)
			}
		}
		ctx, leave := context.WithCancel(t.Context())
		lines := follow(ctx, t, s, "?follow=true&since=30s")
		if got := names(t, lines, 1); got != "ListRoles" {
			t.Errorf("at first: %s", got)
		}
		call()
		_, _ = client.ListRoles(t.Context(), nil)
		if got := names(t, lines, 2); got != "ListUsers ListRoles" {
			t.Errorf("then: %s", got)
		}
		leave()
		if got := names(t, lines, -1); got != "" {
			t.Errorf("after the client left: %s", got)
		}
		follow(t.Context(), t, s, "?follow=true") // ends with the server
	})
}

// TestEventsAreAllThere checks that events survive writing in batches of a thousand.
func TestEventsAreAllThere(t *testing.T) {
	s := start(t, localaws.Config{})
	for range 1001 {
		if _, err := s.Client().Get("https://sts.amazonaws.com/?Action=X"); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(strings.Fields(names(t, follow(t.Context(), t, s, ""), -1))); got != 1001 {
		t.Errorf("%d events", got)
	}
}

// TestSlowReaderHoldsUpNobody checks that a client that never reads delays neither
// calls nor the end of the server.
func TestSlowReaderHoldsUpNobody(t *testing.T) {
	s := start(t, localaws.Config{})
	var connection net.Conn
	t.Cleanup(func() { _ = connection.Close() }) // runs after the server's cleanup, which s.URL registers later
	connection, err := net.Dial("tcp", strings.TrimPrefix(s.URL(), "http://"))
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(connection, "GET /_localaws/events?follow=true HTTP/1.1\r\nHost: localhost\r\n\r\n")
	form := url.Values{"Action": {"Large"}}
	for i := range 20 {
		form.Set(fmt.Sprint("P", i), strings.Repeat("x", 4000))
	}
	for range 150 { // 12 MB, more than a connection buffers
		if _, err := s.Client().PostForm("https://sts.amazonaws.com/", form); err != nil {
			t.Fatal(err)
		}
	}
	if got := len(s.Events()); got != 150 {
		t.Errorf("%d events", got)
	}
}
