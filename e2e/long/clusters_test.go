//go:build e2elong

// Package long has the end-to-end tests that take too long for every change.
package long

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/internal/freeport"
	"github.com/kube-iam/authenticator/internal/loadtest/load"
	"github.com/kube-iam/authenticator/internal/loadtest/program"
	"github.com/kube-iam/authenticator/internal/loadtest/review"
	"github.com/kube-iam/authenticator/internal/loadtest/sts"
)

const (
	clusters = 20
	// flooded is the cluster that is sent junk, and broken has a source that is never
	// read: only its owner signs in.
	flooded, broken = 0, 1
	// perSecond is how many new tokens each other cluster gets. STS is called for each.
	perSecond = 5
	// junkPerSecond is how many tokens of unknown keys the flooded cluster gets. STS
	// takes refusal to refuse one, so that they need many times the slots there are.
	junkPerSecond = 300
	refusal       = time.Second
	// slower is how many times the p99 may be that of a flood which needs neither STS nor
	// memory, or maxP99 if that is more: the server, its clients and STS share the CPUs.
	slower, maxP99 = 3, 100 // ms
)

// A server serves many clusters, each with a kube-apiserver.
type server struct {
	*program.Server
	address, config string
	maker           review.Maker
}

// settings returns the item of a cluster.
func settings(n int, comment string) string {
	source := "  mapAccounts: ['111122223333']\n"
	if n == broken {
		source = "  backendMode: [EKSConfigMap]\n  kubeconfig: unreachable.kubeconfig\n"
	}
	return fmt.Sprintf("- id: cluster-%d\n  stsRegions: [%s]\n  clusterOwnerARNs: ['%s']\n%s", n, sts.Region, sts.ARN(owner(n)), source) + comment
}

// owner is the user who owns a cluster.
func owner(n int) int { return 1_000_000 + n }

func configuration(items ...string) []byte {
	return []byte("clusters:\n" + strings.Join(items, ""))
}

func allItems() (items []string) {
	for n := range clusters {
		items = append(items, settings(n, ""))
	}
	return items
}

const unreachable = `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
contexts: [{name: c, context: {cluster: c, user: c}}]
users: [{name: c}]
current-context: c
`

// build builds the authenticator.
func build(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "authenticator")
	if output, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, "../../cmd/authenticator").CombinedOutput(); err != nil {
		t.Fatalf("building: %v\n%s", err, output)
	}
	return path
}

