package verify_test

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/token"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	sessionToken = "SECRETSESSIONTOKEN"
	signature    = "5f0e3bd1a7c94c0a3f6b2d8e1a9c7b5d4e3f2a1b0c9d8e7f6a5b4c3d2e1f0a9b"
)

func request(t testing.TB) token.Request {
	t.Helper()
	return requestTo(t, "https://sts.eu-west-2.amazonaws.com")
}

// requestTo AWS, or to an endpoint without TLS.
func requestTo(t testing.TB, endpoint string) token.Request {
	t.Helper()
	hosts, err := token.NewHosts("aws")
	if err == nil && strings.HasPrefix(endpoint, "http:") {
		hosts, err = hosts.WithEndpoint(endpoint)
	}
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 11, 23, 8, 24, 57, 0, time.UTC)
	r, err := token.Parse(token.Encode(endpoint+"/?Action=GetCallerIdentity&Version=2011-06-15"+
		"&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIATLABCDEFGHIJKLM2%2F20261123%2Feu-west-2%2Fsts%2Faws4_request"+
		"&X-Amz-Date=20261123T082457Z&X-Amz-Expires=60&X-Amz-Security-Token="+sessionToken+
		"&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Signature="+signature), hosts, now)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sts is a server that says it is STS, and the transport that leads to it.
func sts(t testing.TB, handler http.HandlerFunc) *http.Transport {
	t.Helper()
	server := httptest.NewTLSServer(handler)
	t.Cleanup(server.Close)
	transport := server.Client().Transport.(*http.Transport)
	transport.TLSClientConfig.ServerName = "example.com" // the test certificate's
	transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, server.Listener.Addr().String())
	}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

func verifier(t testing.TB, transport http.RoundTripper, observe func(verify.Observation)) *verify.STS {
	t.Helper()
	v := verify.New(verify.Config{Transport: transport, Observe: observe})
	t.Cleanup(v.Close)
	return v
}

const jsonAnswer = `{"GetCallerIdentityResponse":{"GetCallerIdentityResult":{"Account":"231144931069","Arn":"arn:aws:iam::231144931069:user/bob","UserId":"AIDAEXAMPLE"},"ResponseMetadata":{"RequestId":"x"}}}`

const xmlAnswer = `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Arn>arn:aws:iam::231144931069:user/bob</Arn><UserId>AIDAEXAMPLE</UserId><Account>231144931069</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`

