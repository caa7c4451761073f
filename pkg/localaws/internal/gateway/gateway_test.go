package gateway_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"

	"github.com/kube-iam/authenticator/pkg/localaws/internal/account"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/api"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/gateway"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/protocol"
	"github.com/kube-iam/authenticator/pkg/localaws/internal/trail"
	"github.com/kube-iam/authenticator/pkg/localaws/policy"
)

var now = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

// people is the IAM of two users: root may do anything, and nobody nothing. Their keys
// are in the default account.
type people struct{ account.Identities }

func (p *people) Check() error { return nil }

func (p *people) Credentials(tx *account.Tx, accessKeyID, token string) (string, *account.Caller, error) {
	if token == "old" {
		return "", nil, account.ErrExpired
	}
	if accessKeyID != "ROOT" && accessKeyID != "NOBODY" {
		return "", nil, account.ErrNoKey
	}
	name := strings.ToLower(accessKeyID)
	arn := tx.ARN("iam", "", "user/"+name)
	caller := &account.Caller{
		ARN: arn, UserID: "AIDA" + accessKeyID, Owner: account.Owner{ID: "AIDA" + accessKeyID, Name: name, ARN: arn},
		Principal: policy.Principal{AccountID: tx.Account.ID, ARNs: []string{arn}},
	}
	if accessKeyID == "ROOT" {
		all, err := policy.Parse([]byte(`{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}`))
		if err != nil {
			return "", nil, err
		}
		caller.Policies.Identity = []*policy.Document{all}
	}
	return "secret", caller, nil
}

func (p *people) KeyExists(string) bool { return true }

func (p *people) NoteUse(*account.Tx, string) {}

type form = api.Form

// things is a Query service, and also what the gateway asks of IAM.
func things() api.Service {
	define := func(facts api.Facts, run func(*account.Tx, form) (any, error)) api.Operation {
		return api.Define(api.Definition[form]{Facts: facts, Decode: api.FormOf, Resource: api.Anything[form], Run: run})
	}
	guest := api.Define(api.Definition[form]{
		Facts: api.Facts{Name: "Visit", Unsigned: true, ReadOnly: true, Accepts: []string{"Name"}},
		Identify: func(_ context.Context, _ *account.Accounts, _ account.Call, input api.Input) (*account.WebIdentity, error) {
			if input.Form.Get("Name") == "" {
				return nil, api.NewError(http.StatusBadRequest, "InvalidIdentityToken", "no name")
			}
			return &account.WebIdentity{Provider: "visitors", Audience: "all", Subject: input.Form.Get("Name")}, nil
		},
		Decode: api.FormOf,
		Run:    func(tx *account.Tx, _ form) (any, error) { return "welcome, " + tx.WebIdentity.Subject, nil },
	})
	return api.Service{
		Name: "sts", Title: "Things", Protocol: protocol.Query{Version: "2011-06-15"}, Translate: api.TranslateQuery,
		State: account.Part{New: func() account.Section { return &people{} }},
		Bars: func(caller *account.Caller, operation string) error {
			if operation == "Bar" {
				return api.NewError(http.StatusForbidden, api.CodeAccessDenied, "barred: "+caller.ARN)
			}
			return nil
		},
		Operations: []api.Operation{
			guest,
			define(api.Facts{Name: "Get", ReadOnly: true, Accepts: []string{"Name", "SecretWord"}}, func(tx *account.Tx, f form) (any, error) {
				return tx.Caller.Owner.Name + " gets " + f.Get("Name"), nil
			}),
			define(api.Facts{Name: "Fail"}, func(*account.Tx, form) (any, error) { return nil, errors.New("out of order") }),
			define(api.Facts{Name: "Bar"}, func(*account.Tx, form) (any, error) { return nil, nil }),
		},
	}
}

// works is the operation Work, which asks for a work of the test's the first time.
func works(do func() error) api.Operation {
	return api.Define(api.Definition[*bool]{
		Facts: api.Facts{Name: "Work"}, Decode: func(api.Input) (*bool, error) { return new(bool), nil }, Resource: api.Anything[*bool],
		Run: func(_ *account.Tx, done *bool) (any, error) {
			if *done {
				return "done", nil
			}
			return nil, &api.Work{Do: func() error { *done = true; return do() }}
		},
	})
}

