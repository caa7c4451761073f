//go:build e2e

package e2e

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/internal/authn"
	decisionlog "github.com/kube-iam/authenticator/internal/decisions"
	"github.com/kube-iam/authenticator/internal/unixsocket"
	"github.com/kube-iam/authenticator/pkg/lab"
)

// memoryLimit is that of the manifests.
const memoryLimit = 192 << 20

// TestFloodForADeadRegion sends junk tokens for a region whose STS never answers.
// Users of healthy regions sign in throughout, even with a key that the
// authenticator has never seen.
func TestFloodForADeadRegion(t *testing.T) {
	const region, goal = "eu-north-1", 96 << 20
	f := newFlooded(t)
	newcomer := newUser(t, "newcomer")
	setAWSAuth(t, map[string]string{"mapUsers": mapUsers(f.user.user, newcomer.user)})
	addFault(t, "sts:* latency --latency 1h --region "+region)
	f.start(t)

	f.flood(t, region, f.people(t), client{"a newcomer", time.Second, newBearer(t, newcomer).signIn})
	if peak := f.server.peakMemory(t); peak > goal {
		t.Errorf("the authenticator took %d MiB, and the goal is %d MiB", peak>>20, goal>>20)
	}
}

// TestFloodWhileSTSIsSlowToRefuse sends junk tokens for the users' own region, whose
// STS takes 5 s to refuse them. Users with a key that STS accepted within the hour
// sign in throughout.
func TestFloodWhileSTSIsSlowToRefuse(t *testing.T) {
	f := newFlooded(t)
	setAWSAuth(t, map[string]string{"mapUsers": mapUsers(f.user.user)})
	addFault(t, "sts:* latency --latency 5s --access-key '"+junkKeys+"*'")
	f.start(t)

	f.flood(t, lab.Region, f.people(t))
}

func mapUsers(names ...string) string {
	entries := ""
	for _, name := range names {
		entries += "- userarn: arn:aws:iam::231144931069:user/" + name + "\n  username: " + name + "\n"
	}
	return entries
}

// addFault adds a fault to local AWS until the test ends.
func addFault(t *testing.T, arguments string) {
	t.Helper()
	faults := filepath.Join(filepath.Dir(suite.Info().Authenticator), "localaws") + " faults" +
		" --listen " + strings.TrimPrefix(suite.Info().AWS, "http://") + " --state-dir " + filepath.Join(suite.Info().Dir, "aws")
	s := newShell(t, awsCLIs(t)[0])
	id := strings.TrimSpace(s.run(faults + " add --output name " + arguments))
	t.Cleanup(func() { s.run(faults + " clear " + id) })
}

// flooded is an authenticator with the memory limit of the manifests, and a user who
// has signed in there.
type flooded struct {
	user   accessKey
	server *process
}

func newFlooded(t *testing.T) *flooded {
	t.Helper()
	if provider := suite.Info().Provider; provider != lab.Envtest {
		t.Skipf("with provider %s the authenticator is not a process of this machine whose memory can be limited: use PROVIDER=%s", provider, lab.Envtest)
	}
	return &flooded{user: newUser(t, "flooded")}
}

// start restarts the authenticator to reset its memory peak, limits its memory, and
// has its user sign in once.
func (f *flooded) start(t *testing.T) {
	t.Helper()
	restart := func() {
		if err := suite.RestartAuthenticator(context.Background(), true); err != nil {
			t.Error(err)
		}
	}
	restart()
	f.server = authenticatorProcess(t)
	f.server.limitMemory(t, memoryLimit)
	t.Cleanup(restart) // before the limit is removed, since no process may be in it then
	s := signIn(t, "")
	f.user.configure(s)
	becomes(t, s, f.user.user)
}

// people signs the user in with kubectl and either plugin, with a new token each
// time and with the same token.
func (f *flooded) people(t *testing.T) []client {
	t.Helper()
	var people []client
	for _, plugin := range plugins() {
		s := signIn(t, "")
		f.user.configure(s)
		plugin.use(s)
		people = append(people, client{"kubectl with " + plugin.name, time.Second, s.kubectlSignsIn})
	}
	same := newBearer(t, f.user)
	token := same.tokens()
	same.tokens = func() string { return token }
	return append(people,
		client{"a new token each time", 250 * time.Millisecond, newBearer(t, f.user).signIn},
		client{"the same token", 250 * time.Millisecond, same.signIn})
}

