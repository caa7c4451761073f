package server

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kube-iam/authenticator/internal/admission"
	"github.com/kube-iam/authenticator/internal/assembly"
	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/cluster"
	"github.com/kube-iam/authenticator/internal/config"
	"github.com/kube-iam/authenticator/internal/decisions"
	"github.com/kube-iam/authenticator/internal/kube"
	"github.com/kube-iam/authenticator/internal/limit"
	"github.com/kube-iam/authenticator/internal/metrics"
	"github.com/kube-iam/authenticator/internal/settings"
	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/token"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

// recording is a backlog that records the IDs of decisions.
type recording struct {
	backlog
	mu  sync.Mutex
	ids []string
}

func newRecording() *recording {
	r := &recording{}
	r.record = func(u unrecorded) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.ids = append(r.ids, u.decision.ID)
	}
	return r
}

func (r *recording) decide(ids ...string) {
	for _, id := range ids {
		r.add(unrecorded{decision: &authn.Decision{ID: id}})
	}
}

// want checks the decisions that are recorded.
func (r *recording) want(t *testing.T, when string, ids ...string) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.ids, ids) {
		t.Errorf("%s: %q are recorded, want %q", when, r.ids, ids)
	}
}

// pass lets time pass, and waits for what its end begins.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// TestBacklog checks that decisions are recorded once, in their order, and soon.
func TestBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newRecording()
		b.decide("a", "b")
		b.want(t, "at once")
		pass(recordPeriod / 2)
		b.decide("c")
		pass(recordPeriod / 2)
		b.want(t, "after the period", "a", "b", "c")
		pass(time.Second)
		b.decide("d")
		pass(recordPeriod)
		b.want(t, "after the next period", "a", "b", "c", "d")
		b.decide("e")
		b.flush()
		b.want(t, "after a flush", "a", "b", "c", "d", "e")
		pass(time.Second)
		b.want(t, "in the end", "a", "b", "c", "d", "e")
	})
}

// TestBacklogIsShown checks that who asks for the decisions gets them all.
func TestBacklogIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newRecording()
		handler := b.flushFirst(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(strings.Join(b.ids, " ")))
		}))
		b.decide("a", "b")
		w := httptest.NewRecorder()
		if handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil)); w.Body.String() != "a b" {
			t.Errorf("%q are shown", w.Body)
		}
	})
}

// TestFullBacklog checks that a backlog holds no more than maxBacklog decisions, and that
// none of them is lost when many goroutines decide.
func TestFullBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newRecording()
		for range maxBacklog {
			b.decide("early")
		}
		b.want(t, "while there is room")
		b.decide("late")
		if len(b.ids) != maxBacklog+1 || len(b.waiting) > 0 {
			t.Errorf("%d decisions are recorded, and %d are not", len(b.ids), len(b.waiting))
		}
		var deciding sync.WaitGroup
		const routines, each = 50, 100
		for range routines {
			deciding.Go(func() {
				for range each {
					b.decide("more")
				}
			})
		}
		deciding.Wait()
		pass(recordPeriod)
		if want := maxBacklog + 1 + routines*each; len(b.ids) != want {
			t.Errorf("%d decisions are recorded, want %d", len(b.ids), want)
		}
	})
}

// TestRecordThatPanics checks that a decision that cannot be recorded ends neither the
// server nor the batch.
func TestRecordThatPanics(t *testing.T) {
	var log strings.Builder
	b := newRecording()
	b.log = slog.New(slog.NewTextHandler(&log, nil))
	record := b.record
	b.record = func(u unrecorded) {
		if u.decision.ID == "b" {
			panic("it is b")
		}
		record(u)
	}
	b.decide("a", "b", "c")
	b.flush()
	b.want(t, "around a panic", "a", "c")
	if !strings.Contains(log.String(), `msg="recording a decision failed" outcome="" id=b error="it is b"`) {
		t.Error(log.String())
	}
}

