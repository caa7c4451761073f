//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kube-iam/authenticator/internal/freeport"
)

// A server is an authenticator beside the lab's, with files and ports of its own.
type server struct {
	t        *testing.T
	url, log string
	// kubeconfig is the path of the kubeconfig for a kube-apiserver.
	kubeconfig string
	client     *http.Client
}

// serve runs `authenticator` with arguments until the test ends, and returns when it is
// ready.
func serve(s *shell, arguments ...string) *server {
	s.t.Helper()
	ports, release, err := freeport.Reserve(2)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(release)
	dir, port, health := s.t.TempDir(), strconv.Itoa(ports[0]), strconv.Itoa(ports[1])
	v := &server{t: s.t, url: "https://127.0.0.1:" + port, log: filepath.Join(dir, "log"), kubeconfig: filepath.Join(dir, "webhook.yaml")}
	log, err := os.Create(v.log)
	if err != nil {
		s.t.Fatal(err)
	}
	arguments = append(arguments, "--state-dir="+dir, "--generate-kubeconfig="+v.kubeconfig,
		"--address=127.0.0.1", "--hostname=127.0.0.1", "--port="+port, "--health-port="+health)
	ctx, cancel := context.WithCancel(context.Background())
	command := s.command(ctx, suite.Info().Authenticator, arguments...)
	command.Stdout, command.Stderr = log, log
	if err := command.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		cancel()
		_ = command.Wait()
		_ = log.Close()
		if s.t.Failed() {
			s.t.Logf("the log of authenticator %s:\n%s", strings.Join(arguments, " "), v.logged())
		}
	})
	eventually(s.t, watchDelay, "ready", func() bool {
		answer, err := http.Get("http://127.0.0.1:" + health + "/readyz")
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		return answer.StatusCode == http.StatusOK
	})
	certificate, err := os.ReadFile(filepath.Join(dir, "cert.pem"))
	if err != nil {
		s.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(certificate)
	v.client = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}, Timeout: patience}
	s.t.Cleanup(v.client.CloseIdleConnections)
	return v
}

// logged returns the server's log.
func (v *server) logged() string {
	v.t.Helper()
	text, err := os.ReadFile(v.log)
	if err != nil {
		v.t.Fatal(err)
	}
	return string(text)
}

// metric returns the sum of a metric, whose name may be followed by labels.
func (v *server) metric(series string) (sum float64) {
	v.t.Helper()
	answer, err := v.client.Get(v.url + "/metrics")
	if err != nil {
		v.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	for _, found := range regexp.MustCompile(`(?m)^aws_iam_authenticator_`+regexp.QuoteMeta(series)+`\S* (\S+)$`).FindAllSubmatch(text, -1) {
		value, err := strconv.ParseFloat(string(found[1]), 64)
		if err != nil {
			v.t.Fatal(err)
		}
		sum += value
	}
	return sum
}

// review sends a TokenReview to the server.
func (v *server) review(token string) authenticationv1.TokenReviewStatus {
	v.t.Helper()
	review := authenticationv1.TokenReview{
		TypeMeta: metav1.TypeMeta{APIVersion: "authentication.k8s.io/v1", Kind: "TokenReview"},
		Spec:     authenticationv1.TokenReviewSpec{Token: token},
	}
	body, err := json.Marshal(review)
	if err != nil {
		v.t.Fatal(err)
	}
	answer, err := v.client.Post(v.url+"/authenticate", "application/json", bytes.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		v.t.Fatalf("the server answers %s", answer.Status)
	}
	if err := json.NewDecoder(answer.Body).Decode(&review); err != nil {
		v.t.Fatal(err)
	}
	return review.Status
}
