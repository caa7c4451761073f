package certificate_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/internal/certificate"
	"github.com/kube-iam/authenticator/internal/httpserver"
)

// TestSwapUnderLoad renews certificates while clients send requests, over connections
// that they keep and over new ones. Every request is answered.
func TestSwapUnderLoad(t *testing.T) {
	ca := sign(t, authority("CA"), nil, nil)
	for name, test := range map[string]struct {
		files certificate.Files
		renew func(files certificate.Files, serving *certificate.Serving)
	}{
		"a CA signs new leaves": {given(t, ca), func(_ certificate.Files, serving *certificate.Serving) { serving.Reread() }},
		"a file is replaced": {given(t, sign(t, leaf("localhost"), nil, &ca), ca), func(files certificate.Files, _ *certificate.Serving) {
			write(t, files, sign(t, leaf("localhost"), nil, &ca), ca)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			var running sync.WaitGroup
			serving := load(t, test.files, certificate.Config{})
			running.Go(func() { serving.Run(ctx) })
			url := serve(ctx, t, &running, serving)
			l := &loaded{url: url, roots: x509.NewCertPool(), seen: map[string]bool{}}
			l.roots.AddCert(ca.certificate)
			var asking sync.WaitGroup
			for i := range 8 {
				asking.Go(func() { l.ask(t, i%2 == 0) })
			}
			for swaps := range 3 {
				before := served(t, serving)
				test.renew(test.files, serving)
				for deadline := time.Now().Add(time.Minute); served(t, serving) == before; time.Sleep(time.Millisecond) {
					if time.Now().After(deadline) {
						t.Fatalf("swap %d is not seen", swaps)
					}
				}
				at := l.answered.Load()
				for deadline := time.Now().Add(time.Minute); l.answered.Load() < at+200 && time.Now().Before(deadline); {
					time.Sleep(time.Millisecond)
				}
			}
			l.done.Store(true)
			asking.Wait()
			stop()
			running.Wait()
			if len(l.seen) < 4 {
				t.Errorf("clients saw %d certificates, want 4", len(l.seen))
			}
			t.Logf("%d requests answered, %d certificates seen", l.answered.Load(), len(l.seen))
		})
	}
}

// serve answers requests until ctx is done.
func serve(ctx context.Context, t *testing.T, running *sync.WaitGroup, serving *certificate.Serving) (url string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := httpserver.New(nil, httpserver.Endpoint{Listener: listener, Certificate: serving.Certificate, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	})})
	running.Go(func() {
		if err := server.Serve(ctx); err != nil {
			t.Error(err)
		}
	})
	return "https://" + listener.Addr().String()
}

// loaded is a server under load, and the certificates that its clients have seen.
type loaded struct {
	url      string
	roots    *x509.CertPool
	answered atomic.Int64
	done     atomic.Bool
	mu       sync.Mutex
	seen     map[string]bool
}

// ask sends one request after the other.
func (l *loaded) ask(t *testing.T, keepAlive bool) {
	transport := &http.Transport{
		DisableKeepAlives: !keepAlive, ForceAttemptHTTP2: keepAlive,
		TLSClientConfig: &tls.Config{RootCAs: l.roots, ServerName: "localhost"},
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: time.Minute}
	for !l.done.Load() {
		answer, err := client.Post(l.url, "text/plain", strings.NewReader("question"))
		if err != nil {
			t.Error(err)
			return
		}
		body, err := io.ReadAll(answer.Body)
		_ = answer.Body.Close()
		if err != nil || string(body) != "question" {
			t.Errorf("%q, %v", body, err)
			return
		}
		l.answered.Add(1)
		l.mu.Lock()
		l.seen[string(answer.TLS.PeerCertificates[0].Raw)] = true
		l.mu.Unlock()
	}
}