// others is a service with JSON.
func others() api.Service {
	return api.Service{
		Name: "cloudtrail", Title: "Others", Protocol: protocol.JSON11{Target: "Others", Title: "Others"}, Translate: api.TranslateJSON,
		Operations: []api.Operation{api.Define(api.Definition[struct{}]{
			Facts: api.Facts{Name: "Get", ReadOnly: true}, Decode: func(api.Input) (struct{}, error) { return struct{}{}, nil },
			Run: func(*account.Tx, struct{}) (any, error) { return map[string]string{"Other": "thing"}, nil },
		})},
	}
}

// A server is a gateway with the two services.
type server struct {
	*gateway.Gateway
	trail    *trail.Trail
	accounts *account.Accounts
}

// start starts a gateway; the service things also has the given operations.
func start(t testing.TB, operations ...api.Operation) server {
	t.Helper()
	clock := account.NewClock(func() time.Time { return now })
	services := []api.Service{things(), others()}
	services[0].Operations = append(services[0].Operations, operations...)
	opened, err := account.Open(account.Config{
		IDs: []string{"111122223333", "444455556666"}, Region: "eu-west-2", Partition: "aws", Clock: clock, Parts: []account.Part{services[0].State},
	})
	if err != nil {
		t.Fatal(err)
	}
	events := trail.New()
	return server{gateway.New(gateway.Config{
		Accounts: opened, Clock: clock, Services: services, Unknown: protocol.Of, Trail: events,
		Random: func() float64 { return 0 }, Log: slog.New(slog.DiscardHandler),
	}), events, opened}
}

// A sent is a request to send.
type sent struct {
	url, body string
	header    map[string]string
	// key is empty for no signature.
	key, service, region string
	token                string
	at                   time.Time
	ctx                  context.Context // nil is the test's
}

