//go:build e2e

// Package faults takes away what a server needs while it is under load, and gives it
// back: no answer may be wrong, no request may be lost, and sign-in must work again at
// once.
package faults

import (
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/e2e/internal/apiserver"
	"github.com/kube-iam/authenticator/e2e/internal/webhook"
	"github.com/kube-iam/authenticator/internal/loadtest/load"
	"github.com/kube-iam/authenticator/internal/loadtest/program"
	"github.com/kube-iam/authenticator/internal/loadtest/review"
	"github.com/kube-iam/authenticator/internal/loadtest/sts"
)

const (
	clusterID = "faults"
	// users are mapped; the key of a further one is known to STS and not mapped.
	users = 100
	// patience is how long a test waits for what it needs on a slow and busy machine.
	patience = time.Minute
	// recovery is how long sign-in may take to work again. It takes less than a second on
	// an idle machine, which the tests log; a delay that grows in an outage takes longer.
	recovery = 10 * time.Second
)

// A fixture is a server with everything that it depends on.
type fixture struct {
	sts        *sts.Standin
	reviews    review.Maker
	kubernetes *apiserver.Server
	server     *program.Server
	// restartable is the server as it runs again.
	restartable *webhook.Server
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	if os.Getenv("PROVIDER") == "kind" {
		t.Skip("PROVIDER=envtest runs it")
	}
	root, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{kubernetes: apiserver.Start(t, filepath.Join(root, "bin", "k8s"), "")}
	f.sts = webhook.NewSTS(t)
	f.mapUsers(t, users)
	f.restartable = webhook.New(t, "authenticator", filepath.Join(root, "bin", "authenticator"), f.sts)
	f.serve(t)
	return f
}

// mapUsers maps the first users of STS.
func (f *fixture) mapUsers(t *testing.T, count int) {
	t.Helper()
	manifest := "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: aws-auth, namespace: kube-system}\ndata:\n  mapUsers: |\n"
	for user := range count {
		manifest += fmt.Sprintf("    - {userarn: %q, username: u%d, groups: [people]}\n", sts.ARN(user), user)
	}
	f.kubernetes.Kubectl(t, manifest, "apply", "-f", "-")
}

// serve runs the server, and returns when it maps the first user.
func (f *fixture) serve(t *testing.T) {
	t.Helper()
	f.server = f.restartable.Run(t, "--cluster-id", clusterID, "--backend-mode", "EKSConfigMap", "--kubeconfig", f.kubernetes.Kubeconfig, "--sts-region", sts.Region, "--health-port", "0")
	f.await(t, "the mappings", patience, f.newToken(0), review.Yes)
}

// newToken returns TokenReviews of a user, each with a new token.
func (f *fixture) newToken(user int) func() []byte {
	return func() []byte {
		return review.Body(f.reviews.Token(sts.Key(user), sts.Host(sts.Region), sts.Region, 0))
	}
}

// await asks until the server gives an answer.
func (f *fixture) await(t *testing.T, what string, within time.Duration, next func() []byte, want review.Answer) time.Duration {
	t.Helper()
	started := time.Now()
	for {
		answer, _ := f.server.Ask(t.Context(), next())
		took := time.Since(started)
		switch {
		case answer == want:
			return took
		case took > within:
			t.Fatalf("%s: still %s after %s, want %s", what, answer, took, want)
		}
	}
}

// recovers asks until the server says yes, and logs how long that took, in a line that
// hack/bench/README.md searches for.
func (f *fixture) recovers(t *testing.T, what string, next func() []byte) {
	t.Helper()
	logRecovery(t, what, f.await(t, what, recovery, next, review.Yes))
}

func logRecovery(t *testing.T, what string, took time.Duration) {
	t.Helper()
	t.Logf("recovery: %s: %.3f s", what, took.Seconds())
	if took > recovery {
		t.Errorf("recovery: %s: it takes longer than %s", what, recovery)
	}
}