func newServer(t *testing.T) *server {
	t.Helper()
	dir := t.TempDir()
	standin, err := sts.New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = standin.Close() })
	standin.RefuseAfter(refusal)
	proxy, err := standin.Proxy()
	if err != nil {
		t.Fatal(err)
	}
	address, err := freeport.Address()
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	s := &server{address: address, config: filepath.Join(dir, "config.yaml")}
	for name, content := range map[string][]byte{"config.yaml": configuration(allItems()...), "ca.pem": standin.CA(), "unreachable.kubeconfig": []byte(unreachable)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s.Server, err = program.Serve(t.Context(), "authenticator", address, dir, program.Command{
		Path: build(t),
		Args: []string{"server", "--config", "config.yaml", "--address", "127.0.0.1", "--port", port, "--health-port", "0", "--state-dir", dir},
		Env:  []string{"HOME=" + dir, "HTTPS_PROXY=" + proxy, "AWS_CA_BUNDLE=" + filepath.Join(dir, "ca.pem")},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s
}

// edit replaces the configuration at once.
func (s *server) edit(t *testing.T, items ...string) {
	t.Helper()
	if err := os.WriteFile(s.config+".new", configuration(items...), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(s.config+".new", s.config); err != nil {
		t.Fatal(err)
	}
}

func (s *server) client(n int) *load.Client {
	return load.NewClientOf(s.address, fmt.Sprintf("/clusters/cluster-%d/authenticate", n))
}

// token returns a function that makes new tokens of a key.
func (s *server) token(key string) func() []byte {
	return func() []byte { return review.Body(s.maker.Token(key, sts.Host(sts.Region), sts.Region, 0)) }
}

// others has users sign in to all clusters but the flooded one, and returns the results
// by cluster.
func (s *server) others(ctx context.Context, lasts time.Duration) []*load.Result {
	results := make([]*load.Result, clusters)
	var asking sync.WaitGroup
	for n := range clusters {
		if n == flooded {
			continue
		}
		asking.Go(func() {
			client := s.client(n)
			defer client.Close()
			results[n] = client.Open(ctx, perSecond, lasts, 5*time.Second, s.token(sts.Key(owner(n))))
		})
	}
	asking.Wait()
	return results
}

// worst returns the highest p99 of the clusters but the flooded one, in milliseconds. It
// fails unless all their requests let the caller in.
func worst(t *testing.T, phase string, results []*load.Result) (p99 float64) {
	t.Helper()
	sent, refused := 0, 0
	for n, result := range results {
		if n == flooded {
			continue
		}
		sent += result.Sent()
		p99 = max(p99, result.P99())
		if others := result.Due() - result.Answers[review.Yes]; others > 0 {
			refused += others
			t.Errorf("%s: cluster-%d: %s", phase, n, result)
		}
	}
	t.Logf("%-38s %d clusters, %d reviews, %d refused or lost, the highest p99 of a cluster is %.1f ms", phase+":", clusters-1, sent, refused, p99)
	return p99
}

// flood sends junk for a region to the flooded cluster, until it is stopped.
func (s *server) flood(ctx context.Context, region string) (stop func() *load.Result) {
	var result *load.Result
	var flooding sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	flooding.Go(func() {
		client := s.client(flooded)
		defer client.Close()
		n := 0
		result = client.Open(ctx, junkPerSecond, 5*time.Minute, 10*time.Second, func() []byte {
			n++
			return review.Body(s.maker.Token(sts.UnknownKey(n), sts.Host(region), region, 0))
		})
	})
	return func() *load.Result {
		cancel()
		flooding.Wait()
		return result
	}
}

// TestTwentyClustersOneFlooded floods one cluster of twenty, while another one's API
// server is down, and while clusters are added, changed and removed. Users of the others
// sign in as before.
func TestTwentyClustersOneFlooded(t *testing.T) {
	s := newServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	worst(t, "nothing else", s.others(ctx, 5*time.Second))
	// As many tokens that cost no more than the processor: those of another region.
	stop := s.flood(ctx, sts.DeadRegion)
	most := max(maxP99, slower*worst(t, "cluster-0 gets malformed tokens", s.others(ctx, 15*time.Second)))
	stop()

	stop = s.flood(ctx, sts.Region)
	time.Sleep(2 * time.Second) // it fills all that it can
	if p99 := worst(t, "cluster-0 is flooded", s.others(ctx, 20*time.Second)); p99 > most {
		t.Errorf("the highest p99 is %.1f ms, want at most %.1f ms", p99, most)
	}

	var editing sync.WaitGroup
	editing.Go(func() {
		for n := range 8 {
			items := allItems()
			switch n % 4 {
			case 0: // clusters are added
				items = append(items, settings(clusters+n, ""), settings(clusters+n+1, ""))
			case 1: // a cluster is changed
				items[2] = settings(2, "  scrubbedAccounts: ['444455556666']\n")
			case 2: // the edit is broken
				items = append(items, "- id: cluster-0\n")
			}
			s.edit(t, items...)
			time.Sleep(1200 * time.Millisecond)
			client := s.client(clusters + n)
			added, _ := client.Ask(ctx, s.token(sts.Key(owner(clusters+n)))())
			client.Close()
			if isAdded := added == review.Yes; isAdded != (n%4 == 0) {
				t.Errorf("after edit %d, cluster-%d answers %s", n, clusters+n, added)
			}
		}
	})
	p99 := worst(t, "flooded, and the configuration is edited", s.others(ctx, 12*time.Second))
	editing.Wait()
	if p99 > most {
		t.Errorf("while clusters change, the highest p99 is %.1f ms, want at most %.1f ms", p99, most)
	}
	flood := stop()
	t.Logf("the flood of cluster-0: %s", flood)
	if flood.Answers[review.Yes] > 0 || flood.Statuses[503] == 0 {
		t.Errorf("the flood lets somebody in, or is no flood: %s", flood)
	}
	now, peak, err := s.Memory()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("memory of the server: %.0f MiB, at most %.0f MiB", now, peak)
}
