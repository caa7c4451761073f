// Package floor is the least work that a TokenReview server can do. What a real
// server needs beyond it is the server's own cost.
package floor

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"strings"
	"time"

	"github.com/kube-iam/authenticator/internal/loadtest/review"
)

// answer is as long as a real one.
const answer = `{"kind":"TokenReview","apiVersion":"authentication.k8s.io/v1beta1","metadata":{},"spec":{},"status":{"authenticated":true,` +
	`"user":{"username":"u42","uid":"aws-iam-authenticator:111122223333:AIDABENCHUSER0000042","groups":["people"],"extra":{` +
	`"accessKeyId":["AKIABENCHUSER0000042"],"arn":["arn:aws:iam::111122223333:user/u42"],"canonicalArn":["arn:aws:iam::111122223333:user/u42"],` +
	`"principalId":["AIDABENCHUSER0000042"],"sessionName":[""],"sigs.k8s.io/aws-iam-authenticator/principalId":["AIDABENCHUSER0000042"]}}}}` + "\n"

// Serve serves an address over TLS until ctx is done. With STS it first sends the
// request in each token there.
func Serve(ctx context.Context, address string, withSTS bool) error {
	certificate, err := newCertificate()
	if err != nil {
		return fmt.Errorf("serving the floor: %w", err)
	}
	authenticate := fixed
	if withSTS {
		authenticate = throughSTS(newClient())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/authenticate", authenticate)
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	server := &http.Server{Addr: address, Handler: mux, ReadHeaderTimeout: 5 * time.Second, TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}}}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.ListenAndServeTLS("", ""); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serving the floor: %w", err)
	}
	return nil
}

func fixed(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		http.Error(w, "reading the request", http.StatusBadRequest)
		return
	}
	writeAnswer(w)
}

// newClient returns a client with enough connections for all requests.
func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, MaxIdleConns: 64, MaxIdleConnsPerHost: 64, DisableCompression: true,
	}}
}

func throughSTS(client *http.Client) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, "reading the request", http.StatusBadRequest)
			return
		}
		token, ok := review.Token(body)
		url, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(token, review.Prefix))
		if !ok || err != nil {
			http.Error(w, "no token", http.StatusBadRequest)
			return
		}
		if err := callSTS(r.Context(), client, string(url)); err != nil {
			http.Error(w, "calling STS failed", http.StatusServiceUnavailable)
			return
		}
		writeAnswer(w)
	}
}

func callSTS(ctx context.Context, client *http.Client, url string) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	request.Header.Set("X-K8s-Aws-Id", "bench")
	request.Header.Set("Accept", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("calling STS: HTTP %d", response.StatusCode)
	}
	_, err = io.ReadAll(response.Body)
	return err
}

func writeAnswer(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, answer) // fails only if the client has gone
}

func newCertificate() (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("creating a key: %w", err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("creating a certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}