// inFlight returns how many TokenReviews the server has not answered yet.
func (f *fixture) inFlight(t *testing.T) int {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	answer, err := client.Get("https://" + f.restartable.Address + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^aws_iam_authenticator_authenticate_requests_in_flight (\d+)$`).FindSubmatch(text)
	if found == nil {
		t.Fatalf("the metrics do not count the requests in flight:\n%s", text)
	}
	count, err := strconv.Atoi(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	return count
}

// answers count what one kind of TokenReviews is answered.
type answers [review.Answers]int

// load sends TokenReviews, 100 a second of each kind, until the returned function is
// called, which returns what was answered: of new tokens of a mapped user, of one token
// that is cached, and of an unmapped user.
func (f *fixture) load(t *testing.T) (stop func() (fresh, cached, unmapped answers)) {
	t.Helper()
	again := f.newToken(1)()
	f.await(t, "the cached token", patience, func() []byte { return again }, review.Yes)
	done := make(chan struct{})
	var counts [3]answers
	var running sync.WaitGroup
	for i, next := range []func() []byte{f.newToken(2), func() []byte { return again }, f.newToken(users)} {
		running.Go(func() {
			tick := time.NewTicker(10 * time.Millisecond)
			defer tick.Stop()
			for {
				select {
				case <-tick.C:
					answer, _ := f.server.Ask(t.Context(), next())
					counts[i][answer]++
				case <-done:
					return
				}
			}
		})
	}
	return func() (fresh, cached, unmapped answers) {
		close(done)
		running.Wait()
		return counts[0], counts[1], counts[2]
	}
}

// check reports answers that must not be.
func check(t *testing.T, what string, counts answers, never ...review.Answer) {
	t.Helper()
	var said []string
	for answer, n := range counts {
		said = append(said, fmt.Sprintf("%d %s", n, review.Answer(answer)))
		if n > 0 && slices.Contains(never, review.Answer(answer)) {
			t.Errorf("%s: %d are answered %s", what, n, review.Answer(answer))
		}
	}
	t.Logf("%s: %s", what, strings.Join(said, ", "))
}

// TestSTSKilled makes STS unreachable: who is verified stays in, and nobody is refused
// who is not.
func TestSTSKilled(t *testing.T) {
	f := newFixture(t)
	stop := f.load(t)
	time.Sleep(time.Second) // before anything is wrong
	f.sts.SetDown(true)
	f.await(t, "STS is down", patience, f.newToken(3), review.Undecided)
	time.Sleep(3 * time.Second) // an outage
	f.sts.SetDown(false)
	f.recovers(t, "STS is back", f.newToken(3))
	fresh, cached, unmapped := stop()
	check(t, "new tokens", fresh, review.No, review.Failed)
	check(t, "a cached token", cached, review.No, review.Undecided, review.Failed)
	check(t, "an unmapped user", unmapped, review.Yes, review.Failed)
}

// TestAPIServerKilled ends kube-apiserver: the mappings stay in force, and an edit acts
// as soon as it is back.
func TestAPIServerKilled(t *testing.T) {
	f := newFixture(t)
	stop := f.load(t)
	time.Sleep(time.Second) // before anything is wrong
	f.kubernetes.Kill(t)
	time.Sleep(5 * time.Second) // an outage, longer than the first delays of client-go
	f.kubernetes.StartAgain(t)
	f.mapUsers(t, users+2)
	f.recovers(t, "an edit once kube-apiserver is back", f.newToken(users+1))
	fresh, cached, _ := stop()
	check(t, "new tokens", fresh, review.No, review.Undecided, review.Failed)
	check(t, "a cached token", cached, review.No, review.Undecided, review.Failed)
}

// A sender sends TokenReviews of one kind, one after the other.
type sender struct {
	name   string
	client *load.Client
	next   func() []byte
	want   review.Answer
	// answered counts the right answers.
	answered atomic.Int64
}

// send sends until the server is stopping and does not listen any more. Each request that
// was sent must be answered: only a new connection may be refused.
func (s *sender) send(t *testing.T, isStopping *atomic.Bool) {
	for {
		var sent atomic.Bool
		ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
			GetConn:      func(string) { sent.Store(false) }, // HTTP/2 may ask to send it again
			WroteHeaders: func() { sent.Store(true) },
		})
		switch answer, status := s.client.Ask(ctx, s.next()); {
		case answer == s.want:
			s.answered.Add(1)
		case answer == review.Failed && !sent.Load() && isStopping.Load():
			return
		default:
			t.Errorf("%s: after %d answers, a request is answered %s (HTTP status %d), want %s", s.name, s.answered.Load(), answer, status, s.want)
			return
		}
	}
}

// senders returns some of each kind of TokenReviews, each with a connection: of HTTP/2, as
// from kube-apiserver, or of HTTP/1.1.
func (f *fixture) senders(t *testing.T, ofEach int) (all []*sender) {
	t.Helper()
	again := f.newToken(1)()
	f.await(t, "the cached token", patience, func() []byte { return again }, review.Yes)
	for range ofEach {
		for protocol, newClient := range map[string]func(address string) *load.Client{"HTTP/2": load.NewClient, "HTTP/1.1": load.NewHTTP1Client} {
			for _, s := range []*sender{
				{name: "new tokens", next: f.newToken(2), want: review.Yes},
				{name: "a cached token", next: func() []byte { return again }, want: review.Yes},
				{name: "an unmapped user", next: f.newToken(users), want: review.No},
			} {
				s.name, s.client = protocol+", "+s.name, newClient(f.restartable.Address)
				t.Cleanup(s.client.Close)
				all = append(all, s)
			}
		}
	}
	return all
}

// TestTerminated ends the server while requests wait for STS, and while others keep being
// sent: each that was sent gets its answer, and the next server signs people in at once.
func TestTerminated(t *testing.T) {
	const waiting = 32
	f := newFixture(t)
	f.sts.RefuseAfter(time.Hour) // the server waits 4 s
	results := make(chan review.Answer, waiting)
	for i := range waiting {
		body := review.Body(f.reviews.Token(sts.UnknownKey(i), sts.Host(sts.Region), sts.Region, 0))
		go func() {
			answer, _ := f.server.Ask(t.Context(), body)
			results <- answer
		}()
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for f.inFlight(t)+len(results) < waiting { // not all have arrived
		<-tick.C
	}
	senders := f.senders(t, 8)
	var isStopping atomic.Bool
	var sending sync.WaitGroup
	for _, s := range senders {
		sending.Go(func() { s.send(t, &isStopping) })
	}
	for slices.ContainsFunc(senders, func(s *sender) bool { return s.answered.Load() < 10 }) && !t.Failed() {
		<-tick.C
	}
	before := make([]int64, len(senders))
	for i, s := range senders {
		before[i] = s.answered.Load()
	}
	isStopping.Store(true)
	if err := f.server.Terminate(); err != nil {
		t.Fatal(err)
	}
	sending.Wait()
	during := map[string]int64{}
	for i, s := range senders {
		during[s.name] += s.answered.Load() - before[i]
	}
	for name, answers := range during {
		t.Logf("%s: %d answers after SIGTERM", name, answers)
		if answers == 0 {
			t.Errorf("%s: no answer after SIGTERM: that is no load", name)
		}
	}
	for range waiting {
		if answer := <-results; answer != review.No && answer != review.Undecided {
			t.Errorf("a request in flight is answered %s", answer)
		}
	}
	started := time.Now()
	f.serve(t)
	logRecovery(t, "the next server after SIGTERM", time.Since(started))
}