func TestVerify(t *testing.T) {
	for name, body := range map[string]string{"JSON": jsonAnswer, "XML": xmlAnswer} {
		t.Run(name, func(t *testing.T) {
			transport := sts(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method != http.MethodGet || r.Host != "sts.eu-west-2.amazonaws.com" || "https://"+r.Host+r.RequestURI != request(t).URL() {
					t.Errorf("asked %s %s%s", r.Method, r.Host, r.RequestURI)
				}
				if r.Header.Get("x-k8s-aws-id") != "kubedemy" || r.Header.Get("Accept") != "application/json" || r.Header.Get("Authorization") != "" {
					t.Errorf("with %v", r.Header)
				}
				fmt.Fprint(w, body)
			})
			got, err := verifier(t, transport, nil).Verify(t.Context(), "kubedemy", request(t))
			if err != nil {
				t.Fatal(err)
			}
			want := identity.Principal{
				ARN: "arn:aws:iam::231144931069:user/bob", CanonicalARN: "arn:aws:iam::231144931069:user/bob", Partition: "aws",
				AccountID: "231144931069", UserID: "AIDAEXAMPLE", PrincipalID: "AIDAEXAMPLE", AccessKeyID: "AKIATLABCDEFGHIJKLM2",
			}
			if diff := cmp.Diff(want, got.Principal()); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// TestEndpoint asks an endpoint that is not AWS's without TLS, by the host that
// was signed, and follows it nowhere.
func TestEndpoint(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if "http://"+r.Host+r.RequestURI != requestTo(t, "http://"+r.Host).URL() || r.Header.Get("x-k8s-aws-id") != "kubedemy" {
			t.Errorf("asked %s%s with %v", r.Host, r.RequestURI, r.Header)
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		fmt.Fprint(w, jsonAnswer)
	}))
	defer server.Close()
	v, r := verifier(t, server.Client().Transport, nil), requestTo(t, server.URL)
	if got, err := v.Verify(t.Context(), "kubedemy", r); err != nil || got.Principal().ARN != "arn:aws:iam::231144931069:user/bob" {
		t.Errorf("%+v, %v", got, err)
	}
	status = http.StatusFound
	_, err := v.Verify(t.Context(), "kubedemy", r)
	if _, ok := errors.AsType[*verify.AnswerError](err); !ok {
		t.Errorf("a redirect: %T %v", err, err)
	}
}

// TestAnswers says for every answer what it means. Only an error of AWS's own
// that is not throttling is a refusal.
func TestAnswers(t *testing.T) {
	refused, throttled, nonsense := any(new(*verify.RefusedError)), any(new(*verify.ThrottledError)), any(new(*verify.AnswerError))
	aws := func(code string) string {
		return `{"Error":{"Code":"` + code + `","Message":"` + sessionToken + `","Type":"Sender"},"RequestId":"x"}`
	}
	answer := func(account, arn, userID string) string {
		return `{"GetCallerIdentityResponse":{"GetCallerIdentityResult":{"Account":"` + account + `","Arn":"` + arn + `","UserId":"` + userID + `"}}}`
	}
	for name, test := range map[string]struct {
		status int
		body   string
		want   any
		tries  int
	}{
		"an unknown key":              {403, aws("InvalidClientTokenId"), refused, 1},
		"a bad signature":             {403, aws("SignatureDoesNotMatch"), refused, 1},
		"an expired session":          {403, aws("ExpiredToken"), refused, 1},
		"a refusal in XML":            {403, `<ErrorResponse><Error><Type>Sender</Type><Code>SignatureDoesNotMatch</Code></Error></ErrorResponse>`, refused, 1},
		"throttling":                  {400, aws("Throttling"), throttled, 1},
		"throttling by another code":  {400, aws("RequestLimitExceeded"), throttled, 1},
		"throttling by status":        {429, ``, throttled, 1},
		"a refusal that names it":     {403, `{"Error":{"Code":"AccessDenied","Message":"Throttling"}}`, refused, 1},
		"a proxy's page":              {403, `<html><body>Forbidden by policy</body></html>`, nonsense, 1},
		"a proxy that wants a login":  {407, `login`, nonsense, 1},
		"an empty refusal":            {403, ``, nonsense, 1},
		"a failure":                   {500, `<html>`, nonsense, 2},
		"a failure with a code":       {500, aws("InternalFailure"), nonsense, 2},
		"an empty answer":             {200, ``, nonsense, 1},
		"a page":                      {200, `<html>`, nonsense, 1},
		"no identity":                 {200, `{}`, nonsense, 1},
		"a redirect":                  {302, ``, nonsense, 1},
		"another account":             {200, answer("111122223333", "arn:aws:iam::231144931069:user/bob", "AIDA"), nonsense, 1},
		"another partition":           {200, answer("231144931069", "arn:aws-cn:iam::231144931069:user/bob", "AIDA"), nonsense, 1},
		"an identity and more":        {200, jsonAnswer + `{}`, nonsense, 1},
		"an identity twice":           {200, answer("231144931069", `arn:aws:iam::231144931069:user/bob","Arn":"arn:aws:iam::231144931069:user/eve`, "AIDA"), nonsense, 1},
		"names in small letters":      {200, strings.ToLower(jsonAnswer), nonsense, 1},
		"a number as the account":     {200, strings.Replace(jsonAnswer, `"231144931069"`, `231144931069`, 1), nonsense, 1},
		"a code that is a number":     {403, `{"Error":{"Code":403}}`, nonsense, 1},
		"another action's answer":     {200, `{"GetSessionTokenResponse":{"GetSessionTokenResult":{}}}`, nonsense, 1},
		"an answer that does not end": {200, strings.Replace(jsonAnswer, "AIDAEXAMPLE", strings.Repeat("A", 70_000), 1), nonsense, 1},
	} {
		t.Run(name, func(t *testing.T) {
			var tries atomic.Int32
			transport := sts(t, func(w http.ResponseWriter, r *http.Request) {
				tries.Add(1)
				if r.URL.Path == "/elsewhere" {
					t.Error("the redirect is followed")
				}
				w.Header().Set("Location", "https://sts.eu-west-2.amazonaws.com/elsewhere")
				w.WriteHeader(test.status)
				fmt.Fprint(w, test.body)
			})
			got, err := verifier(t, transport, nil).Verify(t.Context(), "kubedemy", request(t))
			if !errors.As(err, test.want) {
				t.Errorf("%T %v, want %T", err, err, test.want)
			}
			if got != (identity.Identity{}) {
				t.Errorf("an error, and yet %+v", got)
			}
			if int(tries.Load()) != test.tries {
				t.Errorf("tried %d times, want %d", tries.Load(), test.tries)
			}
			givesNothingAway(t, err)
		})
	}
}

func givesNothingAway(t *testing.T, err error) {
	t.Helper()
	for _, text := range []string{err.Error(), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
		if strings.Contains(text, sessionToken) || strings.Contains(text, signature) || strings.Contains(text, "X-Amz-") {
			t.Errorf("the error gives the request away: %s", text)
		}
	}
}

type failing struct{ err error }

func (f failing) RoundTrip(*http.Request) (*http.Response, error) { return nil, f.err }

func TestUnreachable(t *testing.T) {
	for name, cause := range map[string]error{
		"refused":     &net.OpError{Op: "dial", Err: errors.New("connection refused")},
		"no host":     &net.DNSError{Err: "no such host", Name: "sts.eu-west-2.amazonaws.com"},
		"certificate": x509.UnknownAuthorityError{},
		"cut off":     io.ErrUnexpectedEOF,
	} {
		t.Run(name, func(t *testing.T) {
			var observed []verify.Observation
			v := verifier(t, failing{cause}, func(o verify.Observation) { observed = append(observed, o) })
			_, err := v.Verify(t.Context(), "kubedemy", request(t))
			unreachable, ok := errors.AsType[*verify.UnreachableError](err)
			if !ok || !errors.Is(unreachable, cause) {
				t.Errorf("%T %v", err, err)
			}
			givesNothingAway(t, err)
			if len(observed) != 2 || observed[0].Status != 0 || observed[0].Region != "eu-west-2" {
				t.Errorf("observed %+v, want two tries", observed)
			}
		})
	}
}

// slow is a transport that fails after a while.
type slow struct {
	after time.Duration
	tries int
}

func (s *slow) RoundTrip(r *http.Request) (*http.Response, error) {
	s.tries++
	select {
	case <-time.After(s.after):
		return nil, io.ErrUnexpectedEOF
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// TestTime checks how long a verification takes: a quick failure is repeated, a slow
// one would hold up others for as long again.
func TestTime(t *testing.T) {
	for name, test := range map[string]struct {
		after, want time.Duration
		tries       int
	}{
		"fails at once":       {0, 0, 2},
		"fails within 1 s":    {900 * time.Millisecond, 1800 * time.Millisecond, 2},
		"fails after 2 s":     {2 * time.Second, 2 * time.Second, 1},
		"gives no answer":     {time.Hour, 4 * time.Second, 1},
		"is just out of time": {4 * time.Second, 4 * time.Second, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			transport, started := &slow{after: test.after}, time.Now()
			_, err := verifier(t, transport, nil).Verify(t.Context(), "kubedemy", request(t))
			if _, ok := errors.AsType[*verify.UnreachableError](err); !ok {
				t.Errorf("%s: %T %v", name, err, err)
			}
			if took := time.Since(started); took != test.want || transport.tries != test.tries {
				t.Errorf("%s: %d tries in %s, want %d in %s", name, transport.tries, took, test.tries, test.want)
			}
		})
	}
}

func TestCallerGivesUp(t *testing.T) {
	asked, release := make(chan struct{}), make(chan struct{})
	transport := sts(t, func(http.ResponseWriter, *http.Request) {
		close(asked)
		<-release // whoever gives up does not get an answer because of it
	})
	defer close(release)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	_, err := verifier(t, transport, nil).Verify(ctx, "kubedemy", request(t))
	if _, ok := errors.AsType[*verify.UnreachableError](err); !ok || !errors.Is(err, context.Canceled) {
		t.Errorf("%T %v", err, err)
	}
}

// TestCertificateOfAnotherName checks that the verifier's own client rejects a server
// that is not STS, which it reaches through a proxy from the environment. It
// comes before every other test of that client, since net/http reads HTTPS_PROXY
// once.
func TestCertificateOfAnotherName(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was asked") }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	defer server.Close()
	pool := x509.NewCertPool()
	pool.AddCert(server.Certificate())
	t.Setenv("HTTPS_PROXY", newConnectProxy(t, server.Listener.Addr().String()))
	v := verify.New(verify.Config{RootCAs: pool})
	defer v.Close()
	_, err := v.Verify(t.Context(), "kubedemy", request(t))
	if _, ok := errors.AsType[x509.HostnameError](err); !ok {
		t.Errorf("%T %v", err, err)
	}
}

// newConnectProxy answers CONNECT by a tunnel to one address, whatever is asked for.
func newConnectProxy(t *testing.T, address string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		upstream, err := net.Dial("tcp", address)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
			return
		}
		defer upstream.Close()
		client, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer client.Close()
		fmt.Fprint(client, "HTTP/1.1 200 OK\r\n\r\n")
		done := make(chan struct{})
		go func() { defer close(done); _, _ = io.Copy(upstream, client); _ = upstream.Close() }()
		_, _ = io.Copy(client, upstream)
		_ = client.Close()
		<-done
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// TestConnections sends requests at once: none waits for the connection of another,
// and the next ones use the same connections.
func TestConnections(t *testing.T) {
	const atOnce = 70
	var made atomic.Int32
	var arrived sync.WaitGroup
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		arrived.Done()
		arrived.Wait()
		fmt.Fprint(w, jsonAnswer)
	}))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			made.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	v := verify.New(verify.Config{MaxIdleConnections: atOnce})
	defer v.Close()
	r := requestTo(t, server.URL)
	for range 3 {
		arrived.Add(atOnce)
		var all sync.WaitGroup
		for range atOnce {
			all.Go(func() {
				if _, err := v.Verify(t.Context(), "kubedemy", r); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	if got := made.Load(); got != atOnce {
		t.Errorf("%d connections are made for 3 × %d requests", got, atOnce)
	}
}

func BenchmarkVerify(b *testing.B) {
	v := verifier(b, sts(b, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, jsonAnswer) }), nil)
	r := request(b)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := v.Verify(context.Background(), "kubedemy", r); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