func (s server) answer(t testing.TB, what sent) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, what.url, strings.NewReader(what.body))
	if what.ctx != nil {
		r = r.WithContext(what.ctx)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for name, value := range what.header {
		r.Header.Set(name, value)
	}
	if what.key != "" {
		sum := sha256.Sum256([]byte(what.body))
		if what.at.IsZero() {
			what.at = now
		}
		credentials := aws.Credentials{AccessKeyID: what.key, SecretAccessKey: "secret", SessionToken: what.token}
		if err := v4.NewSigner().SignHTTP(t.Context(), credentials, r, hex.EncodeToString(sum[:]), what.service, what.region, what.at); err != nil {
			t.Fatal(err)
		}
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func (s server) last(t testing.TB) trail.Event {
	t.Helper()
	events := s.trail.Events()
	if len(events) == 0 {
		t.Fatal("no event")
	}
	return events[len(events)-1]
}

const (
	regional = "https://sts.eu-west-2.amazonaws.com/"
	global   = "https://sts.amazonaws.com/"
	local    = "http://127.0.0.1:4566/"
	get      = "Action=Get&Version=2011-06-15&Name=it"
)

// TestSteps checks each step of a call: its answer, and its event.
func TestSteps(t *testing.T) {
	s := start(t)
	signed := func(body string) sent {
		return sent{url: regional, body: body, key: "ROOT", service: "sts", region: "eu-west-2"}
	}
	with := func(base sent, change func(*sent)) sent { change(&base); return base }
	for name, test := range map[string]struct {
		sent
		status int
		part   string // of the answer
		code   string // of the event
		marked string // in the event
	}{
		"a call":                      {signed(get), 200, "root gets it", "", ""},
		"in the URL":                  {with(signed(""), func(s *sent) { s.url += "?" + get }), 200, "root gets it", "", ""},
		"a body that is too long":     {signed(strings.Repeat("x", 1<<20+1)), 413, "RequestEntityTooLarge", "RequestEntityTooLarge", ""},
		"no signature":                {sent{url: regional, body: get}, 403, "MissingAuthenticationToken", "MissingAuthenticationToken", ""},
		"half a signature":            {sent{url: regional, body: get, header: map[string]string{"Authorization": "AWS4-HMAC-SHA256 Credential=x"}}, 400, "IncompleteSignature", "IncompleteSignature", ""},
		"an unknown key":              {with(signed(get), func(s *sent) { s.key = "AKIA" }), 403, "InvalidClientTokenId", "InvalidClientTokenId", ""},
		"an expired session":          {with(signed(get), func(s *sent) { s.token = "old" }), 403, "ExpiredToken", "ExpiredToken", ""},
		"a signature of the past":     {with(signed(get), func(s *sent) { s.at = now.Add(-16 * time.Minute) }), 403, "SignatureDoesNotMatch", "SignatureDoesNotMatch", ""},
		"another service's signature": {with(signed(get), func(s *sent) { s.service = "cloudtrail" }), 403, "correct service: &#39;sts&#39;", "SignatureDoesNotMatch", ""},
		"another region's signature":  {with(signed(get), func(s *sent) { s.region = "eu-north-1" }), 403, "valid region, not &#39;eu-north-1&#39;", "SignatureDoesNotMatch", ""},
		"a caller without permission": {with(signed(get), func(s *sent) { s.key = "NOBODY" }), 403, "user/nobody is not authorized to perform: sts:Get", "AccessDenied", ""},
		"a barred caller":             {signed("Action=Bar&Version=2011-06-15"), 403, "barred: arn:aws:iam::111122223333:user/root", "AccessDenied", ""},
		"an operation that fails":     {signed("Action=Fail&Version=2011-06-15"), 500, "out of order", "ServiceFailure", ""},
		"an unknown operation":        {signed("Action=Sing&Version=2011-06-15"), 400, "localaws does not support the operation Sing.", "InvalidAction", "refused"},
		"an unknown version":          {signed("Action=Get&Version=2001-01-01"), 400, "Could not find operation Get for version 2001-01-01", "InvalidAction", ""},
		"an unknown parameter":        {signed(get + "&Size=1"), 400, "not supported by localaws for Get", "ValidationError", "refused"},
		"a parameter, twice":          {signed(get + "&Name=1"), 400, "twice", "ValidationError", ""},

		"a global endpoint in its region":   {with(signed(get), func(s *sent) { s.url, s.region = global, "us-east-1" }), 200, "root gets it", "", ""},
		"a global endpoint in another":      {with(signed(get), func(s *sent) { s.url = global }), 403, "valid region, not &#39;eu-west-2&#39;", "SignatureDoesNotMatch", ""},
		"an endpoint for all services":      {with(signed(get), func(s *sent) { s.url = local }), 200, "root gets it", "", ""},
		"another partition":                 {with(signed(get), func(s *sent) { s.url, s.region = local, "cn-north-1" }), 403, "--partition aws-cn", "InvalidClientTokenId", "refused"},
		"another partition, under its name": {with(signed(get), func(s *sent) { s.url, s.region = "https://sts.cn-north-1.amazonaws.com.cn/", "cn-north-1" }), 403, "localaws serves partition aws", "InvalidClientTokenId", "refused"},

		"unsigned":                           {sent{url: regional, body: "Action=Visit&Version=2011-06-15&Name=eve"}, 200, "welcome, eve", "", ""},
		"unsigned, without proof":            {sent{url: regional, body: "Action=Visit&Version=2011-06-15"}, 400, "InvalidIdentityToken", "InvalidIdentityToken", ""},
		"unsigned, at one endpoint":          {sent{url: local, body: "Action=Visit&Version=2011-06-15&Name=eve"}, 200, "welcome, eve", "", ""},
		"unsigned, at one endpoint, JSON":    {sent{url: local, header: map[string]string{"X-Amz-Target": "Others.Get"}}, 403, "MissingAuthenticationTokenException", "MissingAuthenticationToken", ""},
		"unsigned, of another version there": {sent{url: local, body: "Action=Visit&Version=2012-06-15"}, 400, `localaws does not serve the service at host &#34;127.0.0.1:4566&#34; (supported: Things and Others)`, "UnknownService", "refused"},

		"JSON":                      {sent{url: local, header: map[string]string{"X-Amz-Target": "Others.Get"}, key: "ROOT", service: "cloudtrail", region: "eu-west-2"}, 200, `{"Other":"thing"}`, "", ""},
		"an unknown JSON operation": {sent{url: local, header: map[string]string{"X-Amz-Target": "Others.Set"}, key: "ROOT", service: "cloudtrail", region: "eu-west-2"}, 400, "localaws does not support this operation of Others", "UnknownOperationException", "refused"},

		"an unknown service, Query":    {sent{url: "https://sns.eu-west-2.amazonaws.com/", body: "Action=Publish&Version=2010-03-31", key: "ROOT", service: "sns", region: "eu-west-2"}, 400, `<Code>UnknownService</Code><Message>localaws does not serve the service &#34;sns&#34; (supported: Things and Others)`, "UnknownService", "refused"},
		"an unknown service, JSON":     {sent{url: "https://kms.eu-west-2.amazonaws.com/", header: map[string]string{"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "TrentService.ListKeys"}, key: "ROOT", service: "kms", region: "eu-west-2"}, 400, `{"__type":"UnknownService","message":"localaws does not serve the service \"kms\"`, "UnknownService", "refused"},
		"an unknown service, unsigned": {sent{url: "https://lambda.eu-west-2.amazonaws.com/2015-03-31/functions"}, 400, `{"message":"localaws does not serve the service at host \"lambda.eu-west-2.amazonaws.com\"`, "UnknownService", "refused"},
		"S3":                           {sent{url: "https://bucket.s3.eu-west-2.amazonaws.com/key", key: "ROOT", service: "s3", region: "eu-west-2"}, 400, `<Error><Code>UnknownService</Code><Message>localaws does not serve the service &#34;s3&#34;`, "UnknownService", "refused"},
		"a long name of a service":     {sent{url: local, key: "ROOT", service: strings.Repeat("x", 1000), region: "eu-west-2"}, 400, `localaws does not serve the service \"` + strings.Repeat("x", 64) + "…", "UnknownService", "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			w := s.answer(t, test.sent)
			if w.Code != test.status || !strings.Contains(w.Body.String(), test.part) {
				t.Errorf("%d %s\nwant %d %s", w.Code, w.Body, test.status, test.part)
			}
			event := s.last(t)
			if event.ErrorCode != test.code || event.AdditionalEventData["localaws"] != test.marked {
				t.Errorf("event with code %q, marked %q; want %q and %q", event.ErrorCode, event.AdditionalEventData, test.code, test.marked)
			}
			if test.marked == "refused" && !strings.Contains(event.ErrorMessage, "localaws") {
				t.Errorf("a refusal that does not name localaws: %q", event.ErrorMessage)
			}
			if event.RequestID != w.Header().Get("X-Amzn-Requestid") {
				t.Errorf("the event has another request ID than the answer")
			}
		})
	}
}

// TestEventsSayWho checks who an event says that the caller is, and that it holds no
// secret.
// TestWorkIsOutsideTransactions makes a call while another one's work is done. A work is
// done only for who may call the operation, and an error of it is the call's.
func TestWorkIsOutsideTransactions(t *testing.T) {
	var s server
	failure, done := error(nil), 0
	s = start(t, works(func() error {
		done++
		if other := s.answer(t, sent{url: regional, body: get, key: "ROOT", service: "sts", region: "eu-west-2"}); other.Code != http.StatusOK {
			t.Errorf("a call meanwhile: %d %s", other.Code, other.Body)
		}
		return failure
	}))
	for _, test := range []struct {
		key    string
		failed error
		status int
		part   string
		done   int
	}{
		{"NOBODY", nil, http.StatusForbidden, "AccessDenied", 0},
		{"ROOT", nil, http.StatusOK, "done", 1},
		{"ROOT", errors.New("no more entropy"), http.StatusInternalServerError, "no more entropy", 2},
	} {
		failure = test.failed
		got := s.answer(t, sent{url: regional, body: "Action=Work&Version=2011-06-15", key: test.key, service: "sts", region: "eu-west-2"})
		if got.Code != test.status || !strings.Contains(got.Body.String(), test.part) || done != test.done {
			t.Errorf("%s: %d %s after %d works, want %d %s after %d", test.key, got.Code, got.Body, done, test.status, test.part, test.done)
		}
	}
}

// TestWorkIsBounded checks that one work is done at a time, and that a client that is gone
// waits for none.
func TestWorkIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var doing atomic.Int32
		finish := make(chan struct{})
		s := start(t, works(func() error {
			doing.Add(1)
			<-finish
			doing.Add(-1)
			return nil
		}))
		body := "Action=Work&Version=2011-06-15"
		var all sync.WaitGroup
		answers := make(chan int, 3)
		gone, leave := context.WithCancel(t.Context())
		for _, ctx := range []context.Context{t.Context(), t.Context(), gone} {
			all.Go(func() {
				answers <- s.answer(t, sent{url: regional, body: body, key: "ROOT", service: "sts", region: "eu-west-2", ctx: ctx}).Code
			})
			synctest.Wait()
		}
		if n := doing.Load(); n != 1 {
			t.Errorf("%d works at a time, want 1", n)
		}
		leave()
		if code := <-answers; code != http.StatusInternalServerError {
			t.Errorf("the client that is gone: %d", code)
		}
		close(finish)
		all.Wait()
		if first, second := <-answers, <-answers; first != http.StatusOK || second != http.StatusOK {
			t.Errorf("%d and %d", first, second)
		}
	})
}

func TestEventsSayWho(t *testing.T) {
	s := start(t)
	s.answer(t, sent{url: regional, body: get + "&SecretWord=mellon", key: "ROOT", service: "sts", region: "eu-west-2"})
	event := s.last(t)
	if who := event.UserIdentity; who.Type != "IAMUser" || who.UserName != "root" || who.AccessKeyID != "ROOT" || who.AccountID != "111122223333" {
		t.Errorf("%+v", who)
	}
	if text, err := json.Marshal(event); err != nil || strings.Contains(string(text), "mellon") || !event.ReadOnly {
		t.Errorf("%s, %v", text, err)
	}
	s.answer(t, sent{url: regional, body: get, key: "AKIA", service: "sts", region: "eu-west-2"})
	if who := s.last(t).UserIdentity; who.Type != "Unknown" || who.AccessKeyID != "AKIA" || who.AccountID != "" {
		t.Errorf("%+v", who)
	}
	s.answer(t, sent{url: regional, body: "Action=Visit&Version=2011-06-15&Name=eve"})
	if who := s.last(t).UserIdentity; who.Type != "WebIdentityUser" || who.UserName != "eve" || who.IdentityProvider != "visitors" {
		t.Errorf("%+v", who)
	}
}

// TestInjectedFailuresAreMarked checks that events tell a fault from a failure.
func TestInjectedFailuresAreMarked(t *testing.T) {
	s := start(t)
	if _, err := s.Faults().Add(gateway.Fault{Action: "sts:Get", Kind: gateway.FaultThrottle, Count: 1}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"fault", ""} {
		s.answer(t, sent{url: regional, body: get, key: "ROOT", service: "sts", region: "eu-west-2"})
		if got := s.last(t).AdditionalEventData["localaws"]; got != want {
			t.Errorf("marked %q, want %q", got, want)
		}
	}
}

// A broken is the body of a client that leaves before its end.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestIncompleteBodyIsNotTooLong checks the answer to a body that ends too early.
func TestIncompleteBodyIsNotTooLong(t *testing.T) {
	w := httptest.NewRecorder()
	start(t).ServeHTTP(w, httptest.NewRequest(http.MethodPost, regional, broken{}))
	if w.Code != http.StatusBadRequest || !strings.Contains(w.Body.String(), "IncompleteBody") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

// TestLogIsBounded checks that no caller writes long lines into the log.
func TestLogIsBounded(t *testing.T) {
	var log bytes.Buffer
	s := start(t)
	logged := gateway.New(gateway.Config{
		Accounts: s.accounts, Clock: account.NewClock(func() time.Time { return now }), Services: []api.Service{things()}, Unknown: protocol.Of, Trail: trail.New(),
		Random: func() float64 { return 0 }, Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	long := strings.Repeat("x", 100_000)
	for _, what := range []sent{
		{url: regional, body: "Action=" + long + "&Version=2011-06-15"},
		{url: local, key: "ROOT", service: long[:1000], region: long[:1000]},
		{url: regional, body: get, key: "ROOT", service: "sts", region: long[:1000]},
	} {
		log.Reset()
		server{Gateway: logged, trail: trail.New()}.answer(t, what)
		if log.Len() == 0 || log.Len() > 3000 {
			t.Errorf("%d bytes are logged", log.Len())
		}
	}
}

// FuzzGateway checks that no request stops the gateway, and that each has an answer
// and an event.
func FuzzGateway(f *testing.F) {
	s := start(f)
	f.Add("sts.eu-west-2.amazonaws.com", "Action=Get&Version=2011-06-15", "application/x-www-form-urlencoded", "", "")
	f.Add("127.0.0.1:4566", "{}", "application/x-amz-json-1.0", "Others.Get", "AWS4-HMAC-SHA256 Credential=a/20261123/eu-west-2/sts/aws4_request, SignedHeaders=host, Signature=0")
	f.Add("bucket.s3-accesspoint.eu-west-2.amazonaws.com", "", "", "", "")
	f.Fuzz(func(t *testing.T, host, body, contentType, target, authorization string) {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		r.Host = host
		for name, value := range map[string]string{"Content-Type": contentType, "X-Amz-Target": target, "Authorization": authorization} {
			r.Header.Set(name, value)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if _, err := io.ReadAll(w.Result().Body); err != nil || w.Code < 200 || s.last(t).RequestID != w.Header().Get("X-Amzn-Requestid") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
