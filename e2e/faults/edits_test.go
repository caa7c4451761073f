//go:build e2e

package faults

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/e2e/internal/webhook"
	standin "github.com/kube-iam/authenticator/internal/loadtest/apiserver"
	"github.com/kube-iam/authenticator/internal/loadtest/review"
	"github.com/kube-iam/authenticator/internal/loadtest/sts"
)

const (
	// memoryLimit is that of the manifests, in MiB.
	memoryLimit = 192
	// largestEdit is the limit for an AdmissionReview.
	largestEdit = 20 << 20
)

// hostileEdits returns AdmissionReviews as large as they may be. Each costs the server more
// than its text, in another way.
func hostileEdits() map[string][]byte {
	const (
		before = `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"u","resource":{"group":"","version":"v1","resource":"configmaps"},` +
			`"name":"aws-auth","namespace":"kube-system","operation":"UPDATE","userInfo":{"username":"mallory"},` +
			`"oldObject":{"kind":"ConfigMap","data":{"mapUsers":"- {userarn: 'arn:aws:iam::111122223333:user/ann', groups: [system:masters]}"}},"object":{"kind":"ConfigMap",`
		after = `}}}`
		// within is less than the texts of an object may have.
		within = 1400 << 10
	)
	filled := func(start string, part func(i int) string, end string) []byte {
		var b strings.Builder
		b.WriteString(before + start)
		for i := 0; b.Len()+len(part(i))+len(end)+len(after) <= largestEdit; i++ {
			b.WriteString(part(i))
		}
		return []byte(b.String() + end + after)
	}
	always := func(part string) func(int) string { return func(int) string { return part } }
	judged := func(part string) []byte {
		return filled(`"data":{"mapUsers":"`+strings.Repeat(part, within/len(part))+`"},"metadata":{"managedFields":[`, always(`{},`), `{}]}`)
	}
	return map[string][]byte{
		"judged text":    judged(`<`),
		"judged entries": judged(`- {userarn: a}\n`),
		"judged bomb":    judged(`- &a [*a, *a]\n`),
		"one text":       filled(`"data":{"mapUsers":"`, always(`x`), `"}`),
		"brackets":       filled(`"data":{"mapUsers":"`, always(`<`), `"}`),
		"escapes":        filled(`"data":{"mapUsers":"`, always(`\u003c`), `"}`),
		"many values":    filled(`"data":{`, func(i int) string { return fmt.Sprintf(`"%d":"",`, i) }, `"mapUsers":""}`),
		"many entries":   filled(`"data":{"mapUsers":"`, always(`- {userarn: a}\n`), `"}`),
		"many objects":   filled(`"metadata":{"managedFields":[`, always(`{},`), `{}]}`),
		"deep":           filled(`"data":`, always(`[`), ``),
		"no JSON":        bytes.Repeat([]byte("x"), largestEdit),
	}
}

// TestFloodOfEdits sends the largest AdmissionReviews on many connections while people
// sign in: each of them gets in, and the server stays within its memory limit.
func TestFloodOfEdits(t *testing.T) {
	if os.Getenv("PROVIDER") == "kind" {
		t.Skip("PROVIDER=envtest runs it")
	}
	const lasts = 10 * time.Second // twice
	cloud := webhook.NewSTS(t)
	var mapUsers string
	for user := range users {
		mapUsers += fmt.Sprintf("- {userarn: %q, username: u%d, groups: [people]}\n", sts.ARN(user), user)
	}
	kubernetes, err := standin.New(map[string]string{"mapUsers": mapUsers})
	if err != nil {
		t.Fatal(err)
	}
	program, err := filepath.Abs(filepath.Join("..", "..", "bin", "authenticator"))
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{sts: cloud, restartable: webhook.New(t, "authenticator", program, cloud)}
	t.Cleanup(func() {
		if err := kubernetes.Close(); err != nil {
			t.Error(err)
		}
	})
	kubeconfig := filepath.Join(t.TempDir(), "kubeconfig.yaml")
	if err := os.WriteFile(kubeconfig, kubernetes.Kubeconfig(), 0o600); err != nil {
		t.Fatal(err)
	}
	f.server = f.restartable.Run(t, "--cluster-id", clusterID, "--backend-mode", "EKSConfigMap", "--kubeconfig", kubeconfig, "--sts-region", sts.Region, "--health-port", "0")
	f.await(t, "the mappings", patience, f.newToken(0), review.Yes)

	stop := f.load(t)
	for _, senders := range []int{2, 16} { // of two, the server judges nearly all edits
		answered := floodOfEdits("https://"+f.restartable.Address+"/validate", senders, lasts)
		t.Logf("%d senders: %v", senders, answered)
		for said := range answered {
			if strings.Contains(said, "404") || strings.Contains(said, "405") || strings.Contains(said, "415") {
				t.Errorf("nothing judges the edits: %s", said)
			}
		}
	}
	fresh, cached, _ := stop()
	check(t, "new tokens", fresh, review.No, review.Undecided, review.Failed)
	check(t, "a cached token", cached, review.No, review.Undecided, review.Failed)
	now, peak, err := f.server.Memory()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("memory: %.0f MiB, at most %.0f MiB", now, peak)
	if peak > memoryLimit {
		t.Errorf("the server took %.0f MiB, and its limit is %d MiB", peak, memoryLimit)
	}
}

// floodOfEdits sends hostile edits on a number of connections, and returns how each kind
// was answered.
func floodOfEdits(url string, senders int, lasts time.Duration) map[string]int {
	edits := hostileEdits()
	var mu sync.Mutex
	answered := map[string]int{}
	var flood sync.WaitGroup
	for sender := range senders {
		flood.Go(func() {
			client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
				TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: sender%2 == 0,
			}}
			defer client.CloseIdleConnections()
			for started, i := time.Now(), sender; time.Since(started) < lasts; {
				for name, edit := range edits {
					var body io.Reader = bytes.NewReader(edit)
					if i++; i%3 == 0 {
						body = io.MultiReader(body) // its length is unknown
					}
					said := name + ": no answer"
					if answer, err := client.Post(url, "application/json", body); err == nil {
						said = name + ": " + answer.Status
						_ = answer.Body.Close()
					}
					mu.Lock()
					answered[said]++
					mu.Unlock()
				}
			}
		})
	}
	flood.Wait()
	return answered
}