// flood sends junk for a region to the kube-apiserver. People sign in before, during
// and after it; more only from the flood on. Each must get in, and the authenticator
// must survive and must receive the junk.
//
// In the flood, the authenticator must not turn anybody's token down for the junk, which
// its decisions say. Whether people get in then depends on the machine alone: one that has
// not enough CPU for the flood is late with the answers to everybody.
func (f *flooded) flood(t *testing.T, region string, people []client, more ...client) {
	t.Helper()
	before := collectSignIns(t, 5*time.Second, people)
	t.Logf("before the flood:\n%s", before)
	people = append(people, more...)
	counted := decisions(t)
	turnedDown := watchDenials(t)

	var answers map[string]int
	var flooding sync.WaitGroup
	flooding.Go(func() { answers = newJunk(t, region).flood(t.Context()) })
	under := collectSignIns(t, floodLasts, people)
	flooding.Wait()
	t.Logf("in the flood:\n%s", under)
	t.Logf("kube-apiserver answered the junk: %v", answers)
	turnedDown()
	peak := f.server.peakMemory(t)
	decided := map[string]int{}
	for result, n := range decisions(t) {
		if n > counted[result] {
			decided[result] = n - counted[result]
		}
	}
	t.Logf("the authenticator decided: %v; its memory peaked at %d MiB", decided, peak>>20)

	after := collectSignIns(t, 3*time.Second, people)
	t.Logf("after the flood:\n%s", after)
	f.server.mustRun(t)
	if peak > memoryLimit {
		t.Errorf("the authenticator took %d MiB, and its limit is %d MiB", peak>>20, memoryLimit>>20)
	}
	sent, seen := sum(answers), sum(decided)-decided["mapped"]
	if want := floodRate * int(floodLasts/time.Second); sent < want*9/10 {
		t.Errorf("%d junk tokens were sent, want %d", sent, want)
	}
	if seen < sent/2 {
		t.Errorf("of %d junk tokens the authenticator has seen %d", sent, seen)
	}
	for when, refusals := range map[string][]string{"before": before.refusals(), "after": after.refusals()} {
		for _, refusal := range refusals {
			t.Errorf("%s the flood: %s", when, refusal)
		}
	}
}

// watchDenials watches the authenticator's denials until the returned function is called,
// which fails the test for those of people: all keys but those in junk. STS may be
// unreachable for them on a machine that is late with everything.
func watchDenials(t *testing.T) (check func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	people, junk, lost := map[authn.Outcome]int{}, 0, 0
	var watching sync.WaitGroup
	watching.Go(func() {
		socket := filepath.Join(suite.Info().Dir, "authenticator", "authenticator.sock")
		client := decisionlog.Client{HTTP: unixsocket.NewClient(socket), URL: unixsocket.URL}
		denials := decisionlog.Query{Limit: 1, Outcomes: slices.DeleteFunc(authn.Outcomes(), func(o authn.Outcome) bool { return o == authn.Mapped })}
		err := client.Watch(ctx, denials, func(e decisionlog.Entry, missed int) error {
			lost += missed
			switch {
			case e.Unverified == nil:
			case strings.HasPrefix(e.Unverified.AccessKeyID, junkKeys):
				junk++
			default:
				people[e.Outcome]++
			}
			return nil
		})
		if ctx.Err() == nil {
			t.Errorf("watching the decisions: %v", err)
		}
	})
	return func() {
		cancel()
		watching.Wait()
		t.Logf("people were turned down: %v, junk %d times; denials lost to the test: %d", people, junk, lost)
		if junk == 0 {
			t.Error("no denial of junk was seen")
		}
		delete(people, authn.Unreachable)
		if len(people) > 0 {
			t.Errorf("in the flood the authenticator turned people down: %v", people)
		}
	}
}

func sum(counts map[string]int) (n int) {
	for _, count := range counts {
		n += count
	}
	return n
}

// decisionCount matches the metric of one result.
var decisionCount = regexp.MustCompile(`(?m)^aws_iam_authenticator_authenticate_latency_seconds_count\{result="(\w+)"\} (\d+)$`)

// decisions returns the number of the authenticator's decisions, by result.
func decisions(t *testing.T) map[string]int {
	t.Helper()
	certificate, err := os.ReadFile(filepath.Join(suite.Info().Dir, "authenticator", "cert.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certificate)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}, Timeout: patience}
	defer client.CloseIdleConnections()
	answer, err := client.Get(suite.Info().Webhook + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	metrics, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, found := range decisionCount.FindAllSubmatch(metrics, -1) {
		if counts[string(found[1])], err = strconv.Atoi(string(found[2])); err != nil {
			t.Fatal(err)
		}
	}
	if len(counts) == 0 {
		t.Fatalf("no decision is among the metrics:\n%s", metrics)
	}
	return counts
}
