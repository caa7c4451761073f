package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	authenticationv1 "k8s.io/api/authentication/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	tokenwebhook "k8s.io/apiserver/plugin/pkg/authenticator/token/webhook"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/certificate"
	"github.com/kube-iam/authenticator/internal/httpserver"
	"github.com/kube-iam/authenticator/internal/kubeconfig"
	"github.com/kube-iam/authenticator/internal/metrics"
	"github.com/kube-iam/authenticator/internal/webhook"
)

// decide makes a decision of each outcome: a token is the outcome's name.
func decide(_ context.Context, bearer string) *authn.Decision {
	d := &authn.Decision{Outcome: authn.Outcome(bearer), ID: "K3QF7M2A", Err: errors.New("because")}
	switch d.Outcome {
	case authn.Mapped:
		d.Err = nil
		d.User = authn.User{Username: "bob", UID: "uid", Groups: []string{"people"}, Extra: []authn.Extra{{Key: "arn", Value: "arn:aws:iam::231144931069:user/bob"}}}
	case authn.Refused, authn.Unmapped, authn.Denied:
		d.Reason = "the reason"
	}
	return d
}

// forAny decides about the tokens of every cluster alike.
func forAny(authenticate func(context.Context, string) *authn.Decision) func(context.Context, string, string) (*authn.Decision, error) {
	return func(ctx context.Context, _, token string) (*authn.Decision, error) {
		return authenticate(ctx, token), nil
	}
}

func handler(t testing.TB, authenticate func(context.Context, string) *authn.Decision) http.Handler {
	t.Helper()
	return handlerWith(t, metrics.New(), authenticate)
}