// TestRecords checks where a decision is recorded.
func TestRecords(t *testing.T) {
	hosts, err := token.NewHosts("aws")
	if err != nil {
		t.Fatal(err)
	}
	owner, err := mapper.Owner("aws", "arn:aws:iam::231144931069:user/bob")
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	log := slog.New(slog.NewTextHandler(&text, nil))
	c, err := cluster.New(cluster.Config{ID: "blue", Hosts: hosts, Owner: owner, Verifier: verify.New(verify.Config{}), Audit: log})
	if err != nil {
		t.Fatal(err)
	}
	recorder, metrics := decisions.NewRecorder(), metrics.New()
	b := newBacklog(recorder, metrics, log)
	b.add(unrecorded{&assembly.Parts{Cluster: c, Guard: &assembly.Guard{}}, c.Authenticate(t.Context(), "junk")})
	b.flush()
	if found := recorder.Find(decisions.Query{Limit: 2}); len(found) != 1 || found[0].Cluster != "blue" || found[0].Outcome != authn.Malformed {
		t.Errorf("kept: %+v", found)
	}
	if got := c.Decided(authn.Malformed); got != 1 {
		t.Errorf("%d decisions are counted", got)
	}
	if strings.Count(text.String(), "\n") != 1 || !strings.Contains(text.String(), "outcome=malformed") {
		t.Errorf("the log: %s", text.String())
	}
	w := httptest.NewRecorder()
	metrics.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	if want := `authenticate_latency_seconds_count{result="malformed"} 1`; !strings.Contains(w.Body.String(), want) {
		t.Errorf("/metrics lacks %s", want)
	}
}

// TestEditAfterSignIn checks that the guard knows a node that has just signed in, although the
// decision waits to be recorded.
func TestEditAfterSignIn(t *testing.T) {
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig")
	content := "{apiVersion: v1, kind: Config, current-context: c, contexts: [{name: c, context: {cluster: c}}], clusters: [{name: c, cluster: {server: http://127.0.0.1:1}}]}"
	if err := os.WriteFile(kubeconfig, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	node, err := identity.Proven(identity.Answer{
		Account: "231144931069", ARN: "arn:aws:sts::231144931069:assumed-role/Node/i-0123456789abcdef0", UserID: "AROAEXAMPLE:i-0123456789abcdef0",
	}, "ASIAEXAMPLE")
	if err != nil {
		t.Fatal(err)
	}
	removal := admission.Edit{Name: kube.AWSAuth, Old: &unstructured.Unstructured{Object: map[string]any{"data": map[string]any{
		"mapRoles": "- {rolearn: 'arn:aws:iam::231144931069:role/Node', username: 'system:node:{{EC2PrivateDNSName}}', groups: [system:bootstrappers, system:nodes]}",
	}}}}
	synctest.Test(t, func(t *testing.T) {
		blue := &settings.Cluster{General: &settings.General{ClusterID: "blue", File: &config.File{}}}
		blue.AddFlags(pflag.NewFlagSet("blue", pflag.ContinueOnError)) // for the defaults
		blue.BackendModes, blue.Kubeconfig = []string{settings.BackendEKSConfigMap}, kubeconfig
		log, metrics := slog.New(slog.DiscardHandler), metrics.New()
		c := newClusters(blue, log)
		shared := assembly.Shared{Limiter: limit.New(verify.New(verify.Config{})), Metrics: metrics, Log: log}
		if err := c.assemble(t.Context(), shared); err != nil {
			t.Fatal(err)
		}
		b := newBacklog(decisions.NewRecorder(), metrics, log)
		guard := c.guard(b)
		pass(time.Hour) // until then, every role of nodes counts as in use
		if verdict, err := guard("").Judge(removal); err != nil || verdict.Refused() {
			t.Errorf("before a node signs in: losses %q, %v; want none", verdict.Losses, err)
		}
		user := authn.User{Username: "system:node:ip-10-0-0-1.ec2.internal", Groups: []string{mapper.NodesGroup}}
		b.add(unrecorded{c.Clusters()[0], &authn.Decision{Outcome: authn.Mapped, User: user, Identity: node}})
		verdict, err := guard("").Judge(removal)
		if want := "node ip-10-0-0-1.ec2.internal signed in with it"; err != nil || !verdict.Refused() || !strings.Contains(strings.Join(verdict.Losses, "\n"), want) {
			t.Errorf("after a node signed in: losses %q, %v; want %q", verdict.Losses, err, want)
		}
		if guard("green") != nil {
			t.Error("an unknown cluster has a guard")
		}
	})
}
