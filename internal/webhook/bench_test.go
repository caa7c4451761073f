package webhook_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/internal/authn"
	"github.com/kube-iam/authenticator/internal/cluster"
	"github.com/kube-iam/authenticator/pkg/identity"
	"github.com/kube-iam/authenticator/pkg/mapper"
	"github.com/kube-iam/authenticator/pkg/token"
	"github.com/kube-iam/authenticator/pkg/token/verify"
)

const benchmarkUser = "arn:aws:iam::231144931069:user/bob"

// benchmarkToken is one of a user.
func benchmarkToken() string {
	return token.Encode("https://sts.eu-west-2.amazonaws.com/?Action=GetCallerIdentity&Version=2011-06-15" +
		"&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIATLABCDEFGHIJKLM2%2F20261123%2Feu-west-2%2Fsts%2Faws4_request" +
		"&X-Amz-Date=20261123T082457Z&X-Amz-Expires=60" +
		"&X-Amz-SignedHeaders=host%3Bx-k8s-aws-id&X-Amz-Signature=" + strings.Repeat("0", 64))
}

// benchmarkHandler is the webhook with a real cluster, whose STS answers at
// once. It records a decision at once, which the server does later, and its log is
// written to a file, as it is in a cluster.
func benchmarkHandler(b *testing.B) http.Handler {
	b.Helper()
	log, err := os.Create(filepath.Join(b.TempDir(), "log"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = log.Close() })
	hosts, err := token.NewHosts("aws")
	if err != nil {
		b.Fatal(err)
	}
	owner, err := mapper.Owner("aws", benchmarkUser)
	if err != nil {
		b.Fatal(err)
	}
	c, err := cluster.New(cluster.Config{
		ID: "blue", Hosts: hosts, Owner: owner,
		Verifier: verify.Func(func(context.Context, string, token.Request) (identity.Identity, error) {
			id, err := identity.Proven(identity.Answer{Account: "231144931069", ARN: benchmarkUser, UserID: "AIDAEXAMPLE"}, "AKIATLABCDEFGHIJKLM2")
			return id, err
		}),
		Cache: authn.CacheConfig{TTL: time.Minute},
		Audit: slog.New(slog.NewTextHandler(log, nil)),
		Now:   func() time.Time { return time.Date(2026, 11, 23, 8, 24, 57, 0, time.UTC) },
	})
	if err != nil {
		b.Fatal(err)
	}
	return handler(b, func(ctx context.Context, bearer string) *authn.Decision {
		decision := c.Authenticate(ctx, bearer)
		c.Record(decision)
		return decision
	})
}

// floorHandler is the least that a webhook can do: it reads and answers.
func floorHandler() http.Handler {
	answer := `{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1","status":{"authenticated":true,"user":{"username":"bob"}}}` + strings.Repeat(" ", 400)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, answer)
	})
}

// BenchmarkHandler measures one repeated token, without a network.
func BenchmarkHandler(b *testing.B) {
	h, body := benchmarkHandler(b), []byte(review("v1", benchmarkToken()))
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, "/authenticate", bytes.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		w := httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code != http.StatusOK {
			b.Fatal(w.Code, w.Body)
		}
	}
}

// BenchmarkServer asks about a repeated token over TLS and HTTP/2, as a
// kube-apiserver does, beside a server that only reads and answers.
func BenchmarkServer(b *testing.B) {
	for _, concurrency := range []int{1, 64} {
		for name, h := range map[string]http.Handler{"floor": floorHandler(), "webhook": benchmarkHandler(b)} {
			b.Run(name, func(b *testing.B) { benchmarkServer(b, h, concurrency) })
		}
	}
}

func benchmarkServer(b *testing.B, h http.Handler, concurrency int) {
	s := serve(b, h)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}}
	body := []byte(review("v1", benchmarkToken()))
	b.SetParallelism((concurrency + 1) / 2)
	var failed atomic.Int64
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			answer, err := client.Post(s.url, "application/json", bytes.NewReader(body))
			if err != nil {
				failed.Add(1)
				continue
			}
			if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != http.StatusOK {
				failed.Add(1)
			}
			_ = answer.Body.Close()
		}
	})
	b.StopTimer() // stopping waits for clients
	if failed.Load() > 0 {
		b.Errorf("%d requests failed", failed.Load())
	}
	client.CloseIdleConnections()
	s.end(b)
}