func handlerWith(t testing.TB, m *metrics.Metrics, authenticate func(context.Context, string) *authn.Decision) http.Handler {
	t.Helper()
	h, err := webhook.NewHandler(webhook.Config{Authenticate: forAny(authenticate), Metrics: m})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func review(version, bearer string) string {
	return fmt.Sprintf(`{"apiVersion":"authentication.k8s.io/%s","kind":"TokenReview","spec":{"token":%q,"audiences":["https://kubernetes.default.svc"]}}`, version, bearer)
}

func post(h http.Handler, contentType, body string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/authenticate", strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// TestAnswers is the table of docs/protocol.md.
func TestAnswers(t *testing.T) {
	h := handler(t, decide)
	answers := map[authn.Outcome]struct {
		status        int
		authenticated bool
		reason        string
	}{
		authn.Mapped:         {200, true, ""},
		authn.Malformed:      {200, false, ""},
		authn.Expired:        {200, false, ""},
		authn.Refused:        {200, false, "the reason"},
		authn.Unmapped:       {200, false, "the reason"},
		authn.Denied:         {200, false, "the reason"},
		authn.Throttled:      {503, false, ""},
		authn.Unreachable:    {503, false, ""},
		authn.Saturated:      {503, false, ""},
		authn.MappingUnknown: {503, false, ""},
		"an unknown outcome": {503, false, ""},
	}
	for outcome, want := range answers {
		for _, version := range []string{"v1", "v1beta1"} {
			w := post(h, "application/json", review(version, string(outcome)))
			if w.Code != want.status || w.Header().Get("Retry-After") != "" {
				t.Errorf("%s: HTTP %d, %v", outcome, w.Code, w.Header())
			}
			if w.Code != http.StatusOK {
				if !strings.Contains(w.Body.String(), `"kind":"Status"`) || !strings.Contains(w.Body.String(), `(decision K3QF7M2A)"`) {
					t.Errorf("%s: %s is answered", outcome, w.Body)
				}
				continue
			}
			var answer authenticationv1.TokenReview
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
				t.Fatal(err)
			}
			if answer.APIVersion != "authentication.k8s.io/"+version || answer.Kind != "TokenReview" {
				t.Errorf("%s: %s %s is answered to %s", outcome, answer.APIVersion, answer.Kind, version)
			}
			if answer.Status.Authenticated != want.authenticated || answer.Status.Error != want.reason || answer.Status.Audiences != nil || answer.Spec.Token != "" {
				t.Errorf("%s: %+v", outcome, answer)
			}
			if (answer.Status.User.Username == "bob") != want.authenticated {
				t.Errorf("%s: signed in as %+v", outcome, answer.Status.User)
			}
		}
	}
	for _, outcome := range authn.Outcomes() {
		if _, listed := answers[outcome]; !listed {
			t.Errorf("%s has no row in the table", outcome)
		}
	}
}

// TestOutcomesAreDocumented holds the table of results in docs/operations.md to all there are.
func TestOutcomesAreDocumented(t *testing.T) {
	want := []string{"malformed_request"}
	for _, outcome := range authn.Outcomes() {
		want = append(want, string(outcome))
	}
	var documented []string
	text, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for row := range strings.Lines(string(text)) {
		result, answered, _ := strings.Cut(strings.TrimPrefix(strings.TrimSuffix(row, "\n"), "| `"), "` |")
		if !regexp.MustCompile(`\| (200|400|503)[^|]* \|$`).MatchString(answered) {
			continue // another table
		}
		documented = append(documented, result)
		if status := post(handler(t, decide), "application/json", review("v1", result)).Code; result != "malformed_request" && !strings.Contains(answered, fmt.Sprintf("| %d", status)) {
			t.Errorf("%s is answered by %d: %s", result, status, row)
		}
	}
	slices.Sort(want)
	slices.Sort(documented)
	if diff := cmp.Diff(want, documented); diff != "" {
		t.Errorf("docs/operations.md (-there are +documented)\n%s", diff)
	}
}

func TestBadRequests(t *testing.T) {
	h := handler(t, func(context.Context, string) *authn.Decision {
		t.Error("a decision is asked for")
		return &authn.Decision{}
	})
	const secret = "SECRETTOKEN"
	for name, test := range map[string]struct {
		contentType, body string
		want              int
	}{
		"nothing":             {"application/json", "", 400},
		"no JSON":             {"application/json", secret, 400},
		"another kind":        {"application/json", `{"apiVersion":"authentication.k8s.io/v1","kind":"Pod","spec":{"token":"SECRETTOKEN"}}`, 400},
		"another version":     {"application/json", review("v2", secret), 400},
		"another group":       {"application/json", strings.Replace(review("v1", secret), "authentication.k8s.io", "example.com", 1), 400},
		"no version":          {"application/json", `{"kind":"TokenReview","spec":{"token":"SECRETTOKEN"}}`, 400},
		"a token of a number": {"application/json", `{"apiVersion":"authentication.k8s.io/v1","kind":"TokenReview","spec":{"token":5}}`, 400},
		"trailing data":       {"application/json", review("v1", secret) + `{}`, 400},
		"another type":        {"text/plain", review("v1", secret), 415},
		"no type":             {"", review("v1", secret), 415},
		"64 KiB and one":      {"application/json", review("v1", strings.Repeat("x", 64*1024)), 413},
		"a million":           {"application/json", review("v1", strings.Repeat("x", 1_000_000)), 413},
	} {
		w := post(h, test.contentType, test.body)
		if w.Code != test.want || !strings.Contains(w.Body.String(), `"kind":"Status"`) {
			t.Errorf("%s: HTTP %d %s, want %d", name, w.Code, w.Body, test.want)
		}
		if strings.Contains(w.Body.String(), secret) {
			t.Errorf("%s: the answer quotes the token: %s", name, w.Body)
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/authenticate", nil))
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != http.MethodPost {
		t.Errorf("GET: HTTP %d, %v", w.Code, w.Header())
	}
}

func TestRequestsAreCounted(t *testing.T) {
	m := metrics.New()
	h := handlerWith(t, m, decide)
	post(h, "application/json", review("v1", "mapped"))
	post(h, "text/plain", "")
	for _, want := range []string{`authenticate_latency_seconds_count{result="malformed_request"} 1`, `authenticate_latency_seconds_count{result="refused"} 0`, "authenticate_requests_in_flight 0"} {
		if text := scrape(m); !strings.Contains(text, "\naws_iam_authenticator_"+want+"\n") {
			t.Errorf("/metrics lacks %s", want)
		}
	}
}

func scrape(m *metrics.Metrics) string {
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	return w.Body.String()
}

// served is the handler on a server that runs.
type served struct {
	url, kubeconfig string
	stop            context.CancelFunc
	ended           chan error
}

// serve runs the real server; the kubeconfig is the one that it writes.
func serve(t testing.TB, h http.Handler) *served {
	t.Helper()
	dir := t.TempDir()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := certificate.StateFiles(dir).LoadOrGenerate(t.Context(), "localhost", "127.0.0.1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	serving, err := certificate.New(certificate.Config{Hostname: "localhost", Address: "127.0.0.1"}, pair)
	if err != nil {
		t.Fatal(err)
	}
	s := &served{url: "https://" + listener.Addr().String() + "/authenticate", kubeconfig: filepath.Join(dir, "kubeconfig.yaml"), ended: make(chan error, 1)}
	if err := kubeconfig.Write(s.kubeconfig, s.url, serving.Trusted(), kubeconfig.Client{}); err != nil {
		t.Fatal(err)
	}
	server := httpserver.New(nil, httpserver.Endpoint{
		Handler: h, Listener: listener, Certificate: serving.Certificate,
	})
	var ctx context.Context
	ctx, s.stop = context.WithCancel(t.Context())
	go func() { s.ended <- server.Serve(ctx) }()
	return s
}

// end stops the server and waits for it.
func (s *served) end(t testing.TB) {
	t.Helper()
	s.stop()
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
}

// TestKubeAPIServersOwnClient asks as a kube-apiserver does, with its own code.
func TestKubeAPIServersOwnClient(t *testing.T) {
	var mu sync.Mutex
	asked := map[string]int{}
	h := handler(t, func(ctx context.Context, bearer string) *authn.Decision {
		mu.Lock()
		asked[bearer]++
		mu.Unlock()
		return decide(ctx, bearer)
	})
	s := serve(t, h)
	defer s.end(t)
	config, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	for _, version := range []string{"v1", "v1beta1"} {
		client, err := tokenwebhook.New(rest.CopyConfig(config), version, nil, wait.Backoff{Duration: time.Millisecond, Factor: 1, Steps: 5})
		if err != nil {
			t.Fatal(err)
		}
		clear(asked)
		for _, outcome := range authn.Outcomes() {
			response, ok, err := client.AuthenticateToken(t.Context(), string(outcome))
			switch outcome {
			case authn.Mapped:
				if err != nil || !ok || response.User.GetName() != "bob" || response.User.GetGroups()[0] != "people" || response.User.GetExtra()["arn"][0] != "arn:aws:iam::231144931069:user/bob" {
					t.Errorf("%s %s: %+v, %v, %v", version, outcome, response, ok, err)
				}
			case authn.Malformed, authn.Expired:
				if err != nil || ok {
					t.Errorf("%s %s: %v, %v; want a no that is cached", version, outcome, ok, err)
				}
			default:
				if err == nil || ok {
					t.Errorf("%s %s: %v, %v; want an error, which is not cached", version, outcome, ok, err)
				}
			}
			if asked[string(outcome)] != 1 {
				t.Errorf("%s %s: asked %d times, want once", version, outcome, asked[string(outcome)])
			}
		}
	}
}

// TestShutdownDropsNoRequest stops the server while it decides.
func TestShutdownDropsNoRequest(t *testing.T) {
	asked, release := make(chan struct{}), make(chan struct{})
	h := handler(t, func(ctx context.Context, bearer string) *authn.Decision {
		close(asked)
		<-release
		return decide(ctx, bearer)
	})
	s := serve(t, h)
	config, err := clientcmd.BuildConfigFromFlags("", s.kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	client, err := rest.HTTPClientFor(config)
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	answered := make(chan error, 1)
	go func() {
		answer, err := client.Post(config.Host, "application/json", bytes.NewReader([]byte(review("v1", "mapped"))))
		if err == nil {
			defer answer.Body.Close()
			var body []byte
			body, err = io.ReadAll(answer.Body)
			if err == nil && !strings.Contains(string(body), `"authenticated":true`) {
				err = fmt.Errorf("answered %s", body)
			}
		}
		answered <- err
	}()
	<-asked
	s.stop()
	select {
	case err := <-s.ended:
		t.Fatalf("it ended with a request under way: %v", err)
	case err := <-answered:
		t.Fatalf("the request was dropped: %v", err)
	default:
	}
	close(release)
	if err := <-answered; err != nil {
		t.Error(err)
	}
	if err := <-s.ended; err != nil {
		t.Error(err)
	}
}

func TestNewHandlerRefuses(t *testing.T) {
	if _, err := webhook.NewHandler(webhook.Config{}); err == nil {
		t.Error("a webhook that decides nothing is served")
	}
}

func FuzzAuthenticate(f *testing.F) {
	f.Add("application/json", review("v1", "mapped"))
	f.Add("application/json; charset=utf-8", review("v1beta1", "refused"))
	f.Add("", "")
	h := handler(f, decide)
	f.Fuzz(func(t *testing.T, contentType, body string) {
		w := post(h, contentType, body)
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("HTTP %d %q is not JSON", w.Code, w.Body)
		}
	})
}
