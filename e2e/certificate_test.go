//go:build e2e

package e2e

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/kube-iam/authenticator/internal/certificate"
)

// TestRenewedCertificateUnderLoad renews the serving certificate while people sign in
// with a new token at each request, and restarts the server. The kube-apiserver, which
// has read its kubeconfig once, never refuses anybody.
func TestRenewedCertificateUnderLoad(t *testing.T) {
	if suite.Info().Provider == "kind" {
		t.Skip("the certificate is inside of the node: TestRenewedCertificateOnNode renews it")
	}
	const clients, renewals = 4, 5
	user := newUser(t, "renewed")
	setAWSAuth(t, map[string]string{"mapUsers": "- userarn: arn:aws:iam::231144931069:user/renewed\n  username: renewed\n"})
	person := newBearer(t, user)
	eventually(t, watchDelay+webhookCacheTTL, "signed in", func() bool { return person.signIn(t.Context()) == nil })

	files := certificate.StateFiles(filepath.Join(suite.Info().Dir, "authenticator"))
	authority, err := os.ReadFile(files.Cert)
	if err != nil {
		t.Fatal(err)
	}
	next, err := certificate.StateFiles(t.TempDir()).LoadOrGenerate(t.Context(), "localhost", "127.0.0.1", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { replace(t, files.Cert, authority) })

	leaf := servedLeaf(t, authority)
	person.signsIn(t, clients, func(signedIn *atomic.Int64) {
		for n := range renewals {
			// The file that trusts another CA too, and then does not: each time the server
			// reads it and signs a new certificate.
			content := authority
			if n%2 == 0 {
				content = append(bytes.Clone(authority), next.Trusted()...)
			}
			replace(t, files.Cert, content)
			eventually(t, watchDelay, "another certificate served", func() bool {
				now := servedLeaf(t, authority)
				defer func() { leaf = now }()
				return !bytes.Equal(now, leaf)
			})
			before := signedIn.Load()
			eventually(t, watchDelay, "people signing in", func() bool { return signedIn.Load() > before+10 })
		}
		t.Logf("%d renewals, %d signed in", renewals, signedIn.Load())
	})

	if err := suite.RestartAuthenticator(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	eventually(t, watchDelay+webhookCacheTTL, "signed in after a restart", func() bool { return person.signIn(t.Context()) == nil })
}

// replace replaces a file as cert-manager does: it is never incomplete.
func replace(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// servedLeaf returns the certificate that the lab's authenticator serves to a client
// that trusts some certificates.
func servedLeaf(t *testing.T, trusted []byte) []byte {
	t.Helper()
	webhook, err := url.Parse(suite.Info().Webhook)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(trusted)
	conn, err := tls.Dial("tcp", webhook.Host, &tls.Config{RootCAs: pool})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].Raw
}
