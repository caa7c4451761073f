//go:build e2e

package e2e

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/kube-iam/authenticator/pkg/token"
)

// A flood consists of tokens that anybody can send: well-formed, with an invalid
// signature.
const (
	floodRate  = 300 // per second
	floodLasts = 20 * time.Second
	// junkLength is the length of a token; the limit is 16 KiB.
	junkLength = 15 * 1024
	// junkKeys is the prefix of the access key IDs in junk.
	junkKeys = "ASIAJUNK"
	// junkPatience is how long kube-apiserver waits for its webhook.
	junkPatience = 30 * time.Second
)

// junk makes tokens for a region and sends them to the kube-apiserver.
type junk struct {
	region, padding, url string
	made                 atomic.Int64
	client               *http.Client
}

func newJunk(t *testing.T, region string) *junk {
	t.Helper()
	config, err := clientcmd.BuildConfigFromFlags("", suite.Info().Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	trust, err := rest.TLSConfigFor(rest.AnonymousClientConfig(config))
	if err != nil {
		t.Fatal(err)
	}
	// Own connections: client-go would share those of good clients.
	transport := &http.Transport{TLSClientConfig: trust, ForceAttemptHTTP2: true}
	j := &junk{region: region, url: config.Host + "/version", client: &http.Client{Transport: transport, Timeout: junkPatience}}
	j.padding = strings.Repeat("A", (junkLength-len(j.token()))*3/4)
	return j
}

// token returns a new token, with its own key and signature.
func (j *junk) token() string {
	var signature [32]byte
	_, _ = rand.Read(signature[:]) // never fails
	now := time.Now().UTC()
	return token.Encode(fmt.Sprintf("https://sts.%[1]s.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15"+
		"&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=%[2]s%012[3]d%%2F%[4]s%%2F%[1]s%%2Fsts%%2Faws4_request"+
		"&X-Amz-Date=%[5]s&X-Amz-Expires=60&X-Amz-Security-Token=Junk%[6]s&X-Amz-SignedHeaders=host%%3Bx-k8s-aws-id&X-Amz-Signature=%[7]s",
		j.region, junkKeys, j.made.Add(1), now.Format("20060102"), now.Format("20060102T150405Z"), j.padding, hex.EncodeToString(signature[:])))
}

// flood sends junk at its rate without waiting for responses, then waits for them.
// It returns the number of each response.
func (j *junk) flood(ctx context.Context) map[string]int {
	defer j.client.CloseIdleConnections()
	const interval = time.Second / floodRate
	var mu sync.Mutex
	answers := map[string]int{}
	var underway sync.WaitGroup
	defer underway.Wait()
	tick := time.NewTimer(0)
	defer tick.Stop()
	started := time.Now()
	for i := range int(floodLasts / interval) {
		tick.Reset(time.Until(started.Add(time.Duration(i) * interval)))
		select {
		case <-tick.C:
		case <-ctx.Done():
			return answers
		}
		underway.Go(func() {
			answer := j.send(ctx)
			mu.Lock()
			defer mu.Unlock()
			answers[answer]++
		})
	}
	return answers
}

func (j *junk) send(ctx context.Context) (answered string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, j.url, nil)
	if err != nil {
		return err.Error()
	}
	request.Header.Set("Authorization", "Bearer "+j.token())
	answer, err := j.client.Do(request)
	if err != nil {
		return "no answer"
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body)
	return answer.Status
}
